"""What each field allows but the whole does not; and what works but should not stay."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bot.settings.mount import MAIN, AccountSettings, Mounting, Secrets, Specs, is_plain
from bot.settings.problems import Path, Problem, join_path, nearest, shown
from bot.settings.shapes import Kind, Shape
from bot.settings.tree import Agent, Tree
from providers import presets


def contradictions(tree: Tree, mounting: Mounting) -> Iterator[Problem]:
    """What each field allows but the whole does not."""
    if not _is_loopback(tree.server.host) and tree.server.token is None:
        text = f"{shown(tree.server.host)} lets other machines in; allowed: a loopback address"
        yield Problem("server.host", f"{text}, or set server.token")
    if tree.server.port and tree.server.port == tree.webhooks.port and tree.server.host == tree.webhooks.host:
        yield Problem("webhooks.port", f"{tree.webhooks.port} is server.port too; allowed: any other port")
    for account in mounting.found:
        if account.agent is not None:
            yield from _unknown_agent(tree, account.agent, f"{account.path}.agent")
        yield from _odd_ids(account)
    for name, server in tree.mcp.servers.items():
        for place, agent in enumerate(server.agents):
            yield from _unknown_agent(tree, agent, join_path(("mcp", "servers", name, "agents", place)))
    for provider, names in tree.auth.order.items():
        for place, name in enumerate(names):
            if name not in tree.auth.profiles:
                meant = _meant(name, tree.auth.profiles)
                text = f"{shown(name)} is not allowed; allowed: a key of auth.profiles{meant}"
                yield Problem(join_path(("auth", "order", provider, place)), text)


def _unknown_agent(tree: Tree, agent: str, path: str) -> Iterator[Problem]:
    names = (*tree.agents.list, "defaults")
    if agent not in names:
        known = ", ".join(shown(name) for name in names)
        yield Problem(path, f"{shown(agent)} is not allowed; allowed: one of {known}")


def _odd_ids(account: AccountSettings) -> Iterator[Problem]:
    """Names where ids belong: a name can be taken over by somebody else."""
    pattern = account.spec.id_pattern
    named = {
        "allow": account.allow,
        "owner": account.owner,
        "admins": account.admins,
        "groups": account.groups,
    }
    for field, ids in named.items():
        for place, each in enumerate(ids):
            if (
                pattern is not None
                and not re.fullmatch(pattern, each)
                and (each != "*" or field in ("owner", "admins"))
            ):
                text = f"{shown(each)} is not allowed; allowed: {account.spec.id_hint}"
                yield Problem(f"{account.path}.{field}[{place}]", text)


def unknown_providers(tree: Tree, specs: Specs) -> Iterator[Problem]:
    """Models of providers that nobody knows, and what else is wrong with agents."""
    agents: dict[Path, Agent] = {("agents", "defaults"): tree.agents.defaults}
    agents |= {("agents", "list", name): agent for name, agent in tree.agents.list.items()}
    known_providers = {*specs.providers, *tree.models.providers, *(preset.name for preset in presets.PRESETS)}
    if (ref := tree.media.transcription.model) is not None:
        yield from _unknown_provider(("media", "transcription", "model"), ref, known_providers)
    for path, agent in agents.items():
        yield from _agent_contradictions(path, agent, known_providers)
        yield from _unknown_names(path, agent, tree.agents.defaults)


def _unknown_names(path: Path, agent: Agent, defaults: Agent) -> Iterator[Problem]:
    """A primary or fallback that is neither provider/model nor an alias."""
    known = {alias for preset in presets.PRESETS for alias in preset.aliases}
    for each in (agent, defaults):
        known |= {*each.aliases, *(use.alias for use in each.models.values() if use.alias is not None)}
    lower = {name.lower() for name in known}
    names: dict[Path, str] = {
        (*path, "model", "fallbacks", place): ref for place, ref in enumerate(agent.model.fallbacks)
    }
    if agent.model.primary is not None:
        names[*path, "model", "primary"] = agent.model.primary
    for where, name in names.items():
        if "/" not in name and name.lower() not in lower:
            text = f"{shown(name)} is no alias and no provider/model{_meant(name, known)}"
            yield Problem(join_path(where), f"{text}; aliases: {', '.join(sorted(known))}")


def _agent_contradictions(path: Path, agent: Agent, providers: set[str]) -> Iterator[Problem]:
    refs: dict[Path, str] = {(*path, "models", ref): ref for ref in agent.models}
    if agent.model.primary is not None:
        refs[*path, "model", "primary"] = agent.model.primary
    refs |= {(*path, "model", "fallbacks", place): ref for place, ref in enumerate(agent.model.fallbacks)}
    for name, choices in agent.aliases.items():
        refs |= {(*path, "aliases", name, place, "model"): row.model for place, row in enumerate(choices)}
    for where, ref in refs.items():
        yield from _unknown_provider(where, ref, providers)
    owners: dict[str, str] = {}
    for ref, use in agent.models.items():
        ttl = use.params.get("cacheControlTtl", "5m")
        if ttl not in ("5m", "1h"):
            where = (*path, "models", ref, "params", "cacheControlTtl")
            yield Problem(join_path(where), f'{shown(ttl)} is not allowed; allowed: one of "5m", "1h"')
        if use.alias is not None and owners.setdefault(use.alias.lower(), ref) != ref:
            text = f"{shown(use.alias)} is the alias of {owners[use.alias.lower()]} already; allowed: another name"
            yield Problem(join_path((*path, "models", ref, "alias")), text)


def _unknown_provider(where: Path, ref: str, providers: set[str]) -> Iterator[Problem]:
    provider, slash, _ = ref.partition("/")
    if slash and provider not in providers:
        text = f"there is no provider {shown(provider)}{_meant(provider, providers)}"
        yield Problem(join_path(where), f"{text}; add it under models.providers")


def _meant(word: str, known: Iterable[str]) -> str:
    close = nearest(word, known)
    return f'; nearest: "{close}"' if close else ""


def warnings_of(
    values: Mapping[str, Any], shape: Shape, specs: Specs, secrets: Secrets, tree: Tree
) -> Iterator[str]:
    """Sentences for the owner."""
    for path in literal_secrets(values, shape):
        yield (
            f"{join_path(path)} holds the secret itself; store it with `firstword auth add NAME` and write "
            f'"profile:NAME", or use "${{VARIABLE}}" (`firstword doctor --fix` moves it)'
        )
    for name, profile in tree.auth.profiles.items():
        if name not in secrets.profiles:
            command = f"firstword auth add {name} --provider {profile.provider}"
            yield f"auth.profiles.{name}: no secret is stored for it; run: {command}"
    for name, provider in tree.models.providers.items():
        if provider.api_key is None:
            continue
        try:
            secrets.resolve(provider.api_key.get_secret_value(), is_secret=True)
        except LookupError as error:
            yield f"models.providers.{name}.apiKey: {error.args[0]}"
    yield from _unused_variables(values, specs, secrets)
    if tree.diagnostics.cache_trace.enabled:
        yield "diagnostics.cacheTrace.enabled: the trace is not written yet; the log tells cached tokens per request"
    yield from specs.broken.values()


def _unused_variables(values: Mapping[str, Any], specs: Specs, secrets: Secrets) -> Iterator[str]:
    """A usual variable fills the account "main"; beside other accounts that has to be written down, too."""
    channels = values.get("channels")
    for name, spec in specs.channels.items():
        entry = channels.get(name) if isinstance(channels, dict) else None
        accounts = entry.get("accounts") if isinstance(entry, dict) else None
        is_set = [each for each in spec.environment if secrets.environ.get(each, "").strip()]
        is_on = isinstance(entry, dict) and entry.get("enabled") is not False
        if is_on and isinstance(accounts, dict) and accounts and MAIN not in accounts and is_set:
            path = join_path(("channels", name, "accounts", MAIN))
            yield f"{is_set[0]} is set and not used, as other accounts are named; for one more write {path}: {{}}"


def literal_secrets(values: Any, shape: Shape, path: Path = ()) -> Iterator[Path]:
    """Where the file holds a secret itself rather than a reference to one."""
    if isinstance(values, dict):
        for key, value in values.items():
            child = shape.child(key)
            if child is not None:
                yield from literal_secrets(value, child, (*path, key))
    elif isinstance(values, list) and shape.kind is Kind.LIST and shape.item is not None:
        for place, value in enumerate(values):
            yield from literal_secrets(value, shape.item, (*path, place))
    elif isinstance(values, str) and shape.is_secret and values and not Secrets.is_reference(values):
        yield from () if is_plain(path, values, shape) else (path,)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
