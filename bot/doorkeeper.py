"""What is said to those whose events take no effect, and which commands are not for whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot import words
from bot.access import CLOSED_GROUP, STRANGER, Direct, Verdict
from bot.accounts import Account
from bot.errors import StoreError
from bot.grants import Grants, person_of
from bot.recent import Recent
from channels.commands import CommandSpec, ParsedCommand, Role, parse_command
from channels.events import Event, Message, Pressed

NOTE_INTERVAL = 3600.0
"""A stranger is told how to be let in at most once an hour."""

AGAIN = 60.0
"""Seconds after which somebody who asks for their code again is told it again."""

PAIR = "pair"
"""The command by which a stranger asks for a code."""


@dataclass(frozen=True, slots=True)
class Doorkeeper:
    """`specs`: every command by its names. `clock` is monotonic. `told`: who was told what of late."""

    grants: Grants
    specs: Mapping[str, CommandSpec]
    clock: Callable[[], float]
    told: Recent

    def command(self, said: Message) -> ParsedCommand | None:
        """The command that somebody gives. Words of others (a program's, forwarded ones) are never one.

        Else whoever has an owner forward "/op 4711" to the bot would be let in by it.
        """
        if said.asked is not None or said.quotes:
            return None
        return parse_command(said.text, self.specs)

    def beyond(self, event: Event, role: Role) -> Role | None:
        """The role that a command needs which this one has not; None for what may be said or pressed."""
        match event:
            case Message():
                parsed = self.command(event)
            case Pressed(action=action):
                parsed = parse_command(f"/{action}", self.specs)
            case _:
                return None
        return parsed.spec.role if parsed is not None and parsed.spec.role > role else None

    def line(self, account: Account, event: Event, verdict: Verdict) -> str | None:
        """See channels.base.Host.refusal."""
        if verdict.role is not None:
            needed = self.beyond(event, verdict.role)
            return words.too_low(needed) if needed is not None else None
        if event.sender is None or event.sender.is_bot:
            return ""
        if verdict is CLOSED_GROUP:
            return words.closed_group(event.address.key.space, account.groups_path)
        if verdict is not STRANGER:
            return words.NOT_HERE
        if account.policy.direct is not Direct.PAIRING:
            return words.stranger(event.sender.id, account.allow_path)
        if self._asks(event):
            return None  # the code is the answer to it
        code = self.grants.code_at_hand(person_of(account, event.sender.id))
        return words.pairing(code, event.sender.id) if code is not None else words.PAIR_FIRST

    async def note(self, account: Account, event: Event, verdict: Verdict) -> str | None:
        """What to answer to a message that took no effect; None: nothing, or nothing more for now."""
        if not isinstance(event, Message) or verdict not in (STRANGER, CLOSED_GROUP):
            return None
        space, asks = event.address.key.space, self._asks(event)
        about = event.sender.id if verdict is STRANGER else space
        mark = f"{verdict.finding}{' asks' if asks else ''} {account.scope} {about}"
        if self.told.seen(mark, self.clock(), AGAIN if asks else NOTE_INTERVAL):
            return None
        if verdict is CLOSED_GROUP:
            return words.closed_group(space, account.groups_path)
        if account.policy.direct is not Direct.PAIRING:
            return words.stranger(event.sender.id, account.allow_path)
        try:
            code = await self.grants.code_for(account, event)
        except StoreError:
            self.told.forget(mark)  # it will be offered again
            raise
        return (
            words.pairing(code, event.sender.id) if code is not None else words.pairing_full(event.sender.id)
        )

    def _asks(self, event: Event) -> bool:
        parsed = self.command(event) if isinstance(event, Message) else None
        return parsed is not None and parsed.spec.name == PAIR
