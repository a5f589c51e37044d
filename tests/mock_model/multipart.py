"""Forms with files, as uploads send them (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a form; a file has a name."""

    name: str
    data: bytes
    filename: str = ""
    mime: str = ""


def parts(content_type: str, raw: bytes) -> dict[str, Part]:
    """The form's fields by name; empty where it is none."""
    found = re.search(r'boundary="?([^";]+)"?', content_type)
    if found is None:
        return {}
    form: dict[str, Part] = {}
    for piece in raw.split(b"--" + found[1].encode())[1:-1]:
        head, _, data = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        part = _part(head.decode("utf-8", "replace"), data.removesuffix(b"\r\n"))
        form[part.name] = part
    return form


def _part(head: str, data: bytes) -> Part:
    name = re.search(r'[; ]name="([^"]*)"', head)
    filename = re.search(r'filename="([^"]*)"', head)
    mime = re.search(r"^content-type:\s*(\S+)", head, re.IGNORECASE | re.MULTILINE)
    return Part(name[1] if name else "", data, filename[1] if filename else "", mime[1] if mime else "")
