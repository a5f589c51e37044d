"""Plug-ins are listed without importing; a broken one is one sentence; a foreign package in our place is seen."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
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


def install(folder: Path, name: str, **noted: str) -> None:
    """What an installer notes of a distribution; a file `x_txt` is called x.txt."""
    place = folder / f"{name}-1.0.dist-info"
    place.mkdir()
    (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    for file, text in noted.items():
        (place / file.replace("_txt", ".txt")).write_text(text)


def test_a_package_that_also_writes_into_ours_is_named(tmp_path: Path) -> None:
    install(tmp_path, "firstword", RECORD="bot/__init__.py,,\nchannels/base.py,,\n")
    install(tmp_path, "channels", RECORD="channels-1.0.dist-info/METADATA,,\nchannels/db.py,sha256=x,9\n")
    install(tmp_path, "lone", RECORD="a.py,,\nrouting.py,,\n")
    install(tmp_path, "old", top_level_txt="providers\n_old\n")
    install(tmp_path, "near", RECORD="botany/__init__.py,,\nmy/bot/x.py,,\n", top_level_txt="\n")
    sentences = collisions(distributions(path=[str(tmp_path)]))
    assert [text.partition(";")[0] for text in sentences] == [
        f"the package {name!r} in this environment is also written by {owner}"
        for name, owner in (("channels", "channels"), ("routing", "lone"), ("providers", "old"))
    ]
    assert all("environment of its own" in text for text in sentences)
