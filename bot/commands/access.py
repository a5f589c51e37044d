"""/pair /allowlist /wl /dwl /op /deop /activation: who may talk here, and what is answered in a group."""

from __future__ import annotations

from bot import words
from bot.access import ANYBODY, Activation, is_shared, named
from bot.commands.registry import Call, Command
from bot.errors import BotError
from bot.grants import ROLES, person_of
from bot.pairing import is_try, typed
from bot.store import access
from bot.store.access import By, GrantRow
from bot.store.people import Person
from channels.commands import CommandSpec, Role

CHAT = "chat"
"""The way of every change that is made by a command."""

_MOST_LISTED = 50
_ALLOWLIST = "/allowlist list, /allowlist add ID, /allowlist remove ID."


def by(call: Call) -> By:
    """Who makes the change."""
    return By(str(person_of(call.turn.account, call.turn.message.sender.id)), CHAT)


async def pair(call: Call) -> str:
    """Let somebody in by the code that they were told."""
    match call.argument.split():
        case ["approve", *rest] if rest:
            return await _approve(call, typed("".join(rest)))
        case _:
            if call.turn.role >= Role.ADMIN:
                return "/pair approve CODE lets somebody in by the code that I told them."
            return f"You are let in already, as {words.role(call.turn.role)}."


async def _approve(call: Call, code: str) -> str:
    if call.turn.role < Role.ADMIN:
        return words.too_low(Role.ADMIN)
    if not is_try(code):
        return words.NO_CODE
    account = call.turn.account
    # Whoever sits at the machine is the owner of all accounts; others let people into the account that they write to.
    here = None if account.policy.is_local else (account.channel.name, account.channel.account)
    found = await call.desk.grants.approve(code, by(call), here)
    return words.approval(**found.to_plain())


async def allowlist(call: Call) -> str:
    """Show, add to or take from those who were let in beside the settings."""
    match call.argument.split(maxsplit=1):
        case [] | ["list"]:
            return await _list(call)
        case ["add", who]:
            return await _add(call, who, Role.MEMBER)
        case ["remove", who]:
            return await _remove(call, who)
        case _:
            return _ALLOWLIST


async def add(call: Call) -> str:
    """As /allowlist add."""
    return await _add(call, call.argument, Role.MEMBER) if call.argument else _ALLOWLIST


async def remove(call: Call) -> str:
    """As /allowlist remove."""
    return await _remove(call, call.argument) if call.argument else _ALLOWLIST


async def promote(call: Call) -> str:
    """Make somebody an admin."""
    return await _add(call, call.argument, Role.ADMIN) if call.argument else "/op ID makes somebody an admin."


async def demote(call: Call) -> str:
    """Take an admin's role back; what they were let in by goes with it."""
    return await _remove(call, call.argument) if call.argument else "/deop ID takes an admin's role back."


async def _add(call: Call, who: str, role: Role) -> str:
    person = _person(call, who)
    if role >= call.turn.role:
        return words.too_low(
            Role.OWNER
        )  # nobody grants as much as they are themselves, but an owner a lesser role
    if person.sender == ANYBODY:
        return 'Everybody is let in by the settings alone: allow: ["*"], or dm: open.'
    account = call.desk.accounts.get((person.channel, person.account))
    if account is None or account.policy.is_local:
        return words.no_account(f"{person.channel}:{person.account}")
    if not account.can_know(person.sender):
        return words.no_id(person.sender, account.id_hint)
    granted = call.desk.grants.of(person.channel, person.account)
    has = named(person.sender, account.policy, granted, is_shared=True)
    if has is not None and has >= role:
        return f"{words.quoted(str(person))} is {words.role(has)} already."
    if not await call.desk.grants.give(person, role, by(call)):
        return f"That account has {access.MAX_GRANTS:,} grants; remove some first."
    return f"{words.quoted(str(person))} is {words.role(role)} now. /allowlist remove {person.sender} takes it back."


