"""What each vendor's wire looks like: how it is asked, what it refuses, how its answers are written."""

from __future__ import annotations

from collections.abc import Mapping

from tests.mock_model.connection import Http
from tests.mock_model.dialects.anthropic import Anthropic
from tests.mock_model.dialects.base import Dialect
from tests.mock_model.dialects.cerebras import Cerebras
from tests.mock_model.dialects.gemini import Gemini
from tests.mock_model.dialects.ollama import Ollama
from tests.mock_model.dialects.openai import OpenAI
from tests.mock_model.dialects.openrouter import OpenRouter
from tests.mock_model.servers import Kind

_OPENAI, _ANTHROPIC, _GEMINI = OpenAI(), Anthropic(), Gemini()
_CHAT: Mapping[Kind, Dialect] = {
    Kind.CEREBRAS: Cerebras(),
    Kind.OPENROUTER: OpenRouter(),
    Kind.OLLAMA: Ollama(),
}

# Asked for without a key, on this server and on theirs.
_OPEN_PATHS = frozenset({"/v1/tcp_warming", "/public/v1/models"})


def spoken(kind: Kind, http: Http) -> tuple[Dialect, bool]:
    """The dialect of a request, and whether it asks for an answer."""
    path, posts = http.path, http.method == "POST"
    if path.endswith("/chat/completions"):
        return _CHAT.get(kind, _OPENAI), posts
    if path.endswith("/v1/messages"):
        return _ANTHROPIC, posts
    if "/v1beta/" in path:
        return _GEMINI, posts and path.endswith((":streamGenerateContent", ":generateContent"))
    if "anthropic-version" in http.headers:
        return _ANTHROPIC, False
    return _CHAT.get(kind, _OPENAI), False


def needs_key(path: str) -> bool:
    """Whether a path that asks for no answer is refused without a key."""
    return path not in _OPEN_PATHS and ("/v1/" in path or "/v1beta/" in path)
