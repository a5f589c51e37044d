"""One request while its answer grows: what delivery says goes in, what the connection writes comes out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from channels.api.problems import Problem, of_conclusion
from channels.capabilities import Capabilities
from channels.events import Address
from channels.programs import Conclusion, RouteTaken


@dataclass(slots=True, eq=False)
class Pending:
    """A request that is being answered. `is_lost`: whether its connection is gone.

    `route` is known before the first text, `conclusion` or `problem` at the end. `is_whole`: all of the text is there;
    `is_gone`: nobody reads any more.
    """

    id: str
    address: Address
    capabilities: Capabilities
    is_lost: Callable[[], bool]
    route: RouteTaken | None = None
    conclusion: Conclusion | None = None
    problem: Problem | None = None
    is_gone: bool = False
    is_whole: bool = False
    _parts: list[str] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_over(self) -> bool:
        """Nothing more will come."""
        return self.is_gone or self.conclusion is not None or self.problem is not None

    def say(self, text: str) -> None:
        """More of the answer."""
        if text and not self.is_gone:
            self._parts.append(text)
            self._news.set()

    def conclude(self, conclusion: Conclusion) -> None:
        """The answer is over."""
        self.route = conclusion.route or self.route
        self.conclusion, self.problem = conclusion, self.problem or of_conclusion(conclusion)
        self._news.set()

    def fail(self, problem: Problem) -> None:
        """There will be no answer."""
        if not self.is_over:
            self.problem = problem
            self._news.set()

    def hang_up(self) -> None:
        """Whoever asked is gone."""
        self.is_gone = True
        self._parts.clear()
        self._news.set()

    async def news(self, within: float | None) -> bool:
        """Wait for something new; False when nothing came within so many seconds."""
        try:
            async with asyncio.timeout(within):
                await self._news.wait()
        except TimeoutError:
            return False
        self._news.clear()
        return True

    def take(self) -> str:
        """What was said since the last call."""
        text = "".join(self._parts)
        self._parts.clear()
        return text
