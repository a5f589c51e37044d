"""Who was let in beside the settings: held in memory for every event, kept in the store with each change.

The store is the truth and the process that holds its home the only one that writes it, so what stands in memory is
what is written: a change counts from the next event on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from bot.access import Activation, Grant, Granted
from bot.accounts import Account
from bot.pairing import LIFETIME, new_code, seal
from bot.store import access
from bot.store.access import Approval, By, GrantRow
from bot.store.base import Store
from bot.store.people import Person
from channels.commands import Role
from channels.events import Message

T = TypeVar("T")

ROLES: Mapping[str, Role] = {str(role): role for role in Role}


@dataclass(slots=True)
class _Held:
    """One account's, as `Granted` shows it."""

    people: dict[str, tuple[Grant, ...]] = field(default_factory=dict)
    activation: dict[str, Activation] = field(default_factory=dict)


@dataclass(slots=True)
class Grants:
    """Every account's grants. `wall`: seconds since the epoch; `bits(n)`: a number below 2**n that nobody can guess.

    `on_lock` is told the way that wrong codes have just closed, and must not block.
    """

    store: Store
    wall: Callable[[], float]
    bits: Callable[[int], int]
    on_lock: Callable[[str], None] = lambda _: None
    _held: dict[tuple[str, str], _Held] = field(default_factory=dict)
    _codes: dict[Person, tuple[str, float]] = field(default_factory=dict)

    async def load(self) -> None:
        """Read what is kept. Before that nobody is let in by a grant."""
        rows, chosen = await self.store.call(lambda store: (access.grants(store), access.activations(store)))
        for row in rows:
            self._put(row.person, (*self._of(row.person).people.get(row.person.sender, ()), _grant(row)))
        for channel, account, space, value in chosen:
            if value in set(Activation):
                self._account(channel, account).activation[space] = Activation(value)

    def of(self, channel: str, account: str) -> Granted:
        """What stands now, and follows every change."""
        held = self._account(channel, account)
        return Granted(held.people, held.activation)

    # Codes

    async def code_for(self, account: Account, message: Message) -> str | None:
        """The code that its sender holds, a new one where they hold none; None: too many others wait."""
        person = person_of(account, message.sender.id)
        known = self.code_at_hand(person)
        if known is not None:
            return known
        now, code = self.wall(), new_code(self.bits)
        place = str(message.address.key)
        asked = access.Waiting(person, message.sender.name, place, now, now + LIFETIME)
        sealed = seal(code, self.bits)
        if not await self.store.call(lambda store: access.wait(store, asked, sealed)):
            return None
        for each in [each for each, (_, until) in self._codes.items() if until <= now]:
            del self._codes[each]
        self._codes[person] = (code, asked.expires_at)
        return code

    def code_at_hand(self, person: Person) -> str | None:
        """The code that somebody was told and that still holds."""
        code, until = self._codes.get(person, ("", 0.0))
        return code if until > self.wall() else None

    async def approve(self, code: str, by: By, at: tuple[str, str] | None = None) -> Approval:
        """Let in whoever holds the code; `at`: of this channel and account alone."""
        found = await self.store.call(lambda store: access.approve(store, code, by, self.wall(), at))
        if found.let_in is not None:
            await self._changed(found.let_in.person)
        if found.closes:
            self.on_lock(by.way)
        return found

    # Grants

    async def give(self, person: Person, role: Role, by: By) -> bool:
        """Give somebody a role on all surfaces of their account. False: the account has too many grants."""
        now = self.wall()
        row = GrantRow(person, "", str(role), is_paired=False, granted_at=now, granted_by=by.actor)
        is_given = await self.store.call(lambda store: access.grant(store, row, by))
        await self._changed(person)
        return is_given

    async def take(self, person: Person, by: By, below: Role = Role.OWNER) -> Sequence[GrantRow]:
        """Take back what somebody was granted that is below a role; what it was."""
        taken = await self.store.call(lambda store: access.take(store, person, by, self.wall(), str(below)))
        await self._changed(person)
        return taken

    async def activate(
        self, channel: str, account: str, space: str, value: Activation | None, by: By
    ) -> None:
        """Choose what is answered in a group; None: what the settings say."""
        now = self.wall()
        await self.store.call(lambda store: access.activate(store, (channel, account, space), value, by, now))
        chosen = self._account(channel, account).activation
        if value is None:
            chosen.pop(space, None)
        else:
            chosen[space] = value

    async def forgotten(self, person: Person) -> None:
        """The store holds nothing of a person any more."""
        await self._changed(person)

    async def _changed(self, person: Person) -> None:
        rows = await self.store.call(lambda store: access.grants_of(store, person))
        self._codes.pop(person, None)
        self._put(person, tuple(_grant(row) for row in rows))

    def _put(self, person: Person, grants: tuple[Grant, ...]) -> None:
        people = self._of(person).people
        if grants:
            people[person.sender] = grants
        else:
            people.pop(person.sender, None)

    def _of(self, person: Person) -> _Held:
        return self._account(person.channel, person.account)

    def _account(self, channel: str, account: str) -> _Held:
        return self._held.setdefault((channel, account), _Held())


def person_of(account: Account, sender_id: str) -> Person:
    """Somebody as this account knows them."""
    return Person(account.channel.name, account.channel.account, sender_id)


def _grant(row: GrantRow) -> Grant:
    return Grant(ROLES.get(row.role, Role.GUEST), row.is_paired)
