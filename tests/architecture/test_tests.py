"""The tests keep their own rules."""

from __future__ import annotations

import ast
import re

from tests.architecture.source import ROOT, expect_none, name, python_files, statements, text

TESTS = python_files("tests")
# Skips that no peer would mend, and why.
MACHINE_BOUND = {"tests/bench/test_rig.py": "the bench reads Linux's /proc"}
# A test's name is a sentence: at least three words.
SENTENCE = re.compile(r"test(_[a-z0-9]+){3,}$")


def test_every_folder_of_tests_is_a_package() -> None:
    """Without its __init__.py, tests/channels would hide the package channels."""
    folders = {path.parent for path in TESTS if path.parent != ROOT}
    assert not [name(folder) for folder in folders if not (folder / "__init__.py").exists()]


def test_the_name_of_a_test_is_a_sentence() -> None:
    short = [
        f"{name(path)}:{node.lineno} {node.name}"
        for path in TESTS
        if path.name.startswith("test_")
        for node in statements(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test")
        and not SENTENCE.match(node.name)
    ]
    expect_none(short, "the name of a test is a sentence")


def test_no_test_replaces_our_own_code() -> None:
    """Clock, chance and clients are arguments, so there is nothing to patch; the environment may be set."""
    patches = ("unittest.mock", "monkeypatch.setattr", "monkeypatch.delattr", "mocker.")
    here = ROOT / "tests" / "architecture" / "test_tests.py"
    found = [
        f"{name(path)}: {word}" for path in TESTS if path != here for word in patches if word in text(path)
    ]
    expect_none(found, "our own code is never patched")


def test_only_a_missing_peer_skips_a_test() -> None:
    """`require_peer` knows when a skip has to be a failure; pytest's own skips do not."""
    allowed = {ROOT / "tests" / "peers.py", ROOT / "tests" / "architecture" / "test_tests.py"}
    words = re.compile(r"pytest\.skip|pytest\.importorskip|mark\.skip")
    found = [
        f"{name(path)}: {hit}" for path in TESTS if path not in allowed for hit in words.findall(text(path))
    ]
    expect_none(found, "use tests.peers.require_peer")
