"""What a failed answer means: status and body to one closed kind, and a detail that is safe to log. Pure.

Providers differ in their error bodies, so the kind comes from the status first and is made more precise by the
body's code, type and words. Nothing here looks at exceptions of a library.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import orjson

from providers.addresses import oddity
from providers.errors import ErrorKind, ProviderError
from providers.privacy import WINDOW, redact

RETRY_AFTER_RANGE = (1.0, 600.0)
"""Seconds. Less would hammer the provider; more would take its word for a lost evening."""

DETAIL_CHARS = 300

_STATUS: Mapping[int, ErrorKind] = {
    400: ErrorKind.BAD_REQUEST,
    401: ErrorKind.AUTH,
    402: ErrorKind.QUOTA,
    403: ErrorKind.PERMISSION,
    404: ErrorKind.MALFORMED,  # a path that is not there; a model that is not there is told by the body
    405: ErrorKind.MALFORMED,
    407: ErrorKind.CONNECT,  # a proxy that wants a password: the request did not get through
    408: ErrorKind.SERVER,
    409: ErrorKind.SERVER,
    410: ErrorKind.MODEL_GONE,
    413: ErrorKind.TOO_LARGE,
    422: ErrorKind.BAD_REQUEST,
    425: ErrorKind.SERVER,
    429: ErrorKind.RATE_LIMIT,
    503: ErrorKind.OVERLOADED,
    529: ErrorKind.OVERLOADED,
}

_NO_API = frozenset({400, 403, 404, 405, 406, 410, 422})
"""Statuses that mean nothing where a page comes with them: a proxy or firewall says so, or a server of something else.

Not 401: a server that keeps keys in its web server's configuration refuses a wrong one with a page.
"""

_WORDS: Mapping[str, ErrorKind] = {
    "overloaded": ErrorKind.OVERLOADED,
    "unavailable": ErrorKind.OVERLOADED,
    "capacity": ErrorKind.OVERLOADED,
    "insufficient_quota": ErrorKind.QUOTA,
    "payment": ErrorKind.QUOTA,
    "billing": ErrorKind.QUOTA,
    "rate_limit": ErrorKind.RATE_LIMIT,
    "too_many_requests": ErrorKind.RATE_LIMIT,
    "resource_exhausted": ErrorKind.RATE_LIMIT,
    "quota_exceeded": ErrorKind.RATE_LIMIT,  # Cerebras says so of tokens and requests a minute
    "authentication": ErrorKind.AUTH,
    "unauthenticated": ErrorKind.AUTH,
    "api_key": ErrorKind.AUTH,
    "permission": ErrorKind.PERMISSION,
    "content_filter": ErrorKind.CONTENT_FILTER,
    "context_length": ErrorKind.CONTEXT_LENGTH,
    "model_not_found": ErrorKind.MODEL_GONE,
    "not_found": ErrorKind.MODEL_GONE,
    "too_large": ErrorKind.TOO_LARGE,
    "invalid_request": ErrorKind.BAD_REQUEST,
    "invalid_argument": ErrorKind.BAD_REQUEST,
    "bad_request": ErrorKind.BAD_REQUEST,
    "badrequest": ErrorKind.BAD_REQUEST,
}
"""Parts of an error's code or type where no status came with it (an error inside a stream); first match counts."""


@dataclass(frozen=True, slots=True)
class _Sign:
    """Words in an error's code, type or message that make the kind of some statuses more precise.

    They count nothing where one of the names `unless` stands in the code or the type, which are more precise.
    """

    kind: ErrorKind
    statuses: frozenset[int]
    words: tuple[str, ...]
    unless: tuple[str, ...] = ()

    def speaks(self, body: Body) -> bool:
        """The error holds one of the words."""
        words, names = body.words, body.names
        return any(word in words for word in self.words) and not any(name in names for name in self.unless)


def _sign(kind: ErrorKind, statuses: Iterable[int], *words: str, unless: tuple[str, ...] = ()) -> _Sign:
    return _Sign(kind, frozenset(statuses), words, unless)


