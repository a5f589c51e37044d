"""bot/README.md tells every setting, verb and metric, each as the code has it."""

from __future__ import annotations

import pytest

from bot.settings.shapes import leaves, model_shape
from bot.settings.tree import Tree
from tests.docs.reference import GUIDE, blocks, variables_known, variables_shown, written

TEXT = GUIDE.read_text()


@pytest.mark.parametrize("name", ["room", "settings", "adapters", "verbs", "metrics", "signals"])
def test_a_table_of_the_guide_says_what_the_code_does(name: str) -> None:
    """When this fails: `python -m tests.docs.reference` writes the tables anew."""
    assert written(TEXT)[name] == blocks()[name]


def test_every_setting_has_a_description() -> None:
    assert [path for path, shape in leaves(model_shape(Tree)) if not shape.description] == []


def test_every_setting_of_an_adapter_has_a_description() -> None:
    rows = [line.split(" | ") for line in blocks()["adapters"].splitlines() if line.startswith("| `")]
    assert [row[0] for row in rows if row[-1].strip(" |") == ""] == []


def test_every_variable_that_the_guide_names_sets_something() -> None:
    assert variables_shown(TEXT) - {"FIRSTWORD_A__B"} <= variables_known()
