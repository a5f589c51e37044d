"""Prompts that were read are found again by their longest common beginning, within bounds. Needs no mlx."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from providers.mlx_prefix import MIN_SHARED, Entry, Prefixes, common

LONG = tuple(range(100, 140))


def entry(
    tokens: tuple[int, ...], kept: str = "", size: int = 1, *, model: str = "m", cuts: bool = True
) -> Entry[str]:
    return Entry(model, tokens, kept, size, cuts)


def test_the_longest_common_beginning_wins() -> None:
    prefixes: Prefixes[str] = Prefixes(8, 1000)
    prefixes.put(entry((*LONG[:20], 1, 2), "shorter"))
    prefixes.put(entry((*LONG[:30], 3, 4), "longer"))
    prefixes.put(entry((9,) * 30, "other"))
    hit = prefixes.find("m", LONG)
    assert hit is not None
    assert (hit.entry.kept, hit.shared) == ("longer", 30)


def test_the_last_token_of_a_prompt_is_always_read() -> None:
    prefixes: Prefixes[str] = Prefixes(8, 1000)
    prefixes.put(entry(LONG))
    hit = prefixes.find("m", LONG)
    assert hit is not None
    assert hit.shared == len(LONG) - 1


def test_a_memory_that_cannot_be_cut_serves_only_as_a_whole() -> None:
    prefixes: Prefixes[str] = Prefixes(8, 1000)
    prefixes.put(entry(LONG[:20], cuts=False))
    assert prefixes.find("m", (*LONG[:15], *range(20))) is None
    hit = prefixes.find("m", LONG)
    assert hit is not None
    assert hit.shared == 20


def test_another_model_remembers_nothing_of_it() -> None:
    prefixes: Prefixes[str] = Prefixes(8, 1000)
    prefixes.put(entry(LONG))
    assert prefixes.find("n", LONG) is None
    prefixes.forget("m")
    assert prefixes.find("m", LONG) is None


def test_a_handful_of_tokens_is_not_worth_it() -> None:
    prefixes: Prefixes[str] = Prefixes(8, 1000)
    prefixes.put(entry(LONG[: MIN_SHARED - 1]))
    assert len(prefixes) == 0
    prefixes.put(entry(LONG))
    assert prefixes.find("m", (*LONG[: MIN_SHARED - 1], *range(50))) is None


def test_what_was_used_longest_ago_goes_first() -> None:
    prefixes: Prefixes[str] = Prefixes(2, 1000)
    for number in (1, 2):
        prefixes.put(entry((number,) * 20, str(number)))
    assert prefixes.find("m", (1,) * 21) is not None
    prefixes.put(entry((3,) * 20, "3"))
    assert [each.kept for each in prefixes] == ["1", "3"]


def test_a_longer_prompt_takes_the_place_of_its_own_beginning() -> None:
    prefixes: Prefixes[str] = Prefixes(8, 1000)
    prefixes.put(entry(LONG[:20]))
    prefixes.put(entry(LONG[:30], "longer"))
    prefixes.put(entry(LONG[:30], "same"))
    assert [each.kept for each in prefixes] == ["same"]
    prefixes.put(entry(LONG, "whole", cuts=False))
    assert [each.kept for each in prefixes] == ["same", "whole"]


def test_one_that_is_too_large_alone_drives_nothing_out() -> None:
    prefixes: Prefixes[str] = Prefixes(8, 10)
    prefixes.put(entry(LONG, "kept", 10))
    prefixes.put(entry((1,) * 20, "huge", 11))
    assert [each.kept for each in prefixes] == ["kept"]


@given(st.lists(st.integers(0, 2), max_size=40), st.lists(st.integers(0, 2), max_size=40))
def test_the_common_beginning_is_what_a_plain_count_says(first: list[int], second: list[int]) -> None:
    plain = next(
        (at for at, (a, b) in enumerate(zip(first, second, strict=False)) if a != b),
        min(len(first), len(second)),
    )
    assert common(tuple(first), tuple(second)) == plain


@given(
    st.lists(st.tuples(st.lists(st.integers(0, 1), min_size=1, max_size=30), st.integers(1, 6)), max_size=20)
)
def test_the_bounds_hold_whatever_comes(puts: list[tuple[list[int], int]]) -> None:
    prefixes: Prefixes[str] = Prefixes(3, 12)
    for tokens, size in puts:
        prefixes.put(entry(tuple(tokens), size=size))
        assert len(prefixes) <= 3
        assert prefixes.size <= 12
        hit = prefixes.find("m", tokens)
        assert hit is None or hit.entry.tokens[: hit.shared] == tuple(tokens)[: hit.shared]
