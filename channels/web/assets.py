"""The page's own files, read once and served from memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it goes over the wire; `etag` changes with its content."""

    body: bytes
    content_type: str
    etag: str


def load_assets() -> dict[str, Asset]:
    """Every file of the folder `page` by its name. Reads from disk; nothing else can be asked for."""
    assets: dict[str, Asset] = {}
    for entry in files("channels.web").joinpath("page").iterdir():
        content_type = _TYPES.get(entry.name.rpartition(".")[2])
        if content_type is not None and entry.is_file():
            assets[entry.name] = _asset(entry.read_bytes(), content_type)
    return assets


def wrong_token_page(login: Asset) -> Asset:
    """The page that asks for the token, with the line that says the last one was wrong."""
    return _asset(
        login.body.replace(b'<p id="wrong" hidden>', b'<p id="wrong" role="alert">'), login.content_type
    )


def _asset(body: bytes, content_type: str) -> Asset:
    return Asset(body, content_type, f'"{hashlib.sha256(body).hexdigest()[:20]}"')
