"""Models that answer so that an auditor can tell what is whole, and that fail in every way a vendor has."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

from providers.base import (
    CompletionRequest,
    Credential,
    Finished,
    FinishReason,
    ModelSpec,
    Price,
    ReasoningDelta,
    Role,
    Started,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from providers.errors import ErrorKind, ProviderError
from providers.profile import ModelProfile
from tests.chaos.life import Life, Point

QUESTION = re.compile(r"q(\d+)r(\d+) (\w+)")
"""A question as the people of the simulation write it: number, revision, kind."""

_BEGUN = re.compile(r"BEGIN(\d+)(?: |$)")
_WORDS = tuple("amber birch cedar delta ember fjord grove heron inlet jetty knoll larch".split())
_KINDS = (
    ErrorKind.RATE_LIMIT, ErrorKind.OVERLOADED, ErrorKind.SERVER, ErrorKind.CONNECT, ErrorKind.INCOMPLETE,
    ErrorKind.MALFORMED, ErrorKind.BAD_REQUEST, ErrorKind.QUOTA, ErrorKind.CONTEXT_LENGTH,
)  # fmt: skip
_LATE = (ErrorKind.INCOMPLETE, ErrorKind.SERVER, ErrorKind.OVERLOADED)
TOKEN_USD = 0.002


@dataclass(slots=True)
class Asked:
    """One request as the vendor saw it. `told`: US dollars that its usage comes to, None before it was said."""

    at: float
    life: int
    model: str
    questions: tuple[tuple[int, int], ...]
    answers_calls: bool
    ended: float | None = None
    told: float | None = None
    is_priced: bool = False
    illness: str = ""


@dataclass
class Vendors:
    """What the vendors remember, whatever becomes of the process. `count` numbers the answers."""

    asked: list[Asked] = field(default_factory=list)
    count: int = 0


def words_of(number: int, questions: Sequence[tuple[int, int]], *, is_long: bool) -> str:
    """The whole answer with this number."""
    dice = random.Random(f"words {number}")
    length = dice.randint(60, 220) if is_long else dice.randint(2, 30)
    named = [f"a{asked}r{revision}" for asked, revision in questions]
    return " ".join([f"BEGIN{number}", *named, *dice.choices(_WORDS, k=length), f"END{number}"])


class ChaosModel:
    """One provider with one model, within one life."""

    def __init__(
        self, name: str, life: Life, vendors: Vendors, dice: random.Random, faults: float, price: float
    ) -> None:
        profile = ModelProfile(prefill=name != "second", source="made up")
        cost = Price(price, price) if price else None
        self.spec = ModelSpec(
            name, "m", context_window=32_000, profile=profile, price=cost, is_local=not price
        )
        self.models = (self.spec,)
        self._name = name
        self._life = life
        self._vendors = vendors
        self._dice = dice
        self._faults = faults

    @property
    def name(self) -> str:
        """Its name in the settings."""
        return self._name

    @asynccontextmanager
    async def stream(
        self, model: ModelSpec, request: CompletionRequest, credential: Credential
    ) -> AsyncIterator[AsyncIterator[StreamEvent]]:
        """See Provider."""
        if not self._life.is_alive:
            raise asyncio.CancelledError
        asked = Asked(
            self._life.loop.time(),
            self._life.number,
            self._name,
            questions_in(request),
            bool(_results(request)),
            is_priced=bool(self.spec.price),
        )
        self._vendors.asked.append(asked)
        try:
            async with aclosing(self._say(request, asked)) as events:
                yield events
        finally:
            asked.ended = self._life.loop.time()

    async def _say(self, request: CompletionRequest, asked: Asked) -> AsyncGenerator[StreamEvent, None]:
        dice, is_ill = self._dice, self._dice.random() < self._faults
        illness = (
            dice.choice(("early", "early", "silent", "late", "stall", "ends", "empty", "thinks"))
            if is_ill
            else ""
        )
        cut = dice.random()
        asked.illness = illness
        await asyncio.sleep(dice.choice((0.01, 0.2, 1.0)) * dice.uniform(0.5, 2))
        if illness == "early":
            raise ProviderError(dice.choice(_KINDS), retry_after=dice.choice((None, 1.0, 30.0)))
        yield Started(request_id="chaos")
        if illness == "silent":
            await asyncio.sleep(3600)
        if illness == "thinks":
            yield ReasoningDelta("hm")
        calls = _calls(request)
        if calls and illness not in {"empty", "thinks"}:
            for delta in calls:
                self._life.passes(Point.SAID)
                yield delta
            yield self._end(asked, FinishReason.TOOL_CALLS, len(calls))
            return
        rest = "" if illness in {"empty", "thinks"} else self._text(request, asked)
        pieces = re.findall(r"\s*\S+", rest)
        stop = int(len(pieces) * cut) if illness in {"late", "stall", "ends"} else len(pieces)
        gap = dice.choice((0.0, 0.01, 0.1))
        for piece in pieces[:stop]:
            await asyncio.sleep(gap)
            self._life.passes(Point.SAID)
            yield TextDelta(piece)
        if illness == "late":
            raise ProviderError(dice.choice(_LATE))
        if illness == "stall":
            await asyncio.sleep(3600)
        reasons = (FinishReason.LENGTH, FinishReason.CONTENT_FILTER)
        yield self._end(asked, dice.choice(reasons) if illness == "ends" else FinishReason.STOP, stop)

    def _end(self, asked: Asked, reason: FinishReason, tokens: int) -> Finished:
        asked.told = tokens * TOKEN_USD if self.spec.price else 0.0
        return Finished(reason, Usage(0, tokens), reason.value)

    def _text(self, request: CompletionRequest, asked: Asked) -> str:
        """What is still to be said of an answer; a begun one goes on word for word."""
        last = request.messages[-1]
        is_long = "long" in _question(request)
        if last.role is Role.ASSISTANT and not last.calls and (begun := _BEGUN.match(last.text)):
            whole = words_of(int(begun[1]), asked.questions, is_long=is_long)
            if whole.startswith(last.text):
                return whole[len(last.text) :]
        self._vendors.count += 1
        return words_of(self._vendors.count, asked.questions, is_long=is_long)

    async def warm(self) -> None:
        """Nothing to do."""

    async def list_models(self, credential: Credential) -> Sequence[ModelSpec]:
        """The one."""
        return self.models

    async def aclose(self) -> None:
        """Nothing to do."""


def _question(request: CompletionRequest) -> str:
    return next(each.text for each in reversed(request.messages) if each.role is Role.USER)


def questions_in(request: CompletionRequest) -> tuple[tuple[int, int], ...]:
    """(number, revision) of what is asked now."""
    return tuple((int(number), int(revision)) for number, revision, _ in QUESTION.findall(_question(request)))


def _results(request: CompletionRequest) -> bool:
    """Whether calls were made, or put off, for the question."""
    roles = [each.role for each in request.messages]
    last = len(roles) - 1 - roles[::-1].index(Role.USER)
    return Role.TOOL in roles[last:]


def _calls(request: CompletionRequest) -> list[ToolCallDelta]:
    """The calls that a question of the kinds "tool" and "ask" leads to, once."""
    if not request.tools or request.tool_choice == "none" or _results(request):
        return []
    names = {"tool": "notes__log", "ask": "notes__write"}
    wanted = [(n, names[kind]) for n, _, kind in QUESTION.findall(_question(request)) if kind in names]
    return [
        ToolCallDelta(at, f"c{at}", name, json.dumps({"note": int(number)}))
        for at, (number, name) in enumerate(wanted)
    ]
