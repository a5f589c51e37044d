"""A message that ends the process each time is set aside, and its neighbours are answered all the same."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import pytest

from providers.base import CompletionRequest, Credential, ModelSpec, StreamEvent
from tests.chaos.audit import audit
from tests.chaos.fate import Fate
from tests.chaos.life import Death, Point
from tests.chaos.model import ChaosModel, questions_in
from tests.chaos.world import Planted, World, play

POISON = 2
"""The number of the question."""

NEVER = Death(Point.ROUND, 10**9)


class Poisonous(ChaosModel):
    """Whoever asks it this question is dead."""

    @asynccontextmanager
    async def stream(
        self, model: ModelSpec, request: CompletionRequest, credential: Credential
    ) -> AsyncIterator[AsyncIterator[StreamEvent]]:
        if any(number == POISON for number, _ in questions_in(request)) and self._life.is_alive:
            self._life.was_killed = True
            self._life.kill()
            raise asyncio.CancelledError
        async with super().stream(model, request, credential) as events:
            yield events


def _calm(fate: Fate) -> Fate:
    """Nothing else ends the process, in a crowd that talks over many rooms."""
    return replace(fate, kills=6, messages=14, rooms=8, long_downtime=0.0, model_faults=0.0, disk_faults=0.0)


def _set_aside(world: World) -> set[str]:
    with closing(sqlite3.connect(world.home.database)) as store:
        return {str(key) for (key,) in store.execute("SELECT event_key FROM inbox WHERE state = 'dead'")}


@pytest.mark.slow  # forty worlds with many lives
def test_a_poisonous_message_takes_no_neighbour_along(tmp_path: Path) -> None:
    planted = Planted(model=Poisonous, only=_calm, death=lambda _: NEVER)
    deaths = 0
    for seed in range(40):
        world = play(seed, tmp_path / str(seed), planted)
        question = world.people.questions[POISON]
        if any(each.what == "retry" and each.room == question.room for each in world.people.deeds):
            continue  # it was asked again, by a message that nobody had reason to suspect
        dead = sum(each.was_killed for each in world.lives)
        deaths += dead
        assert not audit(world), "\n".join([*audit(world), *world.story])
        if dead < 4 and not _set_aside(world):
            continue  # nobody said it, or it was taken back; its first end may have come before it was kept
        own = {question.offers[0].event.event_key}
        # What one person said in one breath is answered, and set aside, together.
        together = {
            each.offers[0].event.event_key
            for each in world.people.questions
            if (each.room, each.sender) == (question.room, question.sender)
        }
        assert own <= _set_aside(world) <= together, "\n".join(world.story)
    assert deaths > 80
