"""`firstword channels`: what is installed, which accounts run and how they do, what each can do."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.access import Direct
from bot.checkup import counted
from bot.cli import channel_status
from bot.cli.context import OK, CommandError, Context, reason
from bot.cli.parser import Verbs

if TYPE_CHECKING:
    from bot.plugins import Plugins
    from bot.settings import Settings
    from channels.base import ChannelSpec


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add("channels", "channels and their accounts")
    below = verbs.under(parser)
    below.add("list", "show every installed channel and its accounts", _list)
    channel_status.add(below)
    summary = "show what channels can do in each place: latency class, streaming, lengths, budgets, promises"
    look = below.add("capabilities", summary, _capabilities)
    look.add_argument(
        "channel",
        nargs="?",
        metavar="CHANNEL[:ACCOUNT]",
        help="one channel or account; none: all that are on",
    )
    manifest = below.add(
        "manifest", "print the application manifest that a channel's service takes", _manifest
    )
    manifest.add_argument("channel", metavar="CHANNEL", help="a channel that has one")
    manifest.add_argument("--write", metavar="FILE", type=Path, help="write it to a file instead")


def _list(_: argparse.Namespace, context: Context) -> int:
    from bot.plugins import discover

    plugins, settings = discover(), context.settings()
    rows = [_row(name, plugins, settings) for name in sorted(plugins.channels)]
    context.say({"channels": rows}, [line for row in rows for line in _lines(row)])
    return OK


def _row(name: str, plugins: Plugins, settings: Settings) -> dict[str, Any]:
    from bot.plugins import PluginError

    accounts = [account for account in settings.accounts if account.channel == name]
    try:
        spec = plugins.channel(name)
    except PluginError as error:
        return {"channel": name, "title": name, "enabled": False, "accounts": [], "broken": str(error)}
    return {
        "channel": name,
        "title": spec.title,
        "enabled": bool(accounts),
        "extra": spec.extra,
        "variables": _variables(spec),
        "accounts": [
            {
                "account": each.name,
                "allow": len(each.allow),
                "owner": len(each.owner),
                "admins": len(each.admins),
                "groups": len(each.groups),
                "dm": str(each.dm),
                "local": each.spec.is_local,
                "token": getattr(each.settings, "token", None) is not None,
                "foreground": each.spec.is_foreground,
            }
            for each in accounts
        ],
    }


def _variables(spec: ChannelSpec) -> list[str]:
    """The variables that connect it: those of required settings; all where none is required."""
    fields = spec.settings.model_fields
    required = [name for name, field in spec.environment.items() if fields[field].is_required()]
    return required or list(spec.environment)


def _lines(row: dict[str, Any]) -> list[str]:
    if "broken" in row:
        return [f"{row['channel']}: {row['broken']}"]
    needs = f"; needs the extra {row['extra']}" if row["extra"] else ""
    if not row["accounts"]:
        how = f"; connect it by {', '.join(row['variables'])}" if row["variables"] else ""
        return [f"{row['channel']}: {row['title']}, off{how}{needs}"]
    lines = []
    for each in row["accounts"]:
        where = "in the foreground" if each["foreground"] else "on"
        who = _who(each, f"channels.{row['channel']}.accounts.{each['account']}")
        lines.append(f"{row['channel']}/{each['account']}: {row['title']}, {where}; {who}{needs}")
    return lines


def _who(account: dict[str, Any], path: str) -> str:
    """Who may talk to an account, as far as the settings say; `path`: where it stands in them."""
    if account["local"]:
        return "whoever shows its token" if account["token"] else "whoever is at this machine"
    groups = counted(account["groups"], "group")
    counts = f"{counted(account['owner'], 'owner')}, {account['allow']} allowed, {groups}"
    if account["dm"] == Direct.OPEN:
        return f"everybody in direct chats; {counts}"
    if account["owner"] or account["admins"] or account["allow"]:
        return counts
    if account["dm"] == Direct.PAIRING:
        return f"whom you let in by the code that strangers are told; add your id to {path}.owner"
    return f"nobody yet; add ids to {path}.owner"


def _capabilities(arguments: argparse.Namespace, context: Context) -> int:
    from bot.cli.capabilities import show_capabilities

    return show_capabilities(arguments, context)


def _manifest(arguments: argparse.Namespace, context: Context) -> int:
    from bot.cli.capabilities import find_spec
    from bot.commands.table import all_commands

    spec = find_spec(arguments.channel)
    if spec.manifest is None:
        having = ", ".join(_with_manifest()) or "no installed channel"
        raise CommandError(f"{spec.title} takes no manifest; one is made for: {having}", kind="no_manifest")
    text = spec.manifest(all_commands().specs).rstrip("\n") + "\n"
    file: Path | None = arguments.write
    if file is not None:
        try:
            file.write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{file}: cannot be written ({reason(error)})") from error
    said = text.splitlines() if file is None else [f"{file} is written"]
    context.say({"channel": spec.name, "file": file and str(file), "manifest": text}, said)
    return OK


def _with_manifest() -> list[str]:
    from bot.plugins import PluginError, discover

    plugins, found = discover(), []
    for name in sorted(plugins.channels):
        try:
            if plugins.channel(name).manifest is not None:
                found.append(name)
        except PluginError:
            continue  # it is named by `channels list`
    return found
