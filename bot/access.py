"""authorise(): who may do what, for every kind of event, by immutable ids only. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from channels.capabilities import Surface
from channels.events import Event, Membership, Sender

ANYBODY = "*"
"""In an allow-list: everybody. It has to be written out; nothing is open by itself."""

_SHARED = frozenset({Surface.GROUP, Surface.THREAD})


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may talk to one account. All are immutable ids of the channel; empty means nobody.

    `is_local`: the channel is reachable from this machine alone, so whoever is there is its owner.
    """

    allow: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    owners: frozenset[str] = frozenset()
    is_local: bool = False


class Trust(StrEnum):
    """How far the person who speaks is known to the owner."""

    OWNER = "owner"
    MEMBER = "member"  # named in the allow-list
    ANYBODY = "anybody"  # let in without a name: by "*", or as somebody in a listed group


class Verdict(StrEnum):
    """What to do with an event."""

    OWNER = "owner"
    MEMBER = "member"
    STRANGER = "stranger"  # refuse, and tell them (seldom) how to be let in
    CLOSED_GROUP = "closed_group"  # a member spoke to us in a group that is not on the list
    IGNORED = "ignored"  # not meant for us, or from a bot

    @property
    def is_allowed(self) -> bool:
        """Whether the event may take effect."""
        return self in (Verdict.OWNER, Verdict.MEMBER)


def authorise(event: Event, policy: Policy) -> Verdict:
    """The verdict on any event. An event without a sender may only take something back, never ask."""
    sender = event.sender
    if policy.is_local:
        return Verdict.OWNER
    if sender is None:
        return Verdict.MEMBER
    if sender.is_bot or not sender.id:
        return Verdict.IGNORED
    is_owner = sender.id in policy.owners
    is_member = is_owner or sender.id in policy.allow or ANYBODY in policy.allow
    if event.address.surface not in _SHARED and not event.address.is_shared:
        if is_owner:
            return Verdict.OWNER
        return Verdict.MEMBER if is_member else Verdict.STRANGER
    if is_owner and isinstance(event, Membership):
        return Verdict.OWNER  # an owner may take the bot anywhere; whom it answers there is another question
    if not getattr(event, "addressed", True):
        return Verdict.IGNORED
    if event.address.key.space not in policy.groups and ANYBODY not in policy.groups:
        return Verdict.CLOSED_GROUP if is_owner else Verdict.IGNORED
    return Verdict.OWNER if is_owner else Verdict.MEMBER


def trust_in(sender: Sender, policy: Policy) -> Trust:
    """What somebody who may talk to us is trusted with."""
    if policy.is_local or sender.id in policy.owners:
        return Trust.OWNER
    return Trust.MEMBER if sender.id in policy.allow else Trust.ANYBODY
