"""A Host for a channel that is opened to be looked at and never runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from channels.base import HistoryLine, ModelChoice, Vectors
from channels.commands import CommandSpec
from channels.errors import Refused
from channels.events import ConversationKey, Event


@dataclass(frozen=True, slots=True)
class Onlooker:
    """Takes nothing, knows nothing, remembers nothing. `folder` is a temporary one."""

    folder: Path
    specs: Sequence[CommandSpec] = ()

    async def accept(self, event: Event) -> bool:
        """There is no room."""
        return False

    def refusal(self, event: Event) -> str | None:
        """Nobody may do anything."""
        return ""

    async def cursor(self, name: str) -> str | None:
        """None is stored."""
        return None

    async def set_cursor(self, name: str, value: str) -> None:
        """Nothing is stored."""

    async def history(self, key: ConversationKey, limit: int = 50) -> Sequence[HistoryLine]:
        """Nothing was said."""
        return ()

    def commands(self) -> Sequence[CommandSpec]:
        """The commands of a daemon."""
        return self.specs

    async def models(self, key: ConversationKey) -> Sequence[ModelChoice]:
        """None answers."""
        return ()

    async def embed(self, model: str, texts: Sequence[str]) -> Vectors:
        """Nobody makes any."""
        raise Refused("unknown_model", model)

    async def fetch(self, url: str, max_bytes: int) -> bytes:
        """Nothing is asked of the network."""
        raise Refused("fetch", "nothing is fetched here")

    def signal(self, name: str, value: float = 1.0) -> None:
        """Not counted."""

    def heard(self) -> None:
        """Nobody watches."""

    def online(self, *, is_online: bool, reason: str = "") -> None:
        """Told to nobody."""
