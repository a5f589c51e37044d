"""Who may do what, as one table, held against authorise() over everything that can be generated.

The table is written out once more here, in other words than the code's: by what somebody is, where they are and what
the settings say. Whatever it does not allow must have no role.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from bot.access import (
    Activation,
    Direct,
    Finding,
    Grant,
    Granted,
    Policy,
    Trust,
    authorise,
    role_in,
    trust_of,
)
from bot.commands.table import all_commands
from bot.doorkeeper import Doorkeeper
from bot.grants import Grants
from bot.recent import Recent
from channels.capabilities import Surface
from channels.commands import Role
from channels.events import (
    Address,
    ConversationKey,
    Event,
    Membership,
    MembershipChange,
    Message,
    MessageDeleted,
    MessageEdited,
    Pressed,
    Reaction,
    Sender,
    TypingStarted,
    Unreadable,
    UnreadableReason,
)
from channels.programs import Asked
from tests.generated import generated

NOW = datetime(2026, 11, 21, tzinfo=UTC)
TABLE = all_commands()
SHARED = (Surface.GROUP, Surface.THREAD)
NAMED = {"owner": Role.OWNER, "admin": Role.ADMIN, "member": Role.MEMBER}
GRANTED = {"granted": Role.MEMBER, "granted admin": Role.ADMIN}
PEOPLE = (*NAMED, *GRANTED, "paired", "stranger", "")
KINDS = (
    "message",
    "command",
    "program",
    "edit",
    "deletion",
    "reaction",
    "press",
    "membership",
    "typing",
    "sealed",
)


@dataclass(frozen=True, slots=True)
class Case:
    """Somebody does something somewhere."""

    who: str
    kind: str
    surface: Surface
    is_shared: bool
    is_listed: bool
    is_addressed: bool
    is_bot: bool
    is_open: bool
    direct: Direct
    setting: Activation
    chosen: Activation | None
    command: str

    @property
    def in_group(self) -> bool:
        """Whether others read along."""
        return self.surface in SHARED or self.is_shared

    def event(self) -> Event:
        """What the adapter hands over. The display name is always the owner's id, which must open nothing."""
        where = Address(ConversationKey("c", "a", "g"), self.surface, is_shared=self.is_shared)
        who = Sender(self.who, "owner", self.is_bot)
        program = Asked(model="", said=()) if self.kind == "program" else None
        match self.kind:
            case "message" | "command" | "program":
                text = f"/{self.command} x" if self.kind == "command" else "hi"
                return Message("k", "m", where, who, text, NOW, addressed=self.is_addressed, asked=program)
            case "edit":
                return MessageEdited("k", "m", where, who, "hi", NOW, addressed=self.is_addressed)
            case "deletion":
                return MessageDeleted("k", "m", where, who)
            case "reaction":
                return Reaction("k", "m", where, who, "+")
            case "press":
                return Pressed("k", "m", where, who, self.command)
            case "membership":
                return Membership("k", "m", where, who, MembershipChange.INVITED)
            case "typing":
                return TypingStarted("k", "m", where, who)
            case _:
                return Unreadable("k", "m", where, who, UnreadableReason.ENCRYPTED, self.is_addressed)

    def policy(self) -> Policy:
        """What the settings say."""
        return Policy(
            allow=frozenset({"member", "*"} if self.is_open else {"member"}),
            groups=frozenset({"g"} if self.is_listed else {"another"}),
            owners=frozenset({"owner"}),
            admins=frozenset({"admin"}),
            direct=self.direct,
            activation=self.setting,
        )

    def granted(self) -> Granted:
        """What was decided beside them."""
        people = {name: (Grant(role),) for name, role in GRANTED.items()}
        chosen = {} if self.chosen is None else {"g": self.chosen}
        return Granted({**people, "paired": (Grant(Role.MEMBER, is_paired=True),)}, chosen)

    @property
    def can_be_unaddressed(self) -> bool:
        """Other events mean the bot by themselves."""
        return self.kind in ("message", "command", "program", "edit", "sealed")


def allowed(case: Case) -> Role | None:
    """The table."""
    if case.is_bot or not case.who:
        return None
    own = {**NAMED, **GRANTED}.get(case.who)
    if case.in_group:
        if case.kind == "membership" and case.who == "owner":
            return Role.OWNER
        answers_all = (case.chosen or case.setting) is Activation.ALWAYS
        is_meant = case.is_addressed or not case.can_be_unaddressed or answers_all
        return (own or Role.GUEST) if case.is_listed and is_meant else None
    if case.direct is Direct.DISABLED:
        return own if case.who == "owner" else None
    if case.who == "paired" and case.direct in (Direct.PAIRING, Direct.OPEN):
        own = Role.MEMBER
    is_anybody = case.is_open or case.direct is Direct.OPEN
    is_invited = case.kind == "membership" and case.direct is Direct.PAIRING
    return own if own is not None else (Role.GUEST if is_anybody or is_invited else None)


CASES = st.builds(
    Case,
    who=st.sampled_from(PEOPLE),
    kind=st.sampled_from(KINDS),
    surface=st.sampled_from(list(Surface)),
    is_shared=st.booleans(),
    is_listed=st.booleans(),
    is_addressed=st.booleans(),
    is_bot=st.integers(0, 9).map(lambda roll: roll == 0),
    is_open=st.booleans(),
    direct=st.sampled_from(list(Direct)),
    setting=st.sampled_from(list(Activation)),
    chosen=st.sampled_from([None, *Activation]),
    command=st.sampled_from(sorted(TABLE.index)),
)


@generated
@given(CASES)
def test_nothing_takes_effect_that_the_table_does_not_allow(case: Case) -> None:
    event, policy, granted = case.event(), case.policy(), case.granted()
    verdict = authorise(event, policy, granted)
    assert verdict.role == allowed(case)
    assert verdict.is_allowed == (verdict.finding is Finding.ALLOWED) == (verdict.role is not None)
    door = Doorkeeper(Grants(None, lambda: 0.0, lambda _: 0), TABLE.index, lambda: 0.0, Recent(9))  # type: ignore[arg-type]
    if verdict.role is not None:
        needs = TABLE.index[case.command].role if case.kind in ("command", "press") else Role.GUEST
        assert (door.beyond(event, verdict.role) is not None) == (verdict.role < needs)
        if event.sender is not None and case.kind != "membership":
            # What tools are offered by follows from the same names.
            assert role_in(event.sender, event.address, policy, granted) == verdict.role
            assert (trust_of(verdict.role) is Trust.ANYBODY) == (verdict.role is Role.GUEST)
        return
    if case.is_bot or not case.who:
        assert verdict.finding is Finding.IGNORED


@generated
@given(CASES, st.text(min_size=1, max_size=8))
def test_only_the_very_id_opens(case: Case, more: str) -> None:
    """Neither a longer id, nor a shorter one, nor one in other letters (CVE-2026-28446: a suffix was enough)."""
    stranger = authorise(case.event(), case.policy(), case.granted()).role
    for near in (case.who + more, more + case.who, case.who[:-1], case.who.upper(), "*"):
        if near in PEOPLE or not case.who:
            continue
        other = Case(**{**{name: getattr(case, name) for name in Case.__slots__}, "who": near})
        found = authorise(other.event(), other.policy(), other.granted()).role
        assert found in (None, Role.GUEST)
        assert found is None or stranger is not None
