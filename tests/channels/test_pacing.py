from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.capabilities import Operation, WriteBudget
from channels.pacing import RECOVERY, SLOWED, Budgets, EditPacer, Priority
from tests.channels.pacer_report import ROWS, measure

SEND, EDIT, TYPING = Operation.SEND, Operation.EDIT, Operation.TYPING
ALL = frozenset(Operation)


def budget(rate: float = 1.0, burst: int = 3, scope: str = "chat") -> tuple[WriteBudget, ...]:
    return (WriteBudget(scope, ALL, rate, burst),)


def spend(budgets: Budgets, declared: tuple[WriteBudget, ...], times: int, now: float = 0.0) -> None:
    for _ in range(times):
        budgets.take(declared, SEND, now)


def test_an_edit_leaves_the_last_token_to_the_final() -> None:
    budgets, declared = Budgets(), budget(burst=3)
    spend(budgets, declared, 2)
    assert budgets.wait(declared, EDIT, Priority.EDIT, 0.0) == pytest.approx(1.0)
    assert budgets.wait(declared, EDIT, Priority.FINAL, 0.0) == 0.0
    assert budgets.wait(declared, SEND, Priority.FIRST, 0.0) == 0.0


def test_with_a_burst_of_one_an_edit_may_take_the_only_token() -> None:
    assert Budgets().wait(budget(burst=1), EDIT, Priority.EDIT, 0.0) == 0.0


def test_typing_leaves_a_token_to_the_first_text_and_one_to_the_final() -> None:
    budgets, declared = Budgets(), budget(burst=3)
    assert budgets.wait(declared, TYPING, Priority.TYPING, 0.0) == 0.0
    spend(budgets, declared, 1)
    assert budgets.wait(declared, TYPING, Priority.TYPING, 0.0) == pytest.approx(1.0)
    assert Budgets().wait(budget(burst=2), TYPING, Priority.TYPING, 0.0) == math.inf


def test_a_write_has_to_fit_every_budget_that_names_its_operation() -> None:
    budgets = Budgets()
    chat, token = budget(rate=1.0, burst=5, scope="chat"), budget(rate=10.0, burst=1, scope="token")
    only_edits = (WriteBudget("edits", frozenset({EDIT}), 0.1, 1),)
    budgets.take((*token, *only_edits), EDIT, 0.0)
    assert budgets.wait(chat + token, SEND, Priority.FINAL, 0.0) == pytest.approx(0.1)
    assert budgets.wait(chat + only_edits, SEND, Priority.FINAL, 0.0) == 0.0
    assert budgets.wait(chat + only_edits, EDIT, Priority.FINAL, 0.0) == pytest.approx(10.0)


def test_equal_scopes_share_one_bucket() -> None:
    budgets = Budgets()
    spend(budgets, budget(burst=2, scope="one"), 2)
    assert budgets.wait(budget(burst=2, scope="one"), SEND, Priority.FINAL, 0.0) > 0
    assert budgets.wait(budget(burst=2, scope="other"), SEND, Priority.FINAL, 0.0) == 0.0


def test_a_refusal_blocks_its_scope_until_the_time_that_was_asked_for() -> None:
    budgets, declared = Budgets(), budget(burst=5)
    budgets.limited(declared, EDIT, "chat", 30.0, 10.0)
    assert budgets.wait(declared, SEND, Priority.FINAL, 10.0) == pytest.approx(30.0)
    assert budgets.wait(declared, SEND, Priority.FINAL, 39.0) == pytest.approx(1.0)
    assert budgets.wait(declared, SEND, Priority.FINAL, 40.0) == 0.0
    assert budgets.wait(declared, EDIT, Priority.EDIT, 40.0) > 0  # the one token is the final's


def test_a_refusal_without_a_scope_is_laid_to_the_slowest_budget() -> None:
    budgets = Budgets()
    chat, token = budget(rate=1.0, scope="chat"), budget(rate=30.0, burst=30, scope="token")
    budgets.limited(chat + token, SEND, "", 5.0, 0.0)
    assert budgets.wait(token, SEND, Priority.FINAL, 0.0) == 0.0
    assert budgets.wait(chat, SEND, Priority.FINAL, 0.0) == pytest.approx(5.0)


def test_the_learnt_rate_is_slower_after_a_refusal_and_recovers_slowly() -> None:
    budgets, declared = Budgets(), budget(rate=1.0, burst=1)
    budgets.limited(declared, SEND, "chat", 0.0, 0.0)

    def gap(now: float) -> float:
        budgets.take(declared, SEND, now)
        return budgets.wait(declared, SEND, Priority.FINAL, now)

    soon, later = gap(0.001), gap(100.0)
    assert soon == pytest.approx(1 / SLOWED, rel=0.01)
    assert 1.0 < later < soon
    assert gap(0.4 / RECOVERY + 200.0) == pytest.approx(1.0, rel=0.01)


def test_further_refusals_of_the_same_ban_teach_nothing_new() -> None:
    once, often = Budgets(), Budgets()
    declared = budget(rate=1.0, burst=1)
    once.limited(declared, SEND, "chat", 10.0, 0.0)
    for at in (0.0, 1.0, 2.0):
        often.limited(declared, SEND, "chat", 10.0 - at, at)
    for budgets in (once, often):
        budgets.take(declared, SEND, 11.0)
    first, second = (b.wait(declared, SEND, Priority.FINAL, 11.0) for b in (once, often))
    assert first == pytest.approx(second)


