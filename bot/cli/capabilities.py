"""`firstword channels capabilities`: what a channel can do where people meet it, without connecting.

Imports the SDKs of the channels that are looked at, and of no others.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from bot.cli.context import FAULT, OK, USAGE, CommandError, Context
from bot.cli.loop import run_async
from bot.cli.onlooker import Onlooker
from bot.cli.quiet import silent
from bot.cli.table import table
from bot.commands.table import all_commands
from bot.plugins import discover
from channels.base import Channel, ChannelSpec
from channels.capabilities import Capabilities, SendKey, Surface, WriteBudget
from channels.events import Address, ConversationKey

_SHARED = frozenset({Surface.GROUP, Surface.THREAD})
DIRECT_THREAD = "direct thread"
# Some services write the kind of a place into its id: groups have negative numbers, or a letter of their own.
_DIRECT_IDS = ("1", "1" * 18, "D00000000")
_SHARED_IDS = ("-1", "1" * 18, "C00000000")
_FEATURES = (
    "threads reactions buttons deletes notes attachments_in attachments_out replaceable durable raw".split()
)


@dataclass(frozen=True, slots=True)
class Looked:
    """One account's capabilities by surface. `trouble`: why it cannot be opened, else ""."""

    spec: ChannelSpec
    account: str
    is_configured: bool
    surfaces: Mapping[str, Capabilities]
    trouble: str = ""

    def values(self) -> dict[str, Any]:
        """As programs read it."""
        return {
            "channel": self.spec.name,
            "account": self.account,
            "title": self.spec.title,
            "configured": self.is_configured,
            "surfaces": {surface: values_of(each) for surface, each in self.surfaces.items()},
            "trouble": self.trouble,
        }

    def lines(self) -> list[str]:
        """As people read it; surfaces with the same capabilities share a column."""
        name = f"{self.spec.name}/{self.account}"
        if self.trouble:
            return [f"{name}: {self.trouble}"]
        columns: dict[Capabilities, list[str]] = {}
        for surface, each in self.surfaces.items():
            columns.setdefault(each, []).append(surface)
        head = (name, *(", ".join(surfaces) for surfaces in columns.values()))
        rows = [(title, *(show(each) for each in columns)) for title, show in ROWS]
        note = () if self.is_configured else ("as it is with the default settings; no account is configured",)
        return [*table(head, rows), *note]


def show_capabilities(arguments: argparse.Namespace, context: Context) -> int:
    """The verb."""
    wanted = _wanted(arguments.channel, context)
    with silent(), tempfile.TemporaryDirectory(prefix="firstword-look-") as folder:
        looked = run_async(_look_at(wanted, Path(folder)))
    lines = [line for place, each in enumerate(looked) for line in ([""] if place else []) + each.lines()]
    context.say({"channels": [each.values() for each in looked]}, lines)
    return FAULT if any(each.trouble for each in looked) else OK


def _wanted(name: str | None, context: Context) -> list[tuple[ChannelSpec, str, Any, bool]]:
    """Spec, account, settings, and whether the account is configured."""
    settings = context.settings()
    if name is None:
        return [(each.spec, each.name, each.settings, True) for each in settings.accounts]
    channel, _, account = re.sub(r"[:/]", ":", name, count=1).partition(":")
    of_channel = [each for each in settings.accounts if each.channel == channel]
    found = [each for each in of_channel if account in ("", each.name)]
    if found:
        return [(each.spec, each.name, each.settings, True) for each in found]
    if account and of_channel:
        known = ", ".join(each.name for each in of_channel)
        raise CommandError(f"{channel} has no account {account!r}; it has: {known}", kind="usage", code=USAGE)
    spec = find_spec(channel)
    return [(spec, account or "main", stand_in(spec), False)]


def find_spec(channel: str) -> ChannelSpec:
    """The spec of an installed channel. Raises CommandError when there is none, PluginError when it is broken."""
    plugins = discover()
    if channel not in plugins.channels:
        known = ", ".join(sorted(plugins.channels))
        raise CommandError(
            f"no channel {channel!r} is installed; installed: {known}", kind="usage", code=USAGE
        )
    return plugins.channel(channel)


def stand_in(spec: ChannelSpec) -> Any:
    """The settings of an account that nobody has made: the defaults, and a word where a value is required."""
    try:
        return spec.settings.model_validate({})
    except ValidationError:
        made: dict[str, Any] = {
            key: SecretStr("stand-in") if field.annotation is SecretStr else "stand-in"
            for key, field in spec.settings.model_fields.items()
            if field.is_required()
        }
        return spec.settings.model_construct(**made)


