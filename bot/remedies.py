"""What to do about a model that did not answer and about a channel that is silent: one row for each cause."""

from __future__ import annotations

from enum import StrEnum

from providers import presets
from providers.errors import ErrorKind
from providers.models import catalogue

_KEY = "store a valid key: firstword models auth paste-token --provider {provider}"
_NO_KEY = "no key is set; store one: firstword models auth paste-token --provider {provider}{variable}"
_OTHER = "choose another model: firstword models list, then firstword models set REF"

_REMEDIES: dict[ErrorKind, str] = {
    ErrorKind.AUTH: f"the key is not valid; {_KEY}",
    ErrorKind.PERMISSION: f"the key may not use this model; {_KEY}, or {_OTHER}",
    ErrorKind.RATE_LIMIT: "too many requests; wait {wait} and try again, or check the limits of your account",
    ErrorKind.QUOTA: "the account has no quota left; look at its billing page, or " + _OTHER,
    ErrorKind.OVERLOADED: "the provider is down or overloaded; fallbacks answer meanwhile, try again later",
    ErrorKind.SERVER: "the provider failed; try again, fallbacks answer meanwhile",
    ErrorKind.CONNECT: "nothing answers there; {start}check the network and models.providers.{provider}.baseUrl",
    ErrorKind.FIRST_TOKEN: "nothing came in time; try again, or " + _OTHER,
    ErrorKind.STALL: "the answer stopped coming; try again, or " + _OTHER,
    ErrorKind.TOTAL: "the answer took too long; try again, or " + _OTHER,
    ErrorKind.INCOMPLETE: "the connection broke off; try again",
    ErrorKind.MALFORMED: (
        "what came is no answer of this API; check models.providers.{provider}.baseUrl and .api, and any proxy between"
    ),
    ErrorKind.BAD_REQUEST: (
        "the provider refused the request; check the parameters set for it: models.providers.{provider}.defaultParams, "
        "and the params of the model under agents.defaults.models"
    ),
    ErrorKind.CONTEXT_LENGTH: "the text is too long for this model; shorten it, or use a model with a larger window",
    ErrorKind.TOO_LARGE: "the request is too large for the provider; shorten the text",
    ErrorKind.MODEL_GONE: "the provider has no such model (any more); {instead}",
    ErrorKind.CONTENT_FILTER: "the provider's filter refused the text; put it differently",
    ErrorKind.CANCELLED: "it was cancelled; try again",
    ErrorKind.BUDGET: "the budget is spent; raise routing.budget, or connect a model that costs nothing",
}


def remedy(
    kind: ErrorKind,
    provider: str,
    retry_after: float | None = None,
    *,
    model: str = "",
    has_key: bool = True,
) -> str:
    """What went wrong and what to do about it.

    `model`: its id, "" where none was asked; what its vendor offers instead is named. `has_key`: one was sent.
    """
    preset = presets.find(provider)
    if kind is ErrorKind.AUTH and not has_key:
        variable = f", or set {preset.variables[0]}" if preset is not None and preset.variables else ""
        return _NO_KEY.format(provider=provider, variable=variable)
    wait = f"{retry_after:.0f} s" if retry_after is not None else "a minute"
    start = "start it, or " if preset is None else ""
    if preset is not None and preset.is_local:
        start = f"start it ({preset.connect}), or "
    return _REMEDIES[kind].format(
        provider=provider, wait=wait, start=start, instead=_instead(provider, model)
    )


def _instead(provider: str, model: str) -> str:
    facts = catalogue().get((provider, model))
    if facts is None or not facts.successor:
        return "see: firstword models list"
    return f"its successor: firstword models set {provider}/{facts.successor}"


class Silence(StrEnum):
    """Why a channel answers nobody, as far as that can be told without knowing the channel."""

    NOBODY = "nobody"  # nobody is on its lists
    CODES = "codes"  # nobody is either, but strangers are told a code
    ANYBODY = "anybody"  # everybody is let in, until the budget is gone
    SHARED = "shared"  # another account uses the same secret
    NO_DAEMON = "no_daemon"
    NOT_OPENED = "not_opened"  # the daemon runs without it
    OFFLINE = "offline"  # the daemon runs it and it is not connected
    UNANSWERED = "unanswered"  # its service did not answer the probe in time
    PROBE_FAILED = "probe_failed"


_SILENCES: dict[Silence, str] = {
    Silence.NOBODY: "add your id: firstword config set {path}.owner '[\"ID\"]'",
    Silence.CODES: "write to it, and run what it tells you: firstword pairing approve CODE; or add your id: "
    "firstword config set {path}.owner '[\"ID\"]'",
    Silence.ANYBODY: "name ids in {path}.allow and leave {path}.dm at pairing, unless that is meant",
    Silence.SHARED: "give each account a bot of its own: the service hands every message to one of them alone",
    Silence.NO_DAEMON: "start it: firstword run",
    Silence.NOT_OPENED: "restart the daemon; if it still stays away, its log says why",
    Silence.OFFLINE: "it tries again by itself unless it is not authorised; see: firstword channels status --probe",
    Silence.UNANSWERED: "check the network, a proxy or firewall, and any address under {path}",
    Silence.PROBE_FAILED: "update the channel, or tell its maintainers; the daemon runs it all the same",
}


def silence_remedy(why: Silence, path: str = "") -> str:
    """What to do about a channel that is silent; `path`: where its account stands in the configuration."""
    return _SILENCES[why].format(path=path)


def is_every_kind_covered() -> bool:
    """For the test: a new kind or cause needs a row."""
    return set(_REMEDIES) == set(ErrorKind) and set(_SILENCES) == set(Silence)