async def _remove(call: Call, who: str) -> str:
    person = _person(call, who)
    below = Role.OWNER if call.turn.role is Role.OWNER else Role.ADMIN
    taken = await call.desk.grants.take(person, by(call), below)
    lines = [f"{words.quoted(str(person))} was {_granted(row)}; that is taken back." for row in taken]
    account, granted = call.turn.account, call.desk.grants.of(person.channel, person.account)
    left = named(person.sender, account.policy, granted, is_shared=False) if _is_here(call, person) else None
    if left is not None:
        lines.append(
            f"{words.quoted(str(person))} stays {words.role(left)}: an owner takes that back, or the settings do."
        )
    return "\n".join(lines) or f"{words.quoted(str(person))} was let in by nobody here."


async def _list(call: Call) -> str:
    account, policy = call.turn.account, call.turn.account.policy
    rows = await call.desk.store.call(access.grants)
    here = (account.channel.name, account.channel.account)
    shown = [row for row in rows if policy.is_local or here == (row.person.channel, row.person.account)]
    lines = [_line(row) for row in shown[:_MOST_LISTED]]
    if len(shown) > _MOST_LISTED:
        lines.append(f"- and {len(shown) - _MOST_LISTED:,} more: firstword pairing list")
    counts = (("owners", policy.owners), ("admins", policy.admins), ("members", policy.allow - {ANYBODY}))
    settings = ", ".join(f"{len(ids)} {name[: -1 if len(ids) == 1 else None]}" for name, ids in counts if ids)
    if settings:
        lines.append(f"The settings name {settings}.")
    if ANYBODY in policy.allow:
        lines.append("The settings let everybody in.")
    return "\n".join(lines) or "Nobody was let in yet."


def _line(row: GrantRow) -> str:
    name = f" ({words.quoted(row.name)})" if row.name else ""
    return f"- {words.quoted(str(row.person))}{name}: {_granted(row)}"


def _granted(row: GrantRow) -> str:
    name = words.role(ROLES.get(row.role, Role.GUEST))
    return f"{name} in direct chats, by a code" if row.is_paired else name


def _person(call: Call, text: str) -> Person:
    """An id of this account; whoever sits at the machine may name any account: CHANNEL:ACCOUNT:ID."""
    text = text.strip()
    account = call.turn.account
    if account.policy.is_local:
        try:
            return Person.parse(text)
        except BotError:
            pass
    return person_of(account, text.removeprefix(str(person_of(account, ""))))


def _is_here(call: Call, person: Person) -> bool:
    channel = call.turn.account.channel
    return (person.channel, person.account) == (channel.name, channel.account)


async def activation(call: Call) -> str:
    """Choose what is answered in this group."""
    turn, address = call.turn, call.turn.message.address
    if not is_shared(address):
        return "In a direct chat everything is answered; /activation is for groups."
    key, policy = address.key, turn.account.policy
    current = turn.account.granted.activation.get(key.space, policy.activation)
    chosen = call.argument.lower()
    if not chosen:
        return f"In this group: **{current}**. /activation mention|always|default changes it."
    if chosen not in (*Activation, "default"):
        return (
            "/activation mention: I answer mentions, replies and commands. /activation always: every message."
        )
    value = None if chosen == "default" else Activation(chosen)
    await call.desk.grants.activate(key.channel, key.account, key.space, value, by(call))
    return f"In this group from now on: **{value or policy.activation}**."


COMMANDS = (
    Command(
        CommandSpec("pair", "Be let in, or let somebody in by a code", "[approve CODE]", is_private=True),
        pair,
    ),
    Command(
        CommandSpec(
            "allowlist",
            "Who was let in",
            "[list|add ID|remove ID]",
            choices=("list", "add", "remove"),
            role=Role.ADMIN,
            is_private=True,
        ),
        allowlist,
    ),
    Command(CommandSpec("wl", "Let somebody in", "ID", role=Role.ADMIN, is_private=True), add),
    Command(CommandSpec("dwl", "Let somebody in no more", "ID", role=Role.ADMIN, is_private=True), remove),
    Command(CommandSpec("op", "Make somebody an admin", "ID", role=Role.OWNER, is_private=True), promote),
    Command(CommandSpec("deop", "Take an admin's role back", "ID", role=Role.OWNER, is_private=True), demote),
    Command(
        CommandSpec(
            "activation",
            "What is answered in this group",
            "[mention|always|default]",
            choices=(*Activation, "default"),
            role=Role.ADMIN,
        ),
        activation,
    ),
)
