"""Two bots that answer each other, and people who write fast."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.loops import MAX_REMEMBERED, REFLEX, SILENCE, TURNS, TYPING, Loops, Pace


def exchange(loops: Loops, *, after: float, length: int, times: int, now: float = 0.0) -> list[Pace]:
    """What each message is taken for of somebody who writes so long after each answer of ours."""
    found = []
    for _ in range(times):
        found.append(loops.said("c", "s", length, now))
        loops.answered("c", now + 1.0)
        now += 1.0 + after
    return found


def test_the_eleventh_message_of_a_bot_is_the_last_that_is_looked_at() -> None:
    found = exchange(Loops(), after=0.5, length=20, times=15)
    assert found == [*[Pace.PERSON] * TURNS, Pace.LOOP, *[Pace.SILENCED] * 4]


def test_a_bot_that_takes_its_time_is_known_by_how_much_it_writes() -> None:
    """A model behind it needs seconds, and then says more than anybody types in them."""
    assert Pace.LOOP in exchange(Loops(), after=5.0, length=int(5.0 * TYPING) + 1, times=TURNS + 1)


@given(st.floats(REFLEX + 0.01, 60.0), st.integers(1, 40))
def test_nobody_is_silenced_who_types_no_faster_than_people_do(after: float, times: int) -> None:
    length = int(after * 12)  # characters a second of the fastest typists
    assert set(exchange(Loops(), after=after, length=length, times=times)) == {Pace.PERSON}


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_one_answer_that_is_read_begins_the_count_anew(instant: list[bool]) -> None:
    loops, now, run = Loops(), 0.0, 0
    loops.answered("c", now)
    for is_instant in instant:
        now += 0.1 if is_instant else REFLEX + 5.0
        run = run + 1 if is_instant else 0
        found = loops.said("c", "s", 3, now)
        if run == TURNS:
            assert found is Pace.LOOP
            return
        assert found is Pace.PERSON
        loops.answered("c", now)


def test_what_is_said_while_an_answer_runs_counts_neither_way() -> None:
    loops = Loops()
    for number in range(100):
        assert loops.said("c", "s", 5, number * 0.01) is Pace.PERSON


def test_a_bot_that_answers_the_first_words_that_it_sees_is_known_by_them() -> None:
    """Where answers grow, another bot hears of the first text and says something before the last stands there."""
    loops, found = Loops(), []
    for number in range(TURNS + 1):
        now = number * 10.0
        found.append(loops.said("c", "s", 20, now + 0.5, shown_at=now))
        loops.answered("c", now + 5.0)
    assert found == [*[Pace.PERSON] * (TURNS - 1), Pace.LOOP, Pace.SILENCED]


def test_of_what_is_said_beside_an_answer_that_grows_the_first_counts_and_later_reading_undoes_it() -> None:
    """People send a second line as the answer to the first begins, and a third; what they read ends the count."""
    loops = Loops()
    for number in range(TURNS * 3):
        now = number * 60.0
        for after in (0.3, 0.6, 0.9):
            assert loops.said("c", "s", 30, now + after, shown_at=now) is Pace.PERSON
        loops.answered("c", now + 5.0)
        assert loops.said("c", "s", 30, now + 20.0) is Pace.PERSON


def test_silence_is_for_one_sender_in_one_place_and_ends() -> None:
    loops = Loops()
    exchange(loops, after=0.1, length=5, times=TURNS + 1)
    now = (TURNS + 1) * 1.1
    assert loops.said("c", "s", 5, now) is Pace.SILENCED
    assert loops.said("c", "another", 5, now) is Pace.PERSON
    assert loops.said("elsewhere", "s", 5, now) is Pace.PERSON
    assert loops.said("c", "s", 5, now + SILENCE) is Pace.PERSON


def test_a_crowd_is_forgotten_from_its_oldest_on() -> None:
    loops = Loops()
    for number in range(MAX_REMEMBERED + 10):
        loops.answered(str(number), 0.0)
        loops.said(str(number), "s", 5, 0.0)
    assert len(loops._streaks) <= MAX_REMEMBERED  # noqa: SLF001 - its bound
    for number in range(MAX_REMEMBERED + 10):
        loops.answered(str(number), 0.0)
    assert len(loops._answered) <= MAX_REMEMBERED  # noqa: SLF001 - its bound
