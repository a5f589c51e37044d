"""What channels/README.md promises for each channel is what its adapter declares, on every surface."""

from __future__ import annotations

import re
from importlib.metadata import entry_points

import pytest

from tests.bot.cli.terminal import ROOT, Terminal

_ROW = re.compile(r"^\| `(\w+)` \| (A|B|none) \| .+ \|$", re.MULTILINE)

PROMISED = dict(_ROW.findall((ROOT / "channels" / "README.md").read_text()))


def test_every_channel_of_ours_has_a_promise() -> None:
    own = {
        each.name for each in entry_points(group="firstword.channels") if each.value.startswith("channels.")
    }
    assert set(PROMISED) == own


@pytest.mark.parametrize("channel", sorted(PROMISED))
def test_a_channel_declares_what_is_promised_for_it(terminal: Terminal, channel: str) -> None:
    (found,) = terminal.run("--json", "channels", "capabilities", channel).data["channels"]
    assert found["surfaces"]
    declared = {surface: each["promise"] for surface, each in found["surfaces"].items()}
    assert declared == dict.fromkeys(declared, PROMISED[channel])
