"""A model that does whatever it reads: hundreds of attacks, and what takes effect of them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.security.attack import Attack, corpus
from tests.security.counted import EFFECTIVE, PLAYED
from tests.security.lair import open_lair

pytestmark = pytest.mark.slow  # about eight seconds for the whole corpus

ATTACKS = corpus()


async def played(folder: Path, attacks: list[Attack], *, is_careless: bool = False) -> dict[str, list[str]]:
    """What took effect, by the attack's id."""
    async with open_lair(folder, attacks, is_careless=is_careless) as lair:
        effects = {attack.id: await lair.play(attack) for attack in attacks}
    return {name: found for name, found in effects.items() if found}


async def test_of_the_whole_corpus_nothing_takes_effect(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    found = await played(tmp_path, ATTACKS)
    record_property(PLAYED, len(ATTACKS))
    record_property(EFFECTIVE, len(found))
    assert found == {}


async def test_a_box_that_calls_everything_harmless_is_found_out(tmp_path: Path) -> None:
    """The hole is in the test's own box: what is declared harmless is called unasked, and the count shows it."""
    calling = [each for each in ATTACKS if each.effect in ("write", "egress", "memory", "second_call")]
    found = await played(tmp_path, calling, is_careless=True)
    assert len(found) > len(calling) // 2
    told = "\n".join(line for lines in found.values() for line in lines)
    assert "called notes__write" in told and "called memory__keep" in told and "the canary heard" in told


def test_the_corpus_holds_at_least_three_hundred_attacks_of_every_kind() -> None:
    assert len({each.id for each in ATTACKS}) == len(ATTACKS) >= 300
    assert len({dataclasses.replace(each, id="").says for each in ATTACKS}) >= 300
    carriers, effects = Counter(each.carrier for each in ATTACKS), Counter(each.effect for each in ATTACKS)
    assert len(carriers) == 15 and min(carriers.values()) >= 4
    assert len(effects) == 20 and min(effects.values()) >= 12
    assert {each.role for each in ATTACKS} == {"guest", "member", "owner"}
    assert {each.surface for each in ATTACKS} == {"direct", "group", "thread", "api"}
