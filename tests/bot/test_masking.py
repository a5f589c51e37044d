"""Names taken out of logs in place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.masking import mask_files


def _masked(tmp_path: Path, text: str, *names: str) -> str:
    path = tmp_path / "log"
    path.write_text(text, encoding="utf-8")
    mask_files([path, tmp_path / "gone"], names)
    assert len(path.read_bytes()) == len(text.encode())
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"user":"4711"}', "4711"),
        ('{"conversation":"telegram:main:4711"}', "4711"),
        ('{"conversation":"matrix:main:%40ann%3Aexample.org"}', "@ann:example.org"),
        ('{"error":"no such user 4711."}', "4711"),
        ('{"user":"Zo\u00eb\u4e2d"}', "Zo\u00eb\u4e2d"),
        ('{"user":"a\\"bcd"}', 'a"bcd'),
    ],
)
def test_a_name_is_found_in_every_form(tmp_path: Path, text: str, name: str) -> None:
    masked = _masked(tmp_path, text, name)
    assert "xxxx" in masked
    assert name not in masked
    json.loads(masked)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"input_tokens":4711}', "4711"),
        ('{"user":"47110"}', "4711"),
        ('{"user":"a4711"}', "4711"),
        ('{"rung":"1"}', "1"),
        ('{"rung":"1"}', ""),
    ],
)
def test_what_only_looks_alike_stays(tmp_path: Path, text: str, name: str) -> None:
    assert _masked(tmp_path, text, name) == text


def test_the_longest_name_goes_first(tmp_path: Path) -> None:
    assert _masked(tmp_path, "telegram:main:4711 4711 4712", "4711", "telegram:main:4711") == (
        f"{'x' * 18} xxxx 4712"
    )
