"""People who ask in many conversations of one or several platforms, and what became of each of their questions."""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.bench.sites.base import Look, Site, State
from tests.bench.talk import Fate
from tests.mock_model.behaviour import MARKER
from tests.mock_model.client import MockModel

LOOK_SECONDS = 0.5
_BATCH = 100
_WORD = re.compile(r"word(\d+)")


@dataclass(slots=True)
class Question:
    """One message of a person. `tokens`: how many its answer has; `states`: what the answer read, by and by."""

    site: Site
    place: int
    fate: Fate
    tokens: int
    states: list[State] = field(default_factory=list)

    def read(self, states: Iterable[State]) -> None:
        """What stood in the conversation after the question, oldest first."""
        self.states = list(states)
        for state in self.states:
            shown = reach(state.text, self.fate.marker, self.tokens)
            if shown and self.fate.first_visible is None:
                self.fate.first_visible = state.at
            if shown == self.tokens and state.stays and self.fate.complete is None:
                self.fate.complete = state.at

    @property
    def age(self) -> float | None:
        """How long its tokens waited on average to be seen, in seconds; None when it was not seen whole."""
        return self._age([state.at for state in self.states])

    @property
    def age_written(self) -> float | None:
        """The same up to when the write reached the peer: without the peer's own time."""
        return self._age([state.at if state.sent is None else state.sent for state in self.states])

    def _age(self, times: Sequence[float]) -> float | None:
        fate = self.fate
        if fate.first_sent is None or fate.last_sent is None or fate.complete is None:
            return None
        gap = self.seconds / max(self.tokens - 1, 1)
        seen, waited = 0, 0.0
        for state, at in zip(self.states, times, strict=True):
            shown = reach(state.text, fate.marker, self.tokens)
            waited += sum(at - fate.first_sent - gap * token for token in range(seen, shown))
            seen = max(seen, shown)
        return waited / self.tokens

    @property
    def seconds(self) -> float:
        """From its first token to its last."""
        fate = self.fate
        return 0.0 if fate.first_sent is None or fate.last_sent is None else fate.last_sent - fate.first_sent

    @property
    def tail_to_peer(self) -> float | None:
        """Last token sent -> the write with the complete text reached the peer."""
        fate = self.fate
        if fate.last_sent is None or fate.complete is None:
            return None
        for state in self.states:
            if state.at == fate.complete and state.sent is not None:
                return state.sent - fate.last_sent
        return fate.tail


def reach(text: str, marker: str, tokens: int) -> int:
    """How many tokens of an answer a text reaches to: the mock's words are numbered, the marker stands at both ends."""
    words = _WORD.findall(text)
    last = int(words[-1]) if words else 0
    rest = text.rpartition(f"word{last}")[2] if words else text.replace(marker, "", 1)
    if marker in rest and last >= tokens - 2:
        return tokens
    return last + 1 if words or marker in text else 0


@dataclass(slots=True)
class Crowd:
    """The questions of one row."""

    model: MockModel
    questions: list[Question] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def script(self, tokens: Sequence[int], gap: float) -> None:
        """Answers of so many tokens to the questions to come, in their order."""
        first = len(self.questions) + 1
        rules = [{"match": f"qid{at}q", "count": count, "gap": gap} for at, count in enumerate(tokens, first)]
        self.model.script(*rules)

    async def ask(self, site: Site, places: Sequence[int], tokens: Sequence[int]) -> list[Question]:
        """One question in each of the conversations."""
        made = []
        for place, count in zip(places, tokens, strict=True):
            fate = Fate(f"qid{next(self._numbers)}q", place, time.monotonic())
            made.append(Question(site, place, fate, count))
        await site.say([(one.place, f"tell me about {one.fate.marker}") for one in made])
        self.questions += made
        return made

    async def until_complete(self, patience: float) -> int:
        """Look until all are; gives up when nothing has become complete for `patience` s. How many are not."""
        deadline, before = time.monotonic() + patience, len(self.questions) + 1
        while True:
            left = await self._look()
            if left < before:
                deadline, before = time.monotonic() + patience, left
            if not left or time.monotonic() > deadline:
                return left
            await asyncio.sleep(LOOK_SECONDS)  # between two looks: they cost the peers' core something

    def ask_model(self) -> None:
        """Fill in what the model saw."""
        fates = {one.fate.marker: one.fate for one in self.questions}
        for marker, asked, first, last, _ in self.model.marks():
            if marker in fates:
                fate = fates[marker]
                fate.asked, fate.first_sent, fate.last_sent = asked, first, last

    async def _look(self) -> int:
        missing = [one for one in self.questions if one.fate.complete is None]
        for site in {id(one.site): one.site for one in missing}.values():
            places = sorted({one.place for one in missing if one.site is site})
            for at in range(0, len(places), _BATCH):
                batch = places[at : at + _BATCH]
                for place, look in zip(batch, await site.look(batch), strict=True):
                    read([one for one in missing if one.site is site and one.place == place], look)
        return sum(one.fate.complete is None for one in missing)


def read(questions: Sequence[Question], look: Look) -> None:
    """Give each question of a conversation when it was offered and the states between it and the next one."""
    asked = {found[0]: said.at for said in look.said if (found := MARKER.findall(said.text))}
    begins = sorted(asked.values())
    for question in questions:
        begin = asked.get(question.fate.marker)
        if begin is None:
            continue
        question.fate.offered = begin
        end = next((at for at in begins if at > begin), float("inf"))
        question.fate.first_visible = question.fate.complete = None
        question.read(state for state in look.states if begin <= state.at < end)
