"""One loaded model, stepped by hand: what each step does is counted here, not timed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from providers.base import FinishReason
from providers.mlx_engine import Engine, Read, Run
from providers.mlx_fit import GB
from providers.mlx_prefix import Prefixes
from providers.mlx_runtime import Loaded, library

PIECE = 32


@pytest.fixture
def engine(shelf: Path) -> Iterator[Engine]:
    prefixes: Prefixes[Read] = Prefixes(8, GB)
    loaded = Loaded(library(), shelf / "random", None)
    made = Engine("random", loaded, prefixes, parallel=4, prefill_step=PIECE, draft_tokens=3)
    yield made
    made.close()


def prompt(engine: Engine, text: str) -> tuple[int, ...]:
    return engine.loaded.encode([{"role": "user", "content": text}], goes_on=False, thinks=False)


def test_each_step_makes_one_token_for_each_answer(engine: Engine) -> None:
    runs = [Run(prompt(engine, f"question {number}"), 6) for number in range(3)]
    for run in runs:
        engine.start(run)
    while len(engine):
        before = [run.produced for run in runs]
        steps = engine.step()
        after = [run.produced for run in runs]
        assert all(0 <= now - then <= 1 for then, now in zip(before, after, strict=True))
        assert len(steps) == sum(after) - sum(before)
    assert [run.produced for run in runs] == [6, 6, 6]


def test_of_an_answer_that_was_dropped_no_further_step_makes_a_token(engine: Engine) -> None:
    runs = [Run(prompt(engine, f"question {number}"), 12) for number in range(3)]
    for run in runs:
        engine.start(run)
    while runs[1].produced < 4:
        engine.step()
    engine.drop(runs[1])
    ends = [step for _ in range(40) for step in engine.step() if step.end is not None]
    assert [run.produced for run in runs] == [12, 4, 12]
    assert [step.end for step in ends] == [FinishReason.LENGTH] * 2


@pytest.mark.parametrize("draws_near", [1, 2, 3])
def test_a_prompt_is_read_in_pieces_and_dropped_between_two(engine: Engine, draws_near: int) -> None:
    """What had been read by then is remembered, and nothing beyond."""
    tokens = prompt(engine, "the lazy dog and the quick brown fox " * 30)
    assert len(tokens) > 5 * PIECE
    run = Run(tokens, 0)  # reads alone
    engine.start(run)
    for _ in range(draws_near):
        assert engine.step() == []
    engine.drop(run)
    assert len(engine) == 0
    again = Run(tokens, 1)
    engine.start(again)
    assert again.cached == draws_near * PIECE


def test_an_answer_joins_at_any_step(engine: Engine) -> None:
    first = Run(prompt(engine, "hello"), 30)
    engine.start(first)
    while first.produced < 5:
        engine.step()
    second = Run(prompt(engine, "me too"), 3)
    engine.start(second)
    while second.produced < 3:
        engine.step()
    assert 5 < first.produced < 15
    assert len(engine) == 1


def test_after_an_error_nothing_half_written_is_used(engine: Engine) -> None:
    engine.start(Run(prompt(engine, "hello there, this is a question"), 5))
    engine.step()
    engine.reset()
    assert len(engine) == 0
    run = Run(prompt(engine, "hello there, this is a question"), 2)
    engine.start(run)
    assert run.cached == 0
    while len(engine):
        engine.step()
    assert run.produced == 2
