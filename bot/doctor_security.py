"""What is exposed, to whom, and how to close it: rows for `firstword doctor --security`. Asks nobody; reads the disk.

What stops a start (bot.settings.proofs, a listener beyond loopback without a token) is a row of the configuration.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import urlsplit

from pydantic import SecretStr

from bot.access import ANYBODY, Activation, Direct
from bot.checkup import State, counted
from bot.doctor import Patient, load
from bot.doctor_files import backup_row, file_rows
from bot.doctor_rows import Exposure
from bot.plugins import CHANNEL_GROUP, DISTRIBUTION, PROVIDER_GROUP
from bot.settings import AccountSettings, Settings
from bot.settings.checks import literal_secrets
from bot.settings.edit import ConfigFile
from bot.settings.problems import join_path
from bot.settings.shapes import config_key
from bot.settings.sources import read_file
from channels.doors import is_loopback

STRONG_SECRET = 32
"""Characters of a proof below which it is called weak: 32 random ones hold 190 bits."""

LONG_RETENTION = 400
"""Days; the default. Longer is said."""

_OK, _WARN, _FAIL = State.OK, State.WARN, State.FAIL
_EVERYBODY, _HERE, _OWNER = "everybody", "this machine", "you alone"
_ON_THE_WAY = "whoever is on the way"


def audit(
    patient: Patient, entry_points: Callable[..., Iterable[importlib.metadata.EntryPoint]] | None = None
) -> list[Exposure]:
    """Every exposure, the worst of each kind first where there are several. Never raises."""
    load(patient)
    settings, rows = patient.settings, list(file_rows(patient.home, patient.config_file))
    rows.append(backup_row(patient.home))
    rows += _plugins(entry_points or importlib.metadata.entry_points)
    if settings is None:
        told = patient.broken.problems if patient.broken is not None else ()
        problems = told or (("", str(patient.broken)),)
        broken = [
            Exposure("configuration", _FAIL, f"{path}: {text}".removeprefix(": "), "", _EDIT)
            for path, text in problems
        ]
        return [*broken, *rows]
    looks = (_listeners, _accounts, _tools, _providers, _money, _kept)
    return [*(row for look in looks for row in look(settings)), *_literals(patient), *rows]


_EDIT = "mend the configuration: firstword config validate"


def _listeners(settings: Settings) -> Iterator[Exposure]:
    server, hooks = settings.server, settings.webhooks
    place = f"the page, the API and the metrics at {server.host}:{server.port}"
    token = server.token.get_secret_value() if server.token is not None else ""
    if not _is_here(server.host):
        todo = "firstword config set server.host 127.0.0.1, and a proxy with TLS before it"
        yield Exposure("listener", _WARN, place, "every machine that reaches this one, given the token", todo)
    elif token:
        yield Exposure("listener", _OK, place, f"{_HERE}, given the token")
    else:
        who = f"{_HERE}: every user and program on it, and whom a proxy lets through that does not say for whom it asks"
        yield Exposure("listener", _OK, place, who)
    if token and len(token) < STRONG_SECRET:
        yield _weak("server.token", token)
    place = f"the webhooks at {hooks.host}:{hooks.port}"
    if _is_here(hooks.host):
        yield Exposure("listener", _OK, place, f"{_HERE}, and whom a proxy lets through")
    else:
        todo = "firstword config set webhooks.host 127.0.0.1, and a proxy with TLS before it"
        yield Exposure("listener", _WARN, place, "every machine that reaches this one, without TLS", todo)


def _accounts(settings: Settings) -> Iterator[Exposure]:
    server_token = settings.server.token
    for account in settings.accounts:
        if account.spec.is_foreground:
            continue
        yield from _proofs(account, server_token)
        name = f"{account.channel}/{account.name}"
        if account.spec.is_local:
            yield _local(account, name)
        else:
            yield from _addresses(account, name)
            yield from _people(account, name)


def _local(account: AccountSettings, name: str) -> Exposure:
    """Whoever is let in there is the owner. Names of its own mean that it is reached through a proxy."""
    named = getattr(account.settings, "allowed_hosts", ())
    if named and getattr(account.settings, "token", None) is None:
        who = "whom a proxy lets through that does not say for whom it asks, as its owner"
        todo = f"a token of its own: {account.path}.token"
        return Exposure("account", _WARN, f"{name} under {', '.join(named)}, without a token", who, todo)
    return Exposure("account", _OK, name, "whoever the listener lets in, as its owner")


def _addresses(account: AccountSettings, name: str) -> Iterator[Exposure]:
    """Where its service is asked; what is said there, and its token, go over plain http where the address says so."""
    for field, info in type(account.settings).model_fields.items():
        url = getattr(account.settings, field)
        is_open = isinstance(url, str) and urlsplit(url).scheme == "http" and not _is_private(url)
        if not is_open or field == "proxy":
            continue  # what a proxy passes on is encrypted by itself
        what = f"what is said on {name}, and its token, over plain http"
        todo = f"write https:// in {account.path}.{config_key(field, info)}"
        yield Exposure("account", _FAIL, what, _ON_THE_WAY, todo)


def _people(account: AccountSettings, name: str) -> Iterator[Exposure]:
    path = account.path
    if ANYBODY in account.allow or account.dm is Direct.OPEN:
        todo = (
            f'take "*" out of {path}.allow'
            if ANYBODY in account.allow
            else f"firstword config set {path}.dm pairing"
        )
        yield Exposure("account", _WARN, f"direct chats with {name}", _EVERYBODY, todo)
    else:
        named = len({*account.allow, *account.admins, *account.owner})
        who = {0: "nobody", 1: "one person"}.get(named, f"{named} people") + " named in the settings"
        more = ", and whoever is let in by a code" if account.dm is Direct.PAIRING else ""
        yield Exposure("account", _OK, f"direct chats with {name}", f"{who}{more}")
    if ANYBODY in account.groups:
        yield Exposure(
            "account",
            _WARN,
            f"groups with {name}",
            "everybody in every group",
            f"name the groups in {path}.groups",
        )
    elif account.groups:
        yield Exposure(
            "account",
            _OK,
            f"groups with {name}",
            f"everybody in {counted(len(account.groups), 'listed group')}",
        )
    if account.activation is Activation.ALWAYS:
        todo = f"firstword config set {path}.activation mention"
        yield Exposure(
            "account", _WARN, f"every message of {name}'s groups, addressed to it or not", "the models", todo
        )
    if not account.owner:
        yield Exposure(
            "account",
            _WARN,
            f"{name} has no owner: nobody is told of troubles, and nobody may give an owner's commands",
            "",
            f"put your id into {path}.owner",
        )
    if account.admins:
        yield Exposure(
            "account",
            _OK,
            f"who may talk to {name}",
            f"{counted(len(account.admins), 'admin')}, who may let others in",
        )
    if not account.stop_loops:
        yield Exposure(
            "account",
            _WARN,
            f"{name} answers other bots without end",
            "their owners",
            f"firstword config set {path}.stopLoops true",
        )


def _proofs(account: AccountSettings, server_token: SecretStr | None) -> Iterator[Exposure]:
    for name in account.spec.proofs:
        value: object = account.settings
        for part in name.split("."):
            value = getattr(value, part, None)
        if not isinstance(value, SecretStr) or value == server_token:
            continue  # the listener's own row says it
        if len(value.get_secret_value()) < STRONG_SECRET:
            yield _weak(f"{account.path}.{name}", value.get_secret_value())


def _weak(path: str, secret: str) -> Exposure:
    what = f"{path} has {len(secret)} characters and can be guessed sooner than {STRONG_SECRET} random ones"
    return Exposure(
        "secret",
        _WARN,
        what,
        "whoever reaches that door",
        f"make another one, for example with: openssl rand -hex {STRONG_SECRET}",
    )


def _tools(settings: Settings) -> Iterator[Exposure]:
    if settings.tool_servers:
        yield Exposure(
            "tools",
            _OK,
            "what changes or sends anything",
            "nobody unnamed, and after foreign words call by call",
        )
    for each in settings.tool_servers:
        server, path = each.settings, f"mcp.servers.{each.name}"
        who = "owners and members" if server.trust == "members" else "owners"
        calls = f"the tools of {each.name}"
        if server.url is not None and not _is_private(server.url):
            yield Exposure(
                "tools",
                _FAIL,
                f"calls and results of {each.name}, over plain http",
                _ON_THE_WAY,
                f"write https:// in {path}.url",
            )
        if server.confirm == "never":
            yield Exposure(
                "tools",
                _WARN,
                f"{calls} are called unasked, those with effects too",
                who,
                f"firstword config set {path}.confirm sideEffects",
            )
        elif server.confirm_except:
            yield Exposure(
                "tools",
                _WARN,
                f"{calls} called {', '.join(server.confirm_except)} are called unasked",
                who,
                f"look whether {path}.confirmExcept has to name them",
            )
        else:
            yield Exposure("tools", _OK, calls, f"{who}, each call with effects on a press of a button")
        if server.trust == "members" and (not server.tools or ANYBODY in server.tools):
            yield Exposure(
                "tools",
                _WARN,
                f"every tool that {each.name} will ever have",
                who,
                f"name them in {path}.tools",
            )
        if server.foreign == "nothing" and server.reach == "outside":
            yield Exposure(
                "tools",
                _WARN,
                f"what {each.name} returns counts as your own word, and it reaches the outside",
                "whoever writes there",
                f"firstword config set {path}.foreign results",
            )


def _providers(settings: Settings) -> Iterator[Exposure]:
    for each in settings.providers:
        url = getattr(each.settings, "base_url", None)
        if not isinstance(url, str):
            continue
        path = f"models.providers.{each.name}.baseUrl"
        if _is_private(url):
            yield Exposure(
                "provider", _OK, f"questions and the key for {each.name}", urlsplit(url).hostname or url
            )
        else:
            yield Exposure(
                "provider",
                _FAIL,
                f"questions and the key for {each.name}, over plain http",
                _ON_THE_WAY,
                f"write https:// in {path}",
            )


def _money(settings: Settings) -> Iterator[Exposure]:
    budget = settings.routing.budget
    if budget.per_day is None and budget.per_month is None:
        yield Exposure(
            "money",
            _WARN,
            "what models cost has no upper bound",
            "whoever may talk",
            "firstword config set routing.budget.perMonth 10",
        )
    else:
        yield Exposure("money", _OK, "what models cost is bounded by routing.budget", "")
    rate = settings.limits.per_sender
    if rate.per_minute is None and rate.per_day is None:
        yield Exposure(
            "money",
            _WARN,
            "one person may send any number of messages",
            "whoever may talk",
            "firstword config unset limits.perSender",
        )


def _kept(settings: Settings) -> Iterator[Exposure]:
    days = settings.store.retention
    what = f"conversations of {days} days in {settings.home.data}"
    if days > LONG_RETENTION:
        yield Exposure("kept", _WARN, what, _OWNER, "firstword config set store.retention 90")
    else:
        yield Exposure("kept", _OK, what, _OWNER)
    if settings.diagnostics.cache_trace.include_prompt:
        yield Exposure(
            "kept",
            _WARN,
            "people's words in a trace beside the log",
            _OWNER,
            "firstword config set diagnostics.cacheTrace.includePrompt false",
        )
    if "debug" in (settings.logging.level, settings.logging.libraries):
        yield Exposure(
            "kept",
            _WARN,
            "the log tells what servers and libraries say, word for word",
            _OWNER,
            "firstword config set logging.level info",
        )


def _literals(patient: Patient) -> Iterator[Exposure]:
    file = ConfigFile(patient.home, patient.config_file, patient.environ, patient.folder)
    for path in literal_secrets(read_file(patient.config_file), file.shape()):
        what = f"{join_path(path)} holds the secret itself"
        yield Exposure(
            "secret", _WARN, what, "whoever sees the file or a copy of it", "firstword doctor --fix"
        )


def _plugins(find: Callable[..., Iterable[importlib.metadata.EntryPoint]]) -> Iterator[Exposure]:
    for group in (CHANNEL_GROUP, PROVIDER_GROUP):
        for point in find(group=group):
            who = point.dist.name if point.dist is not None else "an unknown distribution"
            if who != DISTRIBUTION:
                what = f"{point.name} ({point.value}) runs with all that the daemon may do"
                yield Exposure(
                    "plug-in", _WARN, what, f"the makers of {who}", f"uninstall {who} unless you trust it"
                )


def _is_here(host: str) -> bool:
    return host == "localhost" or is_loopback(host.strip("[]"))


def _is_private(url: str) -> bool:
    """Whether nobody on the way can read it: TLS, or it never leaves this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or _is_here(parts.hostname or "")
