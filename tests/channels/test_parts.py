from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from channels.capabilities import LengthUnit
from channels.parts import NEAR, SMALLEST, Part, Plan
from channels.split import measure
from tests.channels.test_split import TEXTS, UNITS, bare
from tests.generated import generated

NO_CLOSING_LINE = "```python\n```\n    indented()\n\n\n```python\n" + "    indented()\n" * 3 + "```python"
CODE = "\n".join(f"line_{number} = {number}" for number in range(40))


def plan_of(
    text: str, limit: int, *, step: int, unit: LengthUnit = LengthUnit.CODE_POINTS
) -> tuple[Plan, list[Part]]:
    """The plan of a text that grew by `step` characters, and every part that was shown on the way."""
    plan = Plan(limit, unit)
    shown: list[Part] = []
    for end in [*range(step, len(text), step), len(text)]:
        plan.grow(text[:end], is_final=False)
        part = plan.open(text[:end], is_final=False)
        shown.extend([part] if part is not None else [])
    plan.grow(text, is_final=True)
    return plan, shown


def whole(plan: Plan, text: str) -> list[str]:
    last = plan.open(text, is_final=True)
    return [part.text for part in plan.closed] + ([last.text] if last is not None else [])


@generated
@example(NO_CLOSING_LINE, 100, 1, LengthUnit.CODE_POINTS)
@given(TEXTS, st.integers(100, 500), st.integers(1, 80), UNITS)
def test_a_text_that_grew_is_whole_in_the_end(text: str, limit: int, step: int, unit: LengthUnit) -> None:
    plan, shown = plan_of(text, limit, step=step, unit=unit)
    parts = whole(plan, text)
    assert bare("\n".join(parts)) == bare(text)
    assert all(measure(part, unit) <= limit for part in parts)
    assert all(measure(part.text, unit) <= limit for part in shown)


@generated
@given(TEXTS, st.integers(100, 500), st.integers(1, 80))
def test_a_boundary_that_was_drawn_stays(text: str, limit: int, step: int) -> None:
    plan = Plan(limit, LengthUnit.CODE_POINTS)
    drawn: list[Part] = []
    for end in [*range(step, len(text), step), len(text)]:
        plan.grow(text[:end], is_final=False)
        assert plan.closed[: len(drawn)] == drawn
        drawn = list(plan.closed)


@generated
@given(TEXTS, st.integers(100, 500), st.integers(1, 80))
def test_parts_follow_each_other_without_gap_or_overlap(text: str, limit: int, step: int) -> None:
    plan, _ = plan_of(text, limit, step=step)
    position = 0
    for part in plan.closed:
        assert not text[position : part.start].strip()
        assert part.end > part.start
        position = part.end


@generated
@given(TEXTS, st.integers(100, 500), st.integers(1, 40))
def test_a_raw_part_only_grows_at_its_end(text: str, limit: int, step: int) -> None:
    """For channels that take nothing back; what was shown is the floor of the next cut."""
    plan = Plan(limit, LengthUnit.CODE_POINTS)
    shown, floor, number = "", 0, 0
    for end in [*range(step, len(text), step), len(text)]:
        plan.grow(text[:end], is_final=False, floor=floor)
        part = (
            plan.closed[number]
            if number < len(plan.closed)
            else plan.open(text[:end], is_final=False, is_raw=True)
        )
        while part is not None:
            assert part.text.startswith(shown)
            shown, floor = part.text, part.end
            if number >= len(plan.closed):
                break
            shown, floor, number = "", 0, number + 1
            part = (
                plan.closed[number]
                if number < len(plan.closed)
                else plan.open(text[:end], is_final=False, is_raw=True)
            )


def test_near_the_limit_the_next_block_goes_into_a_new_message() -> None:
    plan = Plan(1000, LengthUnit.CODE_POINTS)
    first, second = "a" * 900, "b" * 50
    plan.grow(f"{first}\n\n{second}", is_final=False)
    assert [part.text for part in plan.closed] == [first]
    assert len(first) > NEAR * 1000


