"""Where the key of a provider comes from: the configuration, then the environment. Keeps no state.

A key is known by its id ("cerebras:env:CEREBRAS_API_KEY"), which may be logged; the secret may not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import SecretStr

from providers.base import Credential

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PROFILE = "profile:"


class Trouble(StrEnum):
    """What is wrong with where a key was looked for."""

    LITERAL = "literal"  # works, but the key stands in the configuration in plain text
    VARIABLE_EMPTY = "variable_empty"  # ${VAR} names a variable that is not set
    PROFILE_UNKNOWN = "profile_unknown"  # profile:NAME names no stored credential
    NOT_A_KEY = "not_a_key"  # spaces or characters that no header may carry


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to tell the owner. `where`: the setting or variable looked at, never its value."""

    trouble: Trouble
    provider: str
    where: str


@dataclass(frozen=True, slots=True)
class Found:
    """A provider's credentials in the order in which they are tried, and what to tell the owner."""

    credentials: tuple[Credential, ...] = ()
    findings: tuple[Finding, ...] = ()


def find(
    provider: str,
    api_key: SecretStr | None,
    environ: Mapping[str, str],
    variables: Sequence[str],
    profiles: Mapping[str, SecretStr] | None = None,
) -> Found:
    """The keys of one provider: `apiKey` of the configuration first, then the preset's `variables`.

    `api_key` is a literal, a reference `${VAR}`, or `profile:NAME` looked up in `profiles`. The same secret is
    listed once.
    """
    credentials: list[Credential] = []
    findings: list[Finding] = []
    if api_key is not None:
        found = _from_setting(provider, api_key.get_secret_value().strip(), environ, profiles or {})
        credentials += found.credentials
        findings += found.findings
    for name in variables:
        value = environ.get(name, "").strip()
        if value:
            _take(f"{provider}:env:{name}", value, name, provider, credentials, findings)
    return Found(_once(credentials), tuple(findings))


def keyless(provider: str) -> Credential:
    """The credential of a server that asks for no key."""
    return Credential(id=f"{provider}:none")


def _from_setting(
    provider: str, value: str, environ: Mapping[str, str], profiles: Mapping[str, SecretStr]
) -> Found:
    credentials: list[Credential] = []
    findings: list[Finding] = []
    if reference := _REFERENCE.fullmatch(value):
        name = reference[1]
        secret = environ.get(name, "").strip()
        if secret:
            _take(f"{provider}:env:{name}", secret, name, provider, credentials, findings)
        else:
            findings.append(Finding(Trouble.VARIABLE_EMPTY, provider, name))
    elif value.startswith(_PROFILE):
        name = value.removeprefix(_PROFILE)
        stored = profiles.get(name)
        if stored is None:
            findings.append(Finding(Trouble.PROFILE_UNKNOWN, provider, name))
        else:
            _take(f"{provider}:{name}", stored.get_secret_value(), name, provider, credentials, findings)
    elif value:
        where = f"models.providers.{provider}.apiKey"
        findings.append(Finding(Trouble.LITERAL, provider, where))
        _take(f"{provider}:config", value, where, provider, credentials, findings)
    return Found(tuple(credentials), tuple(findings))


def _take(
    key_id: str,
    value: str,
    where: str,
    provider: str,
    credentials: list[Credential],
    findings: list[Finding],
) -> None:
    if value.isascii() and value.isprintable() and " " not in value:
        credentials.append(Credential(id=key_id, secret=SecretStr(value)))
    else:
        findings.append(Finding(Trouble.NOT_A_KEY, provider, where))


def _once(credentials: Sequence[Credential]) -> tuple[Credential, ...]:
    seen: set[str] = set()
    kept: list[Credential] = []
    for credential in credentials:
        secret = credential.secret.get_secret_value() if credential.secret else ""
        if secret not in seen:
            seen.add(secret)
            kept.append(credential)
    return tuple(kept)
