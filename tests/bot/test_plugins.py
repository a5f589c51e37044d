"""Plug-ins are listed without importing; a broken one is one sentence; a foreign package in our place is seen."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from bot.plugins import CHANNEL_GROUP, PluginError, collisions, discover
from tests.bot.settings.places import HERE, plugins


def found(*points: EntryPoint) -> Any:
    """A look-up that knows these entry points."""
    return lambda group: [each for each in points if each.group == group]


def test_our_own_adapters_are_found() -> None:
    found_here = discover()
    assert {"web", "console", "telegram"} <= set(found_here.channels)
    assert {"openai_compatible", "demo"} <= set(found_here.providers)
    assert found_here.channel("web").name == "web"
    assert found_here.provider("demo").name == "demo"


def test_listing_imports_no_adapter() -> None:
    code = (
        "import sys; from bot.plugins import discover; discover();"
        "print([name for name in sys.modules if name.split('.')[0] in ('channels', 'providers', 'pydantic')])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("name", "target", "says"),
    [
        ("gone", "no.such.module:SPEC", "cannot be imported: ModuleNotFoundError"),
        ("gone", f"{HERE}:MISSING", "cannot be imported: AttributeError"),
        ("wrong", f"{HERE}:WRONG", "is a str, not a ChannelSpec"),
        ("other", f"{HERE}:RADIO", "calls itself 'radio'"),
    ],
)
def test_a_plug_in_that_cannot_be_used_says_why_in_one_sentence(name: str, target: str, says: str) -> None:
    table = discover(found(EntryPoint(name, target, CHANNEL_GROUP)))
    with pytest.raises(PluginError) as caught:
        table.channel(name)
    assert says in str(caught.value)
    assert target in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_broken_plug_in_leaves_the_others_usable() -> None:
    table = plugins(broken=True)
    with pytest.raises(PluginError):
        table.channel("ruin")
    assert table.channel("radio").title == "Radio"


def test_an_environment_of_our_own_has_no_collision() -> None:
    assert collisions() == ()


def test_a_package_that_also_writes_into_ours_is_named() -> None:
    owners = {"bot": ["firstword"], "channels": ["firstword", "channels"], "routing": ["firstword"]}
    [sentence] = collisions(owners)
    assert "'channels'" in sentence
    assert "written by channels" in sentence
    assert "environment of its own" in sentence