def test_writers_that_wait_for_the_same_tokens_get_one_slot_each() -> None:
    budgets, declared = Budgets(), budget(rate=10.0, burst=1)
    spend(budgets, declared, 1)
    slots = [budgets.book(declared, EDIT, Priority.EDIT, 0.0) for _ in range(5)]
    assert slots == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])


def test_a_final_does_not_queue_behind_edits() -> None:
    budgets, declared = Budgets(), budget(rate=10.0, burst=1)
    spend(budgets, declared, 1)
    for _ in range(50):
        budgets.book(declared, EDIT, Priority.EDIT, 0.0)
    assert budgets.book(declared, EDIT, Priority.FINAL, 0.0) == pytest.approx(0.1)


def test_replies_that_share_a_scope_share_its_rate() -> None:
    budgets, declared = Budgets(), budget(rate=30.0, burst=1)
    budgets.take(declared, EDIT, 0.0)
    alone = budgets.gap(declared, EDIT, 0.0)
    for _ in range(60):
        budgets.join(declared, 0.0)
    assert budgets.gap(declared, EDIT, 0.0) == pytest.approx(60 * alone)
    for _ in range(60):
        budgets.leave(declared, 0.0)
    assert budgets.gap(declared, EDIT, 0.0) == pytest.approx(alone)


def test_gaps_grow_while_the_burst_is_spent_and_end_at_the_rate() -> None:
    budgets, declared, pacer = Budgets(), budget(rate=1.0, burst=5), EditPacer()
    now, gaps = 0.0, []
    pacer.wrote(budgets, declared, EDIT, now)
    for _ in range(12):
        gap = 0.0
        while (wait := pacer.wait(budgets, declared, EDIT, Priority.EDIT, now)) > 0:
            gap += wait
            now += wait
        pacer.wrote(budgets, declared, EDIT, now)
        gaps.append(gap)
    assert gaps[0] == pytest.approx(0.25)
    assert gaps == sorted(gaps)
    assert gaps[-1] == pytest.approx(1.0, rel=0.02)


def test_a_bar_holds_up_every_priority() -> None:
    budgets, declared, pacer = Budgets(), budget(), EditPacer()
    pacer.bar(7.0, 100.0)
    assert pacer.wait(budgets, declared, EDIT, Priority.FINAL, 100.0) == pytest.approx(7.0)
    assert pacer.wait(budgets, declared, EDIT, Priority.FINAL, 107.0) == 0.0


def test_the_final_does_not_wait_for_the_gap_of_an_edit() -> None:
    budgets, declared, pacer = Budgets(), budget(rate=0.1, burst=3), EditPacer()
    pacer.wrote(budgets, declared, SEND, 0.0)
    assert pacer.wait(budgets, declared, EDIT, Priority.EDIT, 0.0) > 1
    assert pacer.wait(budgets, declared, EDIT, Priority.FINAL, 0.0) == 0.0


def test_full_buckets_that_nobody_uses_are_forgotten() -> None:
    budgets = Budgets(max_buckets=100)
    for number in range(10_000):
        budgets.take(budget(burst=2, scope=f"chat:{number}"), SEND, float(number))
    assert len(budgets) <= 110


def test_a_bucket_that_is_blocked_or_shared_is_not_forgotten() -> None:
    budgets = Budgets(max_buckets=10)
    blocked, shared = budget(scope="blocked"), budget(rate=1.0, burst=1, scope="shared")
    budgets.limited(blocked, SEND, "blocked", 10_000.0, 0.0)
    budgets.join(shared, 0.0)
    budgets.join(shared, 0.0)
    for number in range(1000):
        budgets.take(budget(burst=2, scope=f"chat:{number}"), SEND, float(number))
    assert budgets.wait(blocked, SEND, Priority.FINAL, 1000.0) == pytest.approx(9000.0)
    budgets.take(shared, EDIT, 1000.0)
    assert budgets.gap(shared, EDIT, 1000.0) == pytest.approx(2.0)


@given(
    st.lists(st.tuples(st.floats(0, 5), st.sampled_from(list(Priority))), max_size=60),
    st.floats(0.1, 20),
    st.integers(1, 8),
)
def test_whoever_waits_as_told_never_overdraws(
    writes: list[tuple[float, Priority]], rate: float, burst: int
) -> None:
    """A strict bucket on the other side, counted at the same times, never runs dry."""
    budgets, declared = Budgets(), budget(rate=rate, burst=burst)
    now, tokens, since = 0.0, float(burst), 0.0
    for pause, priority in writes:
        now += pause
        wait = budgets.wait(declared, EDIT, priority, now)
        if wait == math.inf:
            continue
        now += wait + 1e-9
        tokens, since = min(float(burst), tokens + (now - since) * rate), now
        assert tokens >= 1 - 1e-6
        tokens -= 1
        budgets.take(declared, EDIT, now)


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "burst", "aim"), ROWS)
def test_an_answer_is_hardly_more_stale_than_it_has_to_be(rate: float, burst: int, aim: float) -> None:
    """Slow: sixty whole answers a row, in virtual time."""
    row = measure(rate, burst)
    assert row.ratio <= aim
    assert row.refusals == 0
    if burst >= 2:
        assert row.tail == pytest.approx(0.0, abs=1e-6)