async def _look_at(wanted: list[tuple[ChannelSpec, str, Any, bool]], folder: Path) -> list[Looked]:
    """Opened inside a loop, as the daemon opens them."""
    host = Onlooker(folder, all_commands().specs)
    return [_look(spec, name, settings, host, is_configured=there) for spec, name, settings, there in wanted]


def _look(spec: ChannelSpec, name: str, settings: Any, host: Onlooker, *, is_configured: bool) -> Looked:
    try:
        channel = spec.open(name, settings, host)
        found = _by_surface(spec, name, channel)
    except ImportError as error:
        needs = f"; install the extra: pip install 'firstword[{spec.extra}]'" if spec.extra else ""
        return Looked(spec, name, is_configured, {}, f"its library is missing ({error}){needs}")
    except Exception as error:  # noqa: BLE001 - a stranger's channel must not hide the others; secrets stay out
        hint = "" if is_configured else "; configure an account first"
        return Looked(spec, name, is_configured, {}, f"cannot be opened ({type(error).__name__}){hint}")
    return Looked(spec, name, is_configured, found)


def _by_surface(spec: ChannelSpec, account: str, channel: Channel) -> dict[str, Capabilities]:
    """Each surface's capabilities; a thread in a direct chat has its own where they differ."""
    found: dict[str, Capabilities] = {}
    for surface in spec.surfaces:
        found[surface] = channel.capabilities(example(spec, account, surface))
        if surface is Surface.DIRECT:
            threaded = channel.capabilities(example(spec, account, surface, in_thread=True))
            if threaded != found[surface]:
                found[DIRECT_THREAD] = threaded
    return {str(surface): each for surface, each in found.items()}


def example(spec: ChannelSpec, account: str, surface: Surface, *, in_thread: bool = False) -> Address:
    """An address of that kind, with the first of the usual ids that the channel's own pattern takes."""
    usual = _SHARED_IDS if surface in _SHARED else _DIRECT_IDS
    space = next(
        (each for each in usual if spec.id_pattern and re.fullmatch(spec.id_pattern, each)), "example"
    )
    thread = "1" if in_thread or surface is Surface.THREAD else None
    return Address(ConversationKey(spec.name, account, space, thread), surface)


def values_of(capabilities: Capabilities) -> dict[str, Any]:
    """Every capability by its name, and the class of what is promised when things break."""
    values = dataclasses.asdict(capabilities)
    values["budgets"] = [
        {**budget, "operations": sorted(str(each) for each in budget["operations"])}
        for budget in values["budgets"]
    ]
    return values | {"promise": promise(capabilities)}


def promise(capabilities: Capabilities) -> str:
    """A: exactly one answer is seen. B: one whole answer, at the worst moment an orphan beside it. Or none."""
    if not capabilities.durable:
        return "none"
    return "B" if capabilities.send_key is SendKey.NONE else "A"


def _streaming(each: Capabilities) -> str:
    extras = [
        *(["a preview"] if each.preview else []),
        *([f"ends after {each.stream_lifetime:g} s"] if each.stream_lifetime is not None else []),
    ]
    return f"{each.streaming} ({', '.join(extras)})" if extras else str(each.streaming)


def _edits(each: Capabilities) -> str:
    limits = [
        *([f"at most {each.max_edits} a message"] if each.max_edits is not None else []),
        *([f"within {each.edit_window:g} s"] if each.edit_window is not None else []),
    ]
    return ", ".join(limits) or "none"


def _budget(budget: WriteBudget) -> str:
    what = "+".join(sorted(str(each) for each in budget.operations))
    return f"{budget.scope.partition(':')[0]}: {what} {budget.rate:.3g}/s, burst {budget.burst}"


def _feature(name: str) -> tuple[str, Callable[[Capabilities], str]]:
    return name.replace("_", " "), lambda each: "yes" if getattr(each, name) else "no"


ROWS: tuple[tuple[str, Callable[[Capabilities], str]], ...] = (
    ("latency class", lambda each: str(each.latency)),
    ("streaming", _streaming),
    ("markup", lambda each: str(each.markup)),
    ("longest text", lambda each: f"{each.max_text:,} {each.unit}"),
    ("write budgets", lambda each: "\n".join(_budget(budget) for budget in each.budgets) or "none"),
    ("edit limits", _edits),
    ("typing", lambda each: "no" if each.typing_ttl is None else f"{each.typing_ttl:g} s a call"),
    ("send key", lambda each: str(each.send_key)),
    ("promise", promise),
    *(_feature(name) for name in _FEATURES),
)
"""What the table shows, in this order."""
