"""Text that grows together with its entities, in UTF-16 units. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from channels.telegram.text import utf16

Entity = dict[str, Any]

# Bot API limits, 2026-11 (MessageLimit.MESSAGE_ENTITIES of python-telegram-bot 22.8): more are ignored.
MAX_ENTITIES = 100
# Which entities stay when there are too many: a link carries an address, a style only looks.
_WEIGHT = {"text_link": 0, "pre": 1, "blockquote": 2, "code": 3, "bold": 4}
_STYLES = frozenset({"bold", "italic", "strikethrough", "underline", "spoiler"})


@dataclass(slots=True)
class Scope:
    """A style or link that is open. `mark`: how many pieces had been written before it."""

    kind: str
    start: int
    mark: int
    is_silent: bool = False


@dataclass(slots=True)
class Writer:
    """Collects pieces of text. `position` is the length so far in UTF-16 units."""

    position: int = 0
    pieces: list[str] = field(default_factory=list)
    entities: list[Entity] = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=list)
    newlines: int = 0

    def write(self, text: str) -> None:
        """Add plain text."""
        if not text:
            return
        self.pieces.append(text)
        self.position += utf16(text)
        bare = text.rstrip("\n")
        self.newlines = len(text) - len(bare) + (self.newlines if not bare else 0)

    def line_break(self, count: int) -> None:
        """End the text with at least `count` line ends, unless nothing stands yet."""
        if self.position and self.newlines < count:
            self.write("\n" * (count - self.newlines))

    def open(self, kind: str) -> Scope:
        """Begin a style, link or quote here. A style within the same style says nothing."""
        scope = Scope(kind, self.position, len(self.pieces), any(one.kind == kind for one in self.scopes))
        self.scopes.append(scope)
        return scope

    def close(self, scope: Scope, **more: Any) -> str:
        """End it and keep its entity; returns the text within."""
        while self.scopes and self.scopes.pop() is not scope:
            pass
        if not scope.is_silent:
            self._keep(scope.kind, scope.start, scope.mark, **more)
        return "".join(self.pieces[scope.mark :])

    def drop(self, scope: Scope) -> str:
        """End it without an entity; returns the text within."""
        while self.scopes and self.scopes.pop() is not scope:
            pass
        return "".join(self.pieces[scope.mark :])

    def is_open(self, kind: str) -> bool:
        """Whether such a scope is open."""
        return any(scope.kind == kind for scope in self.scopes)

    def fixed(self, text: str, kind: str, **more: Any) -> None:
        """Fixed-width text. No style may cover it (Bot API docs, MessageEntity), so open styles step aside."""
        styles = [scope for scope in self.scopes if scope.kind in _STYLES and not scope.is_silent]
        for scope in styles:
            self._keep(scope.kind, scope.start, scope.mark)
        start, mark = self.position, len(self.pieces)
        self.write(text)
        self._keep(kind, start, mark, **more)
        for scope in styles:
            scope.start, scope.mark = self.position, len(self.pieces)

    def _keep(self, kind: str, start: int, mark: int, **more: Any) -> None:
        if any(
            piece.strip(" \n") for piece in self.pieces[mark:]
        ):  # one over white space is dropped by the server
            self.entities.append({"type": kind, "offset": start, "length": self.position - start, **more})

    def result(self) -> tuple[str, list[Entity]]:
        """The text without white space at its ends, and the entities that the server will keep, sorted."""
        text = "".join(self.pieces)
        body = text.rstrip(" \n")
        # At the front the server cuts only what no entity covers: indented code keeps its first spaces.
        first = min((entity["offset"] for entity in self.entities), default=len(body))
        lead = min(first, len(body) - len(body.lstrip(" \n")))
        end = self.position - (len(text) - len(body))
        found = []
        for entity in self.entities:
            start = max(entity["offset"], lead)
            length = min(entity["offset"] + entity["length"], end) - start
            if length > 0:
                found.append({**entity, "offset": start - lead, "length": length})
        if len(found) > MAX_ENTITIES:
            found.sort(key=lambda entity: _WEIGHT.get(entity["type"], 5))
            del found[MAX_ENTITIES:]
        found.sort(key=lambda entity: (entity["offset"], -entity["length"]))
        return body[lead:], found
