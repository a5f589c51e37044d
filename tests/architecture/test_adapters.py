"""Every channel's folder has the same shape, so that who has read one finds everything in the next."""

from __future__ import annotations

import ast
import importlib

import pytest
from pydantic import BaseModel

from channels.base import ChannelSpec
from providers.base import ProviderSpec
from tests.architecture.source import ROOT, entry_points, name, tree

CHANNELS = entry_points("firstword.channels")
PROVIDERS = entry_points("firstword.providers")
SHAPE = ("__init__.py", "settings.py", "parse.py", "render.py", "channel.py")

# A file that an adapter honestly does not need, and why.
EXEMPT: dict[tuple[str, str], str] = {}


def test_every_channel_folder_is_registered() -> None:
    folders = {path.parent for path in (ROOT / "channels").glob("*/__init__.py")}
    assert {name(folder).replace("/", ".") for folder in folders} == set(CHANNELS.values())


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_channels_folder_has_the_usual_files(channel: str) -> None:
    folder = ROOT / CHANNELS[channel].replace(".", "/")
    assert not [file for file in SHAPE if not (folder / file).is_file() and (channel, file) not in EXEMPT]


def test_an_exemption_is_still_needed() -> None:
    assert not [
        (channel, file)
        for channel, file in EXEMPT
        if (ROOT / CHANNELS[channel].replace(".", "/") / file).exists()
    ]


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_channels_spec_agrees_with_its_entry_point(channel: str) -> None:
    spec = importlib.import_module(CHANNELS[channel]).SPEC
    assert isinstance(spec, ChannelSpec)
    assert spec.name == channel
    assert issubclass(spec.settings, BaseModel)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_providers_spec_agrees_with_its_entry_point(provider: str) -> None:
    spec = importlib.import_module(PROVIDERS[provider]).SPEC
    assert isinstance(spec, ProviderSpec)
    assert spec.name == provider
    assert issubclass(spec.settings, BaseModel)


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("file", ["parse.py", "render.py"])
def test_parsing_and_rendering_are_plain_functions(channel: str, file: str) -> None:
    path = ROOT / CHANNELS[channel].replace(".", "/") / file
    if (channel, file) in EXEMPT:
        return
    waiting = [node for node in ast.walk(tree(path)) if isinstance(node, ast.AsyncFunctionDef | ast.Await)]
    assert not waiting


@pytest.mark.parametrize("channel", CHANNELS)
def test_what_a_channel_parses_is_also_generated(channel: str) -> None:
    """`make chaos` finds these tests by their mark (tests/generated.py)."""
    tests = (ROOT / "tests" / "channels" / channel).rglob("test_*.py")
    assert [name(path) for path in tests if "\n@generated\n@given" in path.read_text()]