# Words from the vendors' and servers' error bodies: OpenAI, Anthropic, Cerebras, Gemini, OpenRouter, Ollama,
# llama.cpp, vLLM, LM Studio; their docs and sources, 2026-11.
_SIGNS: tuple[_Sign, ...] = (
    _sign(
        ErrorKind.CONTEXT_LENGTH,
        (400, 413, 422, 500),
        "context_length_exceeded",
        "exceed_context_size",
        "prompt is too long",
        "maximum context length",
        "context length",
        "context window",
        "context size",
        "input token count",
        "model_context_window_exceeded",
    ),
    _sign(
        ErrorKind.QUOTA,
        (400, 403, 429),
        "insufficient_quota",
        "credit balance",
        "insufficient credit",
        "per day",
        "per-day",
        "daily limit",
        "monthly limit",
        "key limit exceeded",
    ),
    # Gemini speaks of "plan and billing" also where a minute's requests are used up (Gemini API docs, 2026-11)
    _sign(
        ErrorKind.QUOTA, (400, 403, 429), "billing", unless=("resource_exhausted", "rate_limit", "too_many")
    ),
    _sign(ErrorKind.AUTH, (400, 403), "api key not valid", "api_key_invalid", "invalid_api_key"),
    _sign(
        ErrorKind.CONTENT_FILTER,
        (400, 403, 422),
        "content_filter",
        "content_policy_violation",
        "content filtering policy",  # Anthropic
        "responsibleaipolicy",
        "was flagged",
    ),
    _sign(
        ErrorKind.MODEL_GONE,
        (400, 403, 404),
        "model_not_found",
        "model_not_available",
        "model_decommissioned",
        "decommissioned",
        "invalid_model",
        "no endpoints found",
        "not a valid model",
        "no such model",
        "cached snapshot folder",  # mlx_lm.server, where the model was never downloaded
    ),
    _sign(
        ErrorKind.OVERLOADED,
        (429, 498, 500, 502),
        "overloaded",
        "no capacity",
        "capacity exceeded",
        "queue_exceeded",  # Cerebras, where the queue is longer than was asked for
    ),
    _sign(ErrorKind.MALFORMED, (400, 404, 405), "unexpected endpoint"),  # LM Studio, inside a 200
)


@dataclass(frozen=True, slots=True)
class Body:
    """An error body's fields, whatever shape it came in; "" for what it does not say.

    `title`: of a page (HTML or XML) that came instead; None where none did.
    """

    message: str = ""
    type: str = ""
    code: str = ""
    param: str = ""
    title: str | None = None

    @property
    def names(self) -> str:
        """Code and type in lower case."""
        return f"{self.code} {self.type}".lower()

    @property
    def words(self) -> str:
        """All of it in lower case."""
        return f"{self.code} {self.type} {self.message}".lower()


def read_body(body: bytes | Mapping[str, Any]) -> Body:
    """The error that a body speaks of: {"error": {...}}, {"error": "..."}, flat, inside a list, or plain text."""
    if isinstance(body, bytes):
        try:
            value: Any = orjson.loads(body)
        except orjson.JSONDecodeError:
            return Body(title=_title(body)) if is_page(body) else Body(body[:2000].decode("utf-8", "replace"))
    else:
        value = body
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, Mapping) and "error" in value:
        value = value["error"]
    if isinstance(value, str):
        return Body(value)
    if not isinstance(value, Mapping):
        return Body()
    message = value.get("message") or value.get("detail") or ""
    if isinstance(message, list):  # FastAPI's list of what is wrong where
        message = orjson.dumps(message, default=str).decode()
    return Body(
        message=message if isinstance(message, str) else "",
        type=_name(value.get("type") or value.get("status")),
        code=_name(value.get("code")),
        param=_name(value.get("param")),
    )


def kind_of_status(status: int, body: Body = Body()) -> ErrorKind:
    """The kind of an HTTP error."""
    if 300 <= status < 400 or (body.title is not None and status in _NO_API):
        return ErrorKind.MALFORMED
    for sign in _SIGNS:
        if status in sign.statuses and sign.speaks(body):
            return sign.kind
    if status == 404 and "model" in body.words:
        return ErrorKind.MODEL_GONE
    return _STATUS.get(status, ErrorKind.BAD_REQUEST if 400 <= status < 500 else ErrorKind.SERVER)


