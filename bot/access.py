"""authorise(): who may do what, for every kind of event, by immutable ids only. Pure.

A role is held at one account of one channel, and there on a kind of surface: direct (a chat of one person with the
bot) or shared (others read along). What the settings name, and what /allowlist grants, holds on both; what a pairing
grants was proven in a direct chat and holds in direct chats alone (GHSA-2gvc-4f3c-2855, 2026-04: room commands were
authorised by the pairings of direct chats).

    direct   owners, admins, members, then guests where everybody is let in; else a stranger
    shared   the same people in a listed group; everybody else there is a guest
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from channels.capabilities import Surface
from channels.commands import Role
from channels.events import Address, Event, Membership, Sender

ANYBODY = "*"
"""In an allow-list: everybody. It has to be written out; nothing is open by itself."""

_SHARED = frozenset({Surface.GROUP, Surface.THREAD})


class Direct(StrEnum):
    """Who may write to an account in a direct chat, beside its owners."""

    PAIRING = "pairing"  # those who are named, and whoever shows a code that an owner or admin approves
    ALLOWLIST = "allowlist"  # those who are named
    OPEN = "open"  # everybody
    DISABLED = "disabled"  # nobody


class Activation(StrEnum):
    """What the bot answers in a group."""

    MENTION = "mention"  # what is addressed to it: mentions, replies, commands
    ALWAYS = "always"  # everything


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may talk to one account, as the settings say. All are immutable ids of the channel; empty means nobody.

    `is_local`: the channel is reachable from this machine alone, so whoever is there is its owner. `activation`: in
    groups where nothing else was chosen. `stops_loops`: see bot.loops.
    """

    allow: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    owners: frozenset[str] = frozenset()
    is_local: bool = False
    admins: frozenset[str] = frozenset()
    direct: Direct = Direct.PAIRING
    activation: Activation = Activation.MENTION
    stops_loops: bool = True


@dataclass(frozen=True, slots=True)
class Grant:
    """A role that somebody was given. `is_paired`: by a code, so it holds in direct chats alone."""

    role: Role
    is_paired: bool = False


@dataclass(frozen=True, slots=True)
class Granted:
    """What one account's owners and admins decided beside the settings. Both change while the account runs.

    `people`: sender id -> grants. `activation`: space -> what is answered there.
    """

    people: Mapping[str, tuple[Grant, ...]] = field(default_factory=dict)
    activation: Mapping[str, Activation] = field(default_factory=dict)


NOTHING_GRANTED = Granted(MappingProxyType({}), MappingProxyType({}))


class Finding(StrEnum):
    """What to do with an event."""

    ALLOWED = "allowed"
    STRANGER = "stranger"  # refuse, and tell them (seldom) how to be let in
    CLOSED_GROUP = "closed_group"  # an owner or admin spoke to us in a group that is not on the list
    IGNORED = "ignored"  # not meant for us, or from a bot, or from somebody who is told nothing


@dataclass(frozen=True, slots=True)
class Verdict:
    """The finding on an event, and the role in which it acts: None unless it is allowed."""

    finding: Finding
    role: Role | None = None

    @property
    def is_allowed(self) -> bool:
        """Whether the event may take effect."""
        return self.finding is Finding.ALLOWED


_ALLOWED = {role: Verdict(Finding.ALLOWED, role) for role in Role}
STRANGER = Verdict(Finding.STRANGER)
CLOSED_GROUP = Verdict(Finding.CLOSED_GROUP)
IGNORED = Verdict(Finding.IGNORED)


def is_shared(address: Address) -> bool:
    """Whether others read along there."""
    return address.surface in _SHARED or address.is_shared


def authorise(event: Event, policy: Policy, granted: Granted = NOTHING_GRANTED) -> Verdict:
    """The verdict on any event. An event without a sender may only take something back, never ask."""
    sender = event.sender
    if policy.is_local:
        return _ALLOWED[Role.OWNER]
    if sender is None:
        return _ALLOWED[Role.GUEST]
    if sender.is_bot or not sender.id:
        return IGNORED
    where = event.address
    if is_shared(where):
        return _in_group(event, named(sender.id, policy, granted, is_shared=True), policy, granted)
    role = named(sender.id, policy, granted, is_shared=False)
    if policy.direct is Direct.DISABLED:
        return _ALLOWED[role] if role is Role.OWNER else IGNORED
    if role is None and (policy.direct is Direct.OPEN or ANYBODY in policy.allow):
        role = Role.GUEST
    if role is None and isinstance(event, Membership) and policy.direct is Direct.PAIRING:
        role = Role.GUEST  # to be in a direct chat lets nobody in: what is said there is judged again
    return STRANGER if role is None else _ALLOWED[role]


def _in_group(event: Event, role: Role | None, policy: Policy, granted: Granted) -> Verdict:
    space = event.address.key.space
    if role is Role.OWNER and isinstance(event, Membership):
        return _ALLOWED[role]  # an owner may take the bot anywhere; whom it answers there is another question
    is_addressed = getattr(event, "addressed", True)
    if not is_addressed and granted.activation.get(space, policy.activation) is not Activation.ALWAYS:
        return IGNORED
    if space not in policy.groups and ANYBODY not in policy.groups:
        is_told = is_addressed and role is not None and role >= Role.ADMIN
        return CLOSED_GROUP if is_told else IGNORED
    return _ALLOWED[Role.GUEST if role is None else role]


def named(sender_id: str, policy: Policy, granted: Granted, *, is_shared: bool) -> Role | None:
    """The highest role that this very id was given for such a surface; None for an id that nobody named."""
    if not sender_id:
        return None
    if sender_id in policy.owners:
        return Role.OWNER
    if sender_id in policy.admins:
        return Role.ADMIN
    role = Role.MEMBER if sender_id in policy.allow and sender_id != ANYBODY else None
    for grant in granted.people.get(sender_id, ()):
        counts = policy.direct in (Direct.PAIRING, Direct.OPEN) and not is_shared
        if (counts or not grant.is_paired) and (role is None or grant.role > role):
            role = grant.role
    return role


class Trust(StrEnum):
    """How far the person who speaks is known to the owner; it follows from the role."""

    OWNER = "owner"
    MEMBER = "member"  # named by id: in the settings, by /allowlist or by a pairing
    ANYBODY = "anybody"  # let in without a name: by "*", or as somebody in a listed group


def trust_of(role: Role) -> Trust:
    """What somebody in this role is trusted with."""
    if role is Role.OWNER:
        return Trust.OWNER
    return Trust.ANYBODY if role is Role.GUEST else Trust.MEMBER


def role_in(sender: Sender, address: Address, policy: Policy, granted: Granted) -> Role:
    """The role of somebody who may talk to us there, as of now; a guest where nobody named them."""
    if policy.is_local:
        return Role.OWNER
    role = named(sender.id, policy, granted, is_shared=is_shared(address))
    return Role.GUEST if role is None else role
