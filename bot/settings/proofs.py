"""Secrets with which others prove to us who they are: each of them for one purpose alone.

Whoever learns one of them can speak as somebody else; where the same one opens a second door, or is a key that we
send to a third party, that party can too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import BaseModel, SecretStr

from bot.settings.problems import Path, Problem, join_path
from bot.settings.shapes import config_key

if TYPE_CHECKING:
    from bot.settings.load import Settings

SERVER = "server.token"


@dataclass(slots=True)
class _Found:
    """Where each secret stands. `local`: proofs of channels that take the server's token unless they set one."""

    proofs: dict[str, str] = field(default_factory=dict)
    local: set[str] = field(default_factory=set)
    others: dict[str, str] = field(default_factory=dict)


def bad_proofs(settings: Settings) -> Iterator[Problem]:
    """What is wrong with them; no secret is repeated."""
    found = _found(settings)
    owners: dict[str, str] = {}
    for where, secret in found.others.items():
        owners.setdefault(secret, where)
    for where, secret in found.proofs.items():
        first = owners.setdefault(secret, where)
        if not secret.strip():
            yield Problem(where, "is blank; a door whose key is blank stays closed")
        elif first != where and not (first == SERVER and where in found.local):
            yield Problem(where, f"is the same secret as {first}; allowed: one that is used nowhere else")


def _found(settings: Settings) -> _Found:
    found = _Found()
    if settings.server.token is not None:
        found.proofs[SERVER] = settings.server.token.get_secret_value()
    for account in settings.accounts:
        for name, path, secret in _secrets(account.settings):
            where = f"{account.path}.{join_path(path)}"
            is_proof = name in account.spec.proofs
            (found.proofs if is_proof else found.others)[where] = secret
            if is_proof and account.spec.is_local:
                found.local.add(where)
    for server in settings.tool_servers:
        for _, path, secret in _secrets(server.settings):
            found.others[join_path(("mcp", "servers", server.name, *path))] = secret
    for provider in settings.key_names():
        for credential in settings.keys(provider).credentials:
            if credential.secret is not None:
                found.others[f"key {credential.id} of {provider}"] = credential.secret.get_secret_value()
    return found


def _secrets(model: BaseModel, dotted: str = "", path: Path = ()) -> Iterator[tuple[str, Path, str]]:
    """Every secret below: the dotted name of its field, its path as people write it, the secret."""
    for name, info in type(model).model_fields.items():
        value = getattr(model, name)
        below, written = f"{dotted}.{name}".strip("."), (*path, config_key(name, info))
        if isinstance(value, SecretStr):
            yield below, written, value.get_secret_value()
        elif isinstance(value, BaseModel):
            yield from _secrets(value, below, written)
        elif isinstance(value, dict):
            for key, each in value.items():
                if isinstance(each, SecretStr):
                    yield f"{below}.{key}", (*written, str(key)), each.get_secret_value()
