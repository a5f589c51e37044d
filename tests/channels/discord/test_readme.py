"""The page of this channel tells every setting, and its invitation asks for what it says."""

from __future__ import annotations

import re
from pathlib import Path

import channels.discord
from bot.settings.shapes import leaves, model_shape
from channels.discord import DiscordSettings

PAGE = (Path(channels.discord.__file__).parent / "README.md").read_text()


def test_every_setting_stands_in_the_table() -> None:
    rows = set(re.findall(r"^\| `([A-Za-z.]+)` \|", PAGE, re.MULTILINE))
    assert {path for path, _ in leaves(model_shape(DiscordSettings))} <= rows


def test_the_invitation_asks_for_the_permissions_that_it_names() -> None:
    """Discord docs, Permissions (2026-11): the bits of the four."""
    names = {
        "View Channels": 10,
        "Send Messages": 11,
        "Read Message History": 16,
        "Send Messages in\n   Threads": 38,
    }
    assert all(name in PAGE for name in names)
    (asked,) = re.findall(r"permissions=(\d+)", PAGE)
    assert int(asked) == sum(1 << bit for bit in names.values())
