"""`firstword channels`: what is installed, and which accounts are to run."""

from __future__ import annotations

import argparse
from typing import Any

from bot.cli.context import OK, Context
from bot.cli.parser import Verbs


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add("channels", "channels and their accounts")
    verbs.under(parser).add("list", "show every installed channel and its accounts", _list)


def _list(_: argparse.Namespace, context: Context) -> int:
    from bot.plugins import discover

    plugins = discover()
    settings = context.settings()
    rows: list[dict[str, Any]] = []
    for name in sorted(plugins.channels):
        accounts = [account for account in settings.accounts if account.channel == name]
        title = accounts[0].spec.title if accounts else name
        rows.append(
            {
                "channel": name,
                "title": title,
                "enabled": bool(accounts),
                "accounts": [
                    {
                        "account": each.name,
                        "allow": len(each.allow),
                        "owner": len(each.owner),
                        "groups": len(each.groups),
                        "local": each.spec.is_local,
                        "foreground": each.spec.is_foreground,
                    }
                    for each in accounts
                ],
            }
        )
    context.say({"channels": rows}, [line for row in rows for line in _lines(row)])
    return OK


def _lines(row: dict[str, Any]) -> list[str]:
    if not row["accounts"]:
        return [f"{row['channel']}: off"]
    lines = []
    for each in row["accounts"]:
        if each["local"]:
            who = "whoever is at this machine"
        elif not each["allow"] and not each["owner"]:
            who = f"nobody yet; add ids to channels.{row['channel']}.accounts.{each['account']}.owner"
        else:
            who = f"{each['owner']} owners, {each['allow']} allowed, {each['groups']} groups"
        where = "in the foreground" if each["foreground"] else "on"
        lines.append(f"{row['channel']}/{each['account']}: {where}; {who}")
    return lines