def kind_of_error(body: Body) -> ErrorKind:
    """The kind of an error object inside a 200: its code may be a status, or its words decide."""
    if body.code.isdigit() and 400 <= int(body.code) < 600:
        return kind_of_status(int(body.code), body)
    precise = next((sign.kind for sign in _SIGNS if sign.speaks(body)), None)
    if precise is not None:
        return precise
    return next((kind for word, kind in _WORDS.items() if word in body.names), ErrorKind.SERVER)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that the headers ask to wait: retry-after-ms, retry-after in seconds or as a date; None: not said.

    A date is compared with the server's own `date` where it is given, with `now` (aware) otherwise.
    """
    seconds = _number(headers.get("retry-after-ms"), 0.001)
    if seconds is None:
        seconds = _number(headers.get("retry-after"), 1.0)
    if seconds is None and (until := _date(headers.get("retry-after"))):
        seconds = (until - (_date(headers.get("date")) or now)).total_seconds()
    if seconds is None:
        return None
    low, high = RETRY_AFTER_RANGE
    return min(max(seconds, low), high)


def error_from_answer(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
    scrub: Callable[[str], str],
    path: str = "",
) -> ProviderError:
    """The error that an HTTP answer of another status than 200 is.

    `scrub` takes what is private out of a text. `path`: what was asked for, from its first slash to the query.
    """
    said = read_body(body)
    kind = kind_of_status(status, said)
    detail = _detail(f"HTTP {status}", said, scrub)
    if kind is ErrorKind.MALFORMED:
        place = "; ".join(filter(None, (_leads_to(headers.get("location")), _nothing_at(status, path))))
        detail = "; ".join(filter(None, (detail[: DETAIL_CHARS - len(place) - 2], scrub(redact(place)))))
    return ProviderError(kind, detail, retry_after=retry_after(headers, now), status=status)


def list_of(body: bytes, scrub: Callable[[str], str]) -> Any:
    """The JSON of a list of models. Raises ProviderError for an error inside a 200, a page, and what is no JSON."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        said = read_body(body) if is_page(body) else Body()
        raise ProviderError(
            ErrorKind.MALFORMED, _detail("no list of models", said, scrub), status=200
        ) from error
    if isinstance(value, Mapping) and value.get("error"):
        raise error_from_object(value, scrub)
    return value


def is_page(body: bytes) -> bool:
    """A page of HTML or XML."""
    return body.lstrip(b" \t\r\n\xef\xbb\xbf").startswith(b"<")


def error_from_object(value: Mapping[str, Any], scrub: Callable[[str], str]) -> ProviderError:
    """The error that an object with an `error` inside a 200 is."""
    said = read_body(value)
    return ProviderError(kind_of_error(said), _detail("error in the answer", said, scrub), status=200)


def _detail(head: str, body: Body, scrub: Callable[[str], str]) -> str:
    """What an owner needs: names are short words and hold no prompt; the message may hold anything."""
    names = " ".join(filter(None, (body.type, body.code if body.code != body.type else "")))
    told = " ".join(filter(None, (names, body.param and f"({body.param})")))
    text = body.message
    if body.title is not None:
        text = "a web page instead of an answer" + (f" ({body.title})" if body.title else "")
    message = scrub(text[: DETAIL_CHARS + WINDOW])  # a little more, so that no piece is cut before it is seen
    return ": ".join(filter(None, (head, redact(told), " ".join(message.split()))))[:DETAIL_CHARS]


def _title(page: bytes) -> str:
    found = re.search(rb"<title[^>]*>([^<]{1,200})", page[:8192], re.IGNORECASE)
    text = html.unescape(found[1].decode("utf-8", "replace")) if found else ""
    return " ".join(text.split())[:80]


def _leads_to(location: str | None) -> str:
    """Where a redirect leads, without what may be secret in an address."""
    try:
        parts = urlsplit(location or "")
        if not parts.hostname:
            return ""
        return (
            f"leads to {parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"[
                :120
            ]
        )
    except ValueError:
        return ""


def _nothing_at(status: int, path: str) -> str:
    if status not in {404, 405} or not path:
        return ""
    odd = oddity(path)
    return f"there is nothing at {path[:80]}" + (f": {odd}" if odd else "")


def _name(value: object) -> str:
    """A code or type as a short word; what is no name is not told."""
    text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    return text if re.fullmatch(r"[\w.:/\[\]-]{1,80}", text) else ""


def _number(text: str | None, unit: float) -> float | None:
    if text is None or not re.fullmatch(r"\s*\d{1,9}(\.\d+)?\s*", text):
        return None
    return float(text) * unit


def _date(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return date if date.tzinfo else None
