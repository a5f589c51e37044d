"""Learning a table from rows that are made up: what is in them is found, and nothing depends on luck."""

from __future__ import annotations

import json

import pytest

from routing.complexity import assess
from routing.evaluate import apgr
from routing.examples import PAIR, Example, ExamplesError, parse_lines, parse_prompts, question
from routing.features import without_choices
from routing.train import Recipe, TrainingError, train
from routing.weights import dump, parse

HARD = "proof lemma theorem".split()
EASY = "river window garden".split()
AROUND = "what is the use of this in a town where all of them are known".split()


def rows(count: int) -> list[tuple[Example, float]]:
    """Prompts of common words, with one that tells what they are worth."""
    made = []
    for number in range(count):
        is_hard = number % 2 == 0
        word = (HARD if is_hard else EASY)[number // 2 % 3]
        place = number % len(AROUND)
        text = " ".join([*AROUND[place:], word, *AROUND[:place]])
        made.append((Example(text, float(is_hard), "made up"), 1.0))
    return made


def test_words_that_went_with_gain_weigh_more_and_the_order_is_learnt() -> None:
    weights = train(rows(300), Recipe(rules=0.0, length=0.0))
    assert min(weights.words[word] for word in HARD) > max(weights.words[word] for word in EASY)
    unseen = [("which of the two is the theorem here", 1.0), ("which of the two is the garden here", 0.0)]
    scores = [assess(text, weights).score or 0.0 for text, _ in unseen]
    assert apgr(scores, [gain for _, gain in unseen]) == pytest.approx(0.75)


def test_the_same_rows_give_the_same_file() -> None:
    assert dump(train(rows(120), made={"on": "a day"})) == dump(train(rows(120), made={"on": "a day"}))


def test_a_table_that_was_learnt_can_be_read_again() -> None:
    weights = train(rows(120))
    again = parse(dump(weights).encode())
    assert set(again.words) == set(weights.words)
    assert [gain for _, gain in again.gains] == sorted(gain for _, gain in again.gains)


def test_rows_that_teach_nothing_are_refused() -> None:
    with pytest.raises(TrainingError, match="too few"):
        train(rows(10))
    with pytest.raises(TrainingError, match="nothing to learn"):
        train([(Example(each.prompt, 0.0), share) for each, share in rows(60)])


@pytest.mark.parametrize(
    ("row", "names", "gain"),
    [
        ({"prompt": "p", "weak_ok": False, "strong_ok": True}, (None, None), 1.0),
        ({"text": "p", "weak_score": 3, "strong_score": 9.5}, (None, None), 6.5),
        ({"question": "p", "scores": {PAIR[0]: 0.25, PAIR[1]: 1}}, (None, None), 0.75),
        ({"prompt": "p", "scores": {"a": 1, "b": 0, PAIR[0]: 0, PAIR[1]: 0}}, ("a", "b"), -1.0),
        ({"prompt": "p", "small": 0, "large": 1}, ("small", "large"), 1.0),
    ],
)
def test_rows_are_read_as_they_come(
    row: dict[str, object], names: tuple[str | None, str | None], gain: float
) -> None:
    [example] = parse_lines(["", json.dumps(row), "\n"], *names)
    assert (example.prompt, example.gain) == ("p", gain)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 1 is no JSON"),
        ("[]", "line 1 is no JSON object"),
        ("{}", "line 1 has no text"),
        ('{"prompt": 3}', "line 1 has no text"),
        ('{"prompt": "p"}', "does not say how right"),
        ('{"prompt": "p", "weak_ok": null, "strong_ok": true}', "does not say how right"),
        ('{"prompt": "p", "weak_ok": NaN, "strong_ok": true}', "does not say how right"),
    ],
)
def test_a_row_that_is_wrong_is_named(line: str, said: str) -> None:
    with pytest.raises(ExamplesError, match=said):
        list(parse_lines([line]))


def test_two_rows_are_the_same_question_whatever_is_around_it() -> None:
    assert question("Why?\nA. one\nB. two") == question("why")
    assert list(parse_prompts(['{"prompt": "a"}', '{"text": "b"}'])) == ["a", "b"]
    assert without_choices("Why?\nA. one\nB. two") == "Why?"
    assert without_choices("Why?") == "Why?"
