"""What is odd about an address that somebody configured. Pure."""

from __future__ import annotations

import itertools
import re
from urllib.parse import urlsplit

_ENDPOINTS = ("/chat/completions", "/completions", "/responses", "/messages", "/embeddings", "/models")
"""What dialects put behind an address; people paste it from a vendor's example."""

_VERSION = re.compile(r"v\d\w*")


def refusal(url: str) -> str:
    """What would be allowed instead of a URL that is no address of an API; "" where it may be one."""
    parts = urlsplit(url)
    if parts.username or parts.password:
        return "an address without user and password; a key stands in apiKey or in the credentials"
    if parts.query or parts.fragment or url.endswith(("?", "#")):
        return "an address without ? and #; a key stands in apiKey or in the credentials"
    path = parts.path.rstrip("/")
    for endpoint in _ENDPOINTS:
        if path.endswith(endpoint):
            return f"an address that ends before {endpoint}, which every request adds itself"
    return ""


def oddity(path: str) -> str:
    """What may be wrong with a path at which a server has nothing, for the owner; "" where nothing is odd."""
    segments = [segment for segment in path.split("/") if segment]
    for first, second in itertools.pairwise(segments):
        if first == second and _VERSION.fullmatch(first):
            return f"the address says /{first} twice"
    if not any(_VERSION.fullmatch(segment) for segment in segments):
        return "the address may lack /v1 at its end"
    return ""
