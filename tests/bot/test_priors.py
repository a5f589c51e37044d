"""What a bench measured, kept for later."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from bot.priors import Prior, measured, quantile, read_priors, write_priors


def test_figures_are_kept_for_their_owner_alone_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "priors.json"
    prior = measured([0.3, 0.1, 0.2], [100.0, 300.0, 200.0], 5.0)
    assert prior == Prior(5.0, 3, 0.2, 0.3, 200.0)
    write_priors(path, {"one/a": prior})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_priors(path) == {"one/a": prior}


def test_no_answer_gives_no_figures(tmp_path: Path) -> None:
    assert measured([], [], 5.0) is None
    path = tmp_path / "priors.json"
    assert read_priors(path) == {}
    path.write_text('{"models": {"one/a": {}}}')
    assert read_priors(path) == {}


@pytest.mark.parametrize(("share", "value"), [(0.0, 1.0), (0.5, 3.0), (0.95, 4.0), (1.0, 4.0)])
def test_a_quantile_is_one_of_the_values(share: float, value: float) -> None:
    assert quantile([4.0, 1.0, 3.0, 2.0], share) == value
