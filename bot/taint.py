"""Which turns have read what the person who asked did not say, and what models may do in those. Pure.

It is assumed that a model does whatever a text tells it that it reads. So nothing here looks at what a text says: what
counts is where it comes from, what a tool is declared to do, and who asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.access import Trust
from bot.exchange import Exchange
from bot.store.base import HistoryRow
from bot.tools import OfferedTool
from channels.events import AttachmentKind, Message
from providers.base import Role

CONSENT_LIFE = 900.0
"""Seconds that a question for consent may be answered: whoever comes back later has forgotten what it was about."""

_RANKS = {trust: at for at, trust in enumerate(Trust)}


class Origin(StrEnum):
    """Where something in a prompt comes from that is not the word of the person who asked."""

    FILE = "file"  # what is in a file, and its name; a voice note is the person's own word
    QUOTED = "quoted"  # forwarded or quoted
    TOOL = "tool"  # what a tool returned
    OTHERS = "others"  # said by somebody who is trusted less, or an answer to them
    PROGRAM = "program"  # a program's request: what of it a person said cannot be told
    UNKNOWN = "unknown"  # an answer of an earlier life of the process: nobody knows any more what it had read


@dataclass(frozen=True, slots=True)
class Taint:
    """What a model has read. `describers`: sources of tools whose descriptions are somebody else's words."""

    origins: frozenset[Origin] = frozenset()
    describers: frozenset[str] = frozenset()

    def after(self, tool: OfferedTool) -> Taint:
        """The same once the model is given what this tool returned."""
        return replace(self, origins=self.origins | {Origin.TOOL}) if tool.has_foreign_results else self

    def asks_about(self, tool: OfferedTool) -> bool:
        """Whether the person has to allow this very call, whatever the settings say of the tool."""
        if tool.is_local and not tool.has_side_effects:
            return False
        return bool(self.origins) or bool(self.describers - {tool.source})

    def to_plain(self) -> tuple[str, ...]:
        """What is kept with the lines of the turn."""
        return tuple(sorted(self.origins))


CLEAN = Taint()
"""Nothing but the words of who asked, and ours."""


def offered_to(offered: Iterable[OfferedTool], trust: Trust) -> tuple[OfferedTool, ...]:
    """What may be called for somebody. Who was let in without a name gets nothing that changes or sends anything."""
    if trust is not Trust.ANYBODY:
        return tuple(offered)
    return tuple(tool for tool in offered if tool.is_local and not tool.has_side_effects)


def taint_of(
    messages: Iterable[Message],
    history: Iterable[HistoryRow],
    offered: Sequence[OfferedTool],
    trust: Trust,
) -> Taint:
    """What a model reads that is asked these messages, after `history`, by somebody of this trust."""
    known = {each.tool.name: each for each in offered}
    origins = brought_by(messages)
    for row in history:
        if row.exchange is not None:
            origins |= _of_line(row.exchange, known, trust)
    return Taint(origins, frozenset(each.source for each in offered if each.has_foreign_words))


def brought_by(messages: Iterable[Message]) -> frozenset[Origin]:
    """What messages hold beside their sender's own words."""
    found = set()
    for message in messages:
        if any(each.kind is not AttachmentKind.VOICE for each in message.attachments):
            found.add(Origin.FILE)
        if message.quotes:
            found.add(Origin.QUOTED)
        if message.asked is not None:
            found.add(Origin.PROGRAM)
    return frozenset(found)


def _of_line(line: Exchange, known: dict[str, OfferedTool], trust: Trust) -> frozenset[Origin]:
    found = {_origin(each) for each in line.taint}
    if line.trust and _RANKS.get(_trust(line.trust), 0) > _RANKS[trust]:
        found.add(Origin.OTHERS)
    if any(each.role is Role.TOOL for each in line.messages):
        calls = [call.name for each in line.messages for call in each.calls]
        tools = [known.get(name) for name in calls]
        if any(tool is None or tool.has_foreign_results for tool in tools):
            found.add(Origin.TOOL)
    return frozenset(found)


def _origin(kept: str) -> Origin:
    """Another version may have known another one."""
    return Origin(kept) if kept in set(Origin) else Origin.UNKNOWN


def _trust(kept: str) -> Trust:
    """Another version may have known another one; that is nobody's then."""
    return Trust(kept) if kept in set(Trust) else Trust.ANYBODY