def test_a_whole_answer_that_fits_is_one_message() -> None:
    plan = Plan(1000, LengthUnit.CODE_POINTS)
    text = f"{'a' * 900}\n\n{'b' * 50}"
    plan.grow(text, is_final=True)
    assert whole(plan, text) == [text]


def test_an_open_fence_is_closed_in_each_part_and_opened_in_the_next() -> None:
    plan, _ = plan_of(f"```python\n{CODE}", 200, step=7)
    parts = whole(plan, f"```python\n{CODE}")
    assert len(parts) > 2
    assert all(part.startswith("```python\n") and part.endswith("\n```") for part in parts)


def test_the_end_of_a_part_tells_how_much_of_the_text_is_in_it() -> None:
    text = f"Some words.\n\n```python\n{CODE}\n```\n\nMore **words [and](http://a.b/c) so** on."
    _, shown = plan_of(text, 200, step=1)
    for part in shown:
        assert bare(text[part.start : part.end]) in bare(part.text)
        assert part.text[-1:].isspace() is False


def test_the_origin_maps_a_place_in_the_part_to_its_place_in_the_text() -> None:
    text = f"  Intro.\n\n```python\n{CODE}\n```"
    plan, _ = plan_of(text, 200, step=5)
    for part in plan.closed:
        for match in re.finditer(r"line_\d+ = \d+", part.text):
            assert text[part.origin + match.start() :].startswith(match.group())


def test_a_part_that_cannot_be_changed_ends_where_it_stands() -> None:
    plan = Plan(400, LengthUnit.CODE_POINTS)
    text = f"```python\n{CODE}\n```"
    seen = text.index("line_5 ")
    plan.fix(0, text, seen, "what stands there")
    plan.grow(text, is_final=True)
    parts = whole(plan, text)
    assert parts[0] == "what stands there"
    assert parts[1].startswith("```python\nline_5 = 5\n")


def test_a_part_that_was_too_long_is_halved_and_so_is_all_that_follows() -> None:
    plan = Plan(1000, LengthUnit.CODE_POINTS)
    text = "Some words here. " * 150
    plan.grow(text, is_final=True)
    first = plan.closed[0].text
    assert plan.narrow(1, len(plan.closed[1].text))
    plan.grow(text, is_final=True)
    parts = whole(plan, text)
    assert parts[0] == first
    assert all(len(part) <= 500 for part in parts[1:])
    assert bare("".join(parts)) == bare(text)


def test_a_part_of_a_few_words_is_not_halved() -> None:
    assert not Plan(1000, LengthUnit.CODE_POINTS).narrow(0, SMALLEST)


def test_whole_blocks_are_found_as_soon_as_the_next_one_begins() -> None:
    plan = Plan(1000, LengthUnit.CODE_POINTS)
    first, second = "First block. " * 20, "Second block. " * 20
    assert plan.block(f"{first}\n\n", 200) is None
    end = plan.block(f"{first}\n\nS", 200)
    assert end == len(first) + 2
    assert plan.block(f"{first}\n\n{second}\n\nT", 200) == len(first) + len(second) + 4
    plan.close_block(f"{first}\n\nS", 200)
    assert [part.text for part in plan.closed] == [first.strip()]


def test_no_block_ends_inside_a_fence_a_list_or_under_a_heading() -> None:
    plan = Plan(2000, LengthUnit.CODE_POINTS)
    assert plan.block(f"```\n{CODE}\n\n{CODE}", 100) is None
    assert plan.block(f"- {'item ' * 60}\n\n- next", 100) is None
    assert plan.block(f"- {'item ' * 60}\n\n  its second paragraph", 100) is None
    assert plan.block(f"{'words ' * 60}\n## Heading\n\nText", 100) is None


def test_a_replaced_text_is_planned_anew() -> None:
    plan, _ = plan_of("Some words. " * 100, 300, step=10)
    plan.reset()
    plan.grow("Short.", is_final=True)
    assert whole(plan, "Short.") == ["Short."]
