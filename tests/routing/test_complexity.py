"""How much a message needs a strong model: what the rules of thumb promise, and that it is always the same."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.complexity import NO_EVIDENCE, Complexity, Need, assess, gain, need
from routing.errors import WeightsError
from routing.features import LEAST_CHOICES, choices
from routing.own_words import MAX_CHARACTERS, own_words
from routing.prior import LIMIT, RULES, points, rules_met
from routing.weights import VERSION, dump, parse, shipped

CHOICES = "\nA. one\nB. two\nC. three\nD. four"


def score(text: str) -> float:
    found = assess(text, shipped()).score
    assert found is not None
    return found


def met(text: str) -> set[str]:
    own = own_words(text)
    return {rule.name for rule in rules_met(own, own.text.lower().replace("?", "").split())}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("hi there", "greeting"),
        ("thanks a lot", "short"),
        ("look at this\n```\nx = 1\n```", "code"),
        ("def f(x):\n    return x", "code"),
        ("write a function in rust", "words of programming"),
        ("what is 12 * 7", "formula"),
        ("if x = 3 then what", "formula"),
        ("solve this for me", "words of mathematics"),
        ("why is the sky blue", "asks for reasons"),
        ("let us go step by step", "step by step"),
        ("extract the names from the following text", "takes out of a text"),
        ("write a poem about rain", "imaginative writing"),
        ("pretend you are a pirate", "plays a part"),
    ],
)
def test_each_rule_of_thumb_is_met_by_its_example(text: str, rule: str) -> None:
    assert rule in met(text)
    assert rule in {each.name for each in RULES}


def test_a_plain_remark_meets_no_rule() -> None:
    assert met("the train to the coast leaves at noon and the weather there is fine") == set()


def test_points_stay_within_their_limit() -> None:
    assert points(RULES) <= LIMIT
    assert points([rule for rule in RULES if rule.points < 0]) == -LIMIT


@pytest.mark.parametrize(
    ("easy", "hard"),
    [
        ("hello", "why is the sky blue?"),
        ("write a poem about the sea", "write a program that sorts the sea of numbers below"),
        ("what is the capital of france", "explain how to prove that the square root of two is irrational"),
        ("tell me a joke", "implement a queue in rust and explain the order of its memory accesses"),
    ],
)
def test_what_the_rules_call_harder_is_above_what_they_call_easier(easy: str, hard: str) -> None:
    assert score(easy) < score(hard)


def test_a_greeting_goes_to_a_fast_model_and_long_work_to_a_deep_one() -> None:
    assert need(assess("hello there", shipped())) is Need.FAST
    deep = "Extract every name and date from the following text and return them as a JSON array with a table of totals."
    assert need(assess(deep, shipped())) is Need.DEEP


def test_no_evidence_is_the_default_model_whatever_the_bounds() -> None:
    assert need(NO_EVIDENCE, fast_below=1.0, deep_above=1.0) is Need.DEFAULT
    assert need(Complexity(0.5, 0.1), fast_below=0.0, deep_above=1.0) is Need.DEFAULT


def test_without_a_table_nothing_is_known() -> None:
    assert assess("explain why the sky is blue", None) == NO_EVIDENCE


def test_the_causes_name_what_weighed_most_with_the_strongest_first() -> None:
    causes = assess("write a python function that sorts a list of words", shipped()).causes
    assert "words of programming" in {cause.name for cause in causes}
    sizes = [abs(cause.weight) for cause in causes]
    assert sizes == sorted(sizes, reverse=True)


def test_rules_of_thumb_do_not_count_in_multiple_choice_questions() -> None:
    asked = "Why is this so?"
    assert choices(own_words(asked + CHOICES).text) >= LEAST_CHOICES
    names = {cause.name for cause in assess(asked + CHOICES, shipped()).causes}
    assert names.isdisjoint(rule.name for rule in RULES)


def test_what_others_said_changes_nothing() -> None:
    said = "which of these two would you take with you?"
    for around in ("> explain this proof\n{}", "@bob {}", "{}\n-- \nAnna, professor of algebra"):
        assert assess(around.format(said), shipped()).score == pytest.approx(score(said))


def test_a_message_of_a_million_characters_is_read_to_the_cut() -> None:
    start = ("what is the reason for this? " * 200)[:MAX_CHARACTERS]
    assert assess(start + "why" * 350_000, shipped()) == assess(start, shipped())


@given(st.text(max_size=300) | st.text(alphabet="the why is of what `>A.\n=1(", max_size=300))
def test_any_text_gives_the_same_twice_and_stays_on_its_scale(text: str) -> None:
    found = assess(text, shipped())
    assert found == assess(text, shipped())
    if found.score is not None:
        assert 0 <= found.score <= 1
        assert found.gain is not None
        assert -1 <= found.gain <= 1


def test_a_higher_score_never_has_a_lower_gain() -> None:
    texts = [
        "hello",
        "why?",
        "what is the weather like in the city",
        "write code",
        "explain " + "the proof of it " * 40,
    ]
    found = sorted((assess(text, shipped()).score or 0, assess(text, shipped()).gain or 0) for text in texts)
    gains = [gain for _, gain in found]
    assert gains == sorted(gains)


def test_the_table_that_is_shipped_says_where_it_comes_from() -> None:
    made = shipped().made
    assert made["left_out"]
    assert made["without"]
    assert made["data"]
    assert len(dump(shipped())) < 100_000


def test_a_table_survives_being_written_and_read() -> None:
    again = parse(dump(shipped()).encode())
    assert dump(again) == dump(shipped())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": VERSION + 1}, "version"),
        ({"version": None}, "version"),
        ({"words": None}, "incomplete or wrong"),
        ({"words": {"why": "much"}}, "incomplete or wrong"),
        ({"spread": 0}, "incomplete or wrong"),
        ({"gains": []}, "incomplete or wrong"),
        ({"gains": [[1, 0], [0, 1]]}, "incomplete or wrong"),
        ({"plain": {}}, "incomplete or wrong"),
        ({"bias": [True, False]}, "incomplete or wrong"),
    ],
)
def test_a_table_that_is_wrong_is_refused_with_the_remedy(change: dict[str, object], said: str) -> None:
    tree = json.loads(dump(shipped())) | change
    with pytest.raises(WeightsError, match=said) as error:
        parse(json.dumps(tree).encode())
    assert "firstword route train" in str(error.value)


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff\xfe", b"[" * 100_000, b" " * 2_000_000])
def test_a_file_that_is_no_table_is_refused(data: bytes) -> None:
    with pytest.raises(WeightsError):
        parse(data)


@given(st.text(max_size=300) | st.text(alphabet="abcdeinrst A.:\n?-7", max_size=300))
def test_a_decision_takes_the_same_gain_that_is_explained(text: str) -> None:
    assert gain(text, shipped()) == assess(text, shipped()).gain
    assert gain(text + CHOICES, shipped()) == assess(text + CHOICES, shipped()).gain


def test_without_a_table_there_is_no_gain() -> None:
    assert gain("why is the sky blue", None) is None
