"""The locks pin everything, agree with each other, and name no index."""

from __future__ import annotations

import re

import pytest

from tests.architecture.source import ROOT, pyproject, text

LOCKS = ("base", "dev", "all", "bootstrap", "synapse", "fuzz")
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)
OWN_EXTRA = re.compile(r"^firstword\[([a-z0-9-]+)\]")
REQUIREMENT = re.compile(r"^[A-Za-z0-9._-]+")


def lock(which: str) -> str:
    return text(ROOT / "deploy" / "locks" / f"{which}.txt")


def pins(which: str) -> dict[str, set[str]]:
    """Project name to its pinned versions (two where platforms differ)."""
    found: dict[str, set[str]] = {}
    for project, version in PIN.findall(lock(which)):
        found.setdefault(project, set()).add(version)
    return found


def normal(requirement: str) -> str:
    found = REQUIREMENT.match(requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()


@pytest.mark.parametrize("which", LOCKS)
def test_every_pin_carries_hashes(which: str) -> None:
    entries = re.split(r"^(?=[a-z0-9])", lock(which), flags=re.MULTILINE)[1:]
    assert entries
    assert not [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry]


@pytest.mark.parametrize("which", LOCKS)
def test_a_lock_names_no_index(which: str) -> None:
    assert "://" not in lock(which)
    assert "--index" not in lock(which)


@pytest.mark.parametrize("which", ["base", "dev", "bootstrap"])
def test_a_lock_agrees_with_the_largest_one(which: str) -> None:
    everything = pins("all")
    assert not {
        project: versions
        for project, versions in pins(which).items()
        if not versions <= everything.get(project, set())
    }


def test_the_base_lock_holds_every_base_dependency_and_no_test_tool() -> None:
    base = pins("base")
    assert not [need for need in pyproject()["project"]["dependencies"] if normal(need) not in base]
    assert not {"pytest", "mypy", "ruff", "hypothesis", "playwright", "mlx-lm"} & set(base)


def test_the_test_lock_holds_base_and_tools() -> None:
    dev = pins("dev")
    assert pins("base").keys() <= dev.keys()
    extras = pyproject()["project"]["optional-dependencies"]
    tools = [need for need in extras["test"] if not need.startswith("firstword[")]
    named = [name for need in extras["test"] for name in OWN_EXTRA.findall(need)]
    needed = [*tools, *(need for name in named for need in extras[name])]
    assert not [need for need in needed if normal(need) not in dev]


def test_every_dependency_says_why_it_is_there() -> None:
    block = text(ROOT / "pyproject.toml").partition("\ndependencies = [")[2].partition("\n]")[0]
    lines = [line for line in block.splitlines() if line.strip().startswith('"')]
    assert len(lines) == len(pyproject()["project"]["dependencies"])
    assert not [line for line in lines if "#" not in line]
