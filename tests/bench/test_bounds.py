"""The bounds of a channel's budgets are what they say, and what people saw is read as it was."""

from __future__ import annotations

import pytest

from channels.capabilities import Capabilities, LatencyClass, Operation, Streaming, WriteBudget
from tests.bench import pacer, surfaces
from tests.bench.bounds import Bucket, binding, declared, least
from tests.bench.crowd import Question, reach, read
from tests.bench.sites.base import Look, Said, Site, State
from tests.bench.sites.telegram import Telegram
from tests.bench.talk import Fate

_EDITS = frozenset({Operation.EDIT})
_WRITES = frozenset({Operation.SEND, Operation.EDIT})


def test_a_bucket_that_counts_every_update_has_the_bound_of_the_pacers_row() -> None:
    assert least([Bucket(0.5, 4)], 6.0) == pytest.approx(pacer.least(0.5, 4, 6.0))


def test_the_bucket_that_allows_the_fewest_updates_is_binding() -> None:
    burst, rate = Bucket(0.25, 5), Bucket(1.0, 2)
    assert binding([burst, rate], 2.0) is rate
    assert binding([burst, rate], 10.0) is burst


def test_the_first_send_is_free_where_only_edits_are_counted() -> None:
    budgets = (WriteBudget("edits", _EDITS, 0.5, 2), WriteBudget("chat", _WRITES, 1.0, 3))
    offered = Capabilities(LatencyClass.SEMI_SYNC, Streaming.EDIT, budgets=budgets)
    assert declared(offered) == (Bucket(0.5, 2, free=1), Bucket(1.0, 3, free=0))


def test_the_final_of_a_preview_is_no_update_of_the_stream() -> None:
    budgets = (WriteBudget("drafts", frozenset({Operation.STREAM}), 2.5, 3),)
    offered = Capabilities(LatencyClass.SEMI_SYNC, Streaming.NATIVE, preview=True, budgets=budgets)
    assert declared(offered) == (Bucket(2.5, 3, free=1),)


@pytest.mark.parametrize("ground", [one for grounds in surfaces.GROUNDS.values() for one in grounds])
def test_every_channel_declares_a_budget_for_a_growing_answer(ground: surfaces.Ground) -> None:
    assert declared(ground.offered())


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("Thinking...", 0),
        ("qid7q", 1),
        ("qid7q word1 word2", 3),
        ("word1 word2 word3", 4),
        ("qid7q word1 word2 word3", 4),
        ("word3 qid7q", 5),
        ("qid7q word1 word2 word3 qid7q\n", 5),
    ],
)
def test_a_text_reaches_as_far_as_its_last_word(text: str, tokens: int) -> None:
    assert reach(text, "qid7q", 5) == tokens


def _asked(marker: str) -> Question:
    site: Site = Telegram.__new__(Telegram)
    fate = Fate(marker, 0, 0.0, first_sent=10.0, last_sent=13.0)
    return Question(site, 0, fate, 4)


def test_each_question_of_a_conversation_gets_the_states_between_it_and_the_next() -> None:
    first, second = _asked("qid1q"), _asked("qid2q")
    look = Look(
        (Said(9.0, "tell me about qid1q"), Said(20.0, "tell me about qid2q")),
        (
            State(10.0, "qid1q"),
            State(13.5, "qid1q word1 word2 qid1q", stays=False),
            State(14.0, "qid1q word1 word2 qid1q"),
            State(21.0, "qid2q"),
        ),
    )
    read([first, second], look)
    assert (first.fate.offered, first.fate.first_visible, first.fate.complete) == (9.0, 10.0, 14.0)
    assert (second.fate.offered, second.fate.first_visible, second.fate.complete) == (20.0, 21.0, None)


def test_a_tokens_age_is_the_time_from_its_coming_to_its_being_seen() -> None:
    question = _asked("qid1q")  # its tokens come at 10, 11, 12 and 13
    question.read(
        [
            State(10.5, "qid1q", sent=10.0),
            State(12.5, "qid1q word1 word2", sent=12.0),
            State(13.5, "qid1q word1 word2 qid1q", sent=13.0),
        ]
    )
    assert question.age == pytest.approx((0.5 + 1.5 + 0.5 + 0.5) / 4)
    assert question.age_written == pytest.approx((0.0 + 1.0 + 0.0 + 0.0) / 4)
    assert question.fate.tail == pytest.approx(0.5)
    assert question.tail_to_peer == pytest.approx(0.0)
