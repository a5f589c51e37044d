"""Who asks a model in the rows `providers` and `streams1000`: every provider, and bare httpx with the same bytes.

An asker says when the first text was there and reads the answer to its end. The bare ones send again what a provider
of the same dialect sent, read events with a split and a JSON parse, and do nothing else: no request is made up, no
error told, nothing scrubbed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from providers import models
from providers.base import CompletionRequest, Credential, ModelSettings, PromptMessage, Role, TextDelta
from tests.bench.askers_here import has_mlx, mlx_alone, settings_of, short

if TYPE_CHECKING:
    import httpx

Ask = Callable[[str, Callable[[], None]], Awaitable[None]]
"""Ask this question; call back when the first text is there; return when the answer was read to its end."""

QUESTION = "And now say a few words of it."
HELD = "And now say the words that are held."
"""The same, of an answer that the model holds after its first word."""

_SECRET = "a-key-of-the-bench-12345"
_NOT_SENT_AGAIN = frozenset({"host", "content-length", "transfer-encoding", "connection"})


@dataclass(frozen=True, slots=True)
class Client:
    """One row of the table. `family`: whose bare bytes it is compared with; "": there is nothing to compare with.

    `kind`: of the mock model that it asks; "": its model runs in its own process. `module`, `name` and `model`: of a
    provider. `bare`: "library" alone (httpx with its own pool, mlx_lm), or "pool", which is httpx over ours.
    """

    key: str
    title: str
    family: str
    kind: str = "openai"
    module: str = ""
    name: str = ""
    model: str = ""
    path: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    bare: str = ""


_CHAT, _CLAUDE, _GEMINI = "chat completions", "Messages", "generateContent"


def _bare(family: str, key: str) -> tuple[Client, ...]:
    return (
        Client(f"{key}_httpx", f"bare httpx, {family}", family, bare="library"),
        Client(f"{key}_pool", "  the same over our pool", family, bare="pool"),
    )


def _claude(transport: str) -> Client:
    return Client(
        f"anthropic_{transport}",
        f"anthropic, {transport}",
        _CLAUDE,
        module="providers.anthropic",
        name="anthropic",
        model="claude-haiku-5-5",
        settings={"transport": transport},
    )


def _cerebras(transport: str) -> Client:
    return Client(
        f"cerebras_{transport}",
        f"cerebras, {transport}",
        _CHAT,
        kind="cerebras",
        module="providers.cerebras",
        name="cerebras",
        model="gpt-oss-120b",
        path="/v1",
        settings={"transport": transport},
    )


def _mlx() -> tuple[Client, ...]:
    return (
        Client("mlx_lm", "mlx_lm alone, in its process", "mlx", kind="", bare="library"),
        Client(
            "mlx", "mlx, in its process", "mlx", kind="", module="providers.mlx", name="mlx", model="says"
        ),
    )


CLIENTS: tuple[Client, ...] = (
    *_bare(_CHAT, "chat"),
    Client(
        "openai",
        "openai_compatible",
        _CHAT,
        module="providers.openai_compatible",
        name="mock",
        model="m",
        path="/v1",
    ),
    _cerebras("http"),
    _cerebras("sdk"),
    *_bare(_CLAUDE, "messages"),
    _claude("http"),
    _claude("sdk"),
    *_bare(_GEMINI, "gemini"),
    Client("gemini", "gemini", _GEMINI, module="providers.gemini", name="gemini", model="gemini-3.8-flash"),
    Client("demo", "demo, in its process", "", kind="", module="providers.demo", name="demo", model="demo"),
    *(_mlx() if has_mlx() else ()),
)
BY_KEY: Mapping[str, Client] = {one.key: one for one in CLIENTS}


@cache
def request(question: str) -> CompletionRequest:
    """A conversation of some turns, about 7 KB: what a bot asks day in, day out."""
    messages = [
        PromptMessage(
            Role.SYSTEM, "You are a helpful bot. Be brief and kind, and say what you do not know. " * 20
        )
    ]
    for number in range(10):
        messages.append(PromptMessage(Role.USER, f"What about the {number}th thing? " * 6))
        messages.append(PromptMessage(Role.ASSISTANT, f"Of the {number}th thing I know this and that. " * 6))
    stable = len(messages)
    return CompletionRequest(
        (*messages, PromptMessage(Role.USER, question)), conversation="c-bench", stable=stable
    )


@asynccontextmanager
async def opened(client: Client, root_url: str, sent: Mapping[str, Any] | None) -> AsyncIterator[Ask]:
    """The asker, warmed as the daemon warms it. `sent`: the record of a request, for the bare ones to send again."""
    from providers.http import Pools

    async with Pools(trust_env=False) as pools:
        if client.bare and not client.kind:
            async with mlx_alone() as ask:
                yield ask
            return
        if client.bare:
            assert sent is not None
            if client.bare == "pool":
                yield _again(pools(root_url), root_url, sent)
                return
            async with _plain() as http:
                yield _again(http, root_url, sent)
            return
        async with _provider(client, root_url, pools) as ask:
            yield ask


@asynccontextmanager
async def _provider(client: Client, root_url: str, pools: Any) -> AsyncIterator[Ask]:
    from pydantic import SecretStr

    spec = import_module(client.module).SPEC
    make = request if client.kind else short
    model = models.describe(client.name, ModelSettings(client.model))
    credential = Credential(f"{client.name}:bench", SecretStr(_SECRET))
    with _settings(client, root_url) as given:
        provider = spec.open(client.name, spec.settings.model_validate(given), pools)
        await provider.warm()

        async def ask(question: str, on_first: Callable[[], None]) -> None:
            has_text = False
            async with provider.stream(model, make(question), credential) as events:
                async for event in events:
                    if not has_text and isinstance(event, TextDelta):
                        has_text = True
                        on_first()

        try:
            yield ask
        finally:
            await provider.aclose()


def _settings(client: Client, root_url: str) -> AbstractContextManager[Mapping[str, Any]]:
    if not client.kind:
        return settings_of(client.name)
    return nullcontext({**client.settings, "baseUrl": f"{root_url}{client.path}"})


def _plain() -> httpx.AsyncClient:
    """httpx as one would set it up who knows it: no limit of connections, and kept as long as ours."""
    import httpx

    from providers.http import KEEP_ALIVE

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=KEEP_ALIVE)
    return httpx.AsyncClient(limits=limits, timeout=None, trust_env=False)


def _again(http: Any, root_url: str, sent: Mapping[str, Any]) -> Ask:
    """Sends a recorded request again, with another question in it."""
    import httpx
    import orjson

    url = httpx.URL(f"{root_url}{sent['path']}", params=sent["query"] or None)
    headers = {name: value for name, value in sent["headers"].items() if name not in _NOT_SENT_AGAIN}
    content = orjson.dumps(sent["body"])
    text_of = _TEXT[next(end for end in _TEXT if sent["path"].endswith(end))]

    async def ask(question: str, on_first: Callable[[], None]) -> None:
        body = content.replace(QUESTION.encode(), question.encode())
        has_text, rest = False, b""
        async with http.stream("POST", url, headers=headers, content=body) as response:
            assert response.status_code == 200, await response.aread()
            async for chunk in response.aiter_raw():
                *events, rest = (rest + chunk).split(b"\n\n")
                for event in events:
                    data = event.rpartition(b"data: ")[2]
                    if data == b"[DONE]" or not data.startswith(b"{"):
                        continue
                    if text_of(orjson.loads(data)) and not has_text:
                        has_text = True
                        on_first()

    return ask


def _chat_text(data: Any) -> str:
    return str(data["choices"][0]["delta"].get("content") or "") if data.get("choices") else ""


def _claude_text(data: Any) -> str:
    return str(data["delta"].get("text") or "") if data["type"] == "content_block_delta" else ""


def _gemini_text(data: Any) -> str:
    parts = data["candidates"][0].get("content", {}).get("parts", ()) if data.get("candidates") else ()
    return "".join(part.get("text", "") for part in parts)


_TEXT: Mapping[str, Callable[[Any], str]] = {
    "/chat/completions": _chat_text,
    "/v1/messages": _claude_text,
    ":streamGenerateContent": _gemini_text,
}
