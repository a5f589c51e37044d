"""Generated events are as many as asked for, on plain and async tests and with fixtures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.generated import EXAMPLES, TIMEOUT, generated


@pytest.fixture
def drawn() -> Iterator[list[int]]:
    kept: list[int] = []
    yield kept
    assert len(kept) == EXAMPLES


@generated
@given(number=st.integers())
async def test_a_generated_test_draws_every_example(drawn: list[int], number: int) -> None:
    drawn.append(number)
    assert isinstance(number, int)


def test_a_generated_test_can_be_chosen_by_its_mark() -> None:
    @generated
    @given(st.integers())
    def example(number: int) -> None: ...

    marks: list[Any] = vars(example)["pytestmark"]
    assert {(mark.name, mark.args) for mark in marks} == {("generated", ()), ("timeout", (TIMEOUT,))}
