"""The doctor's look at channel accounts: who may talk, whether the daemon has them online, what their probes find.

The usual reasons of a silent channel, each with what to do about it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import SecretStr

from bot.access import ANYBODY, Direct
from bot.checkup import Row, State, counted
from bot.control import call
from bot.errors import BotError
from bot.probes import probe_accounts
from bot.remedies import Silence, silence_remedy
from bot.settings import AccountSettings, Settings
from channels.base import Level

_NAME = "channel"
_STATES = {Level.OK: State.OK, Level.WARNING: State.WARN, Level.PROBLEM: State.FAIL}


def account_rows(settings: Settings) -> Iterator[Row]:
    """What the configuration alone tells of the accounts that run in the daemon."""
    twins = _twins(settings.accounts)
    for account in settings.accounts:
        name = f"{account.channel}/{account.name}"
        if account.spec.is_foreground:
            continue
        if account.spec.is_local:
            yield Row(_NAME, State.OK, f"{name} is configured")
        elif account.dm is Direct.PAIRING and not _names_somebody(account):
            todo = silence_remedy(Silence.CODES, account.path)
            yield Row(_NAME, State.WARN, f"{name} answers only whom you let in by a code", todo)
        elif account.dm is not Direct.OPEN and not _names_somebody(account):
            todo = silence_remedy(Silence.NOBODY, account.path)
            yield Row(_NAME, State.WARN, f"{name} answers nobody", todo)
        else:
            groups = counted(len(account.groups), "group") if account.groups else "silent in groups"
            who = f"{counted(len(account.owner), 'owner')}, {len(account.allow)} allowed, {groups}"
            yield Row(_NAME, State.OK, f"{name} is configured: {who}")
        if ANYBODY in account.allow or account.dm is Direct.OPEN:
            todo = silence_remedy(Silence.ANYBODY, account.path)
            yield Row(_NAME, State.WARN, f"{name} lets everybody in, at your cost", todo)
        if name in twins:
            todo = silence_remedy(Silence.SHARED, account.path)
            yield Row(_NAME, State.FAIL, f"{name} is the same bot as {twins[name]}", todo)


def _names_somebody(account: AccountSettings) -> bool:
    return bool(account.allow or account.owner or account.admins)


def _twins(accounts: tuple[AccountSettings, ...]) -> Mapping[str, str]:
    """Account -> an earlier one of its channel with the same secrets and the same required settings."""
    first: dict[Any, str] = {}
    twins: dict[str, str] = {}
    for account in accounts:
        name = f"{account.channel}/{account.name}"
        values = [
            (key, value.get_secret_value() if isinstance(value, SecretStr) else str(value))
            for key, field in type(account.settings).model_fields.items()
            for value in (getattr(account.settings, key),)
            if isinstance(value, SecretStr) or field.is_required()
        ]
        has_secret = any(isinstance(value, SecretStr) for _, value in account.settings)
        if not has_secret or account.spec.is_local:
            continue
        earlier = first.setdefault((account.channel, tuple(values)), name)
        if earlier != name:
            twins[name] = earlier
    return twins


async def running_rows(settings: Settings) -> list[Row]:
    """What the running daemon says of its accounts. Takes at most the control socket's deadline."""
    try:
        states: Mapping[str, Any] = (await call(settings.home, "status"))["channels"]
    except BotError as error:
        return [Row(_NAME, State.WARN, str(error))]
    rows = []
    for account in settings.accounts:
        if account.spec.is_foreground:
            continue
        name, state = f"{account.channel}/{account.name}", states.get(f"{account.channel}:{account.name}")
        if state is None:
            what = f"{name} is not among the channels of the running daemon"
            rows.append(Row(_NAME, State.WARN, what, silence_remedy(Silence.NOT_OPENED, account.path)))
        elif state["online"]:
            rows.append(Row(_NAME, State.OK, f"{name} is online"))
        else:
            what = f"{name} is offline: {state['reason'] or 'starting'}"
            rows.append(Row(_NAME, State.WARN, what, silence_remedy(Silence.OFFLINE, account.path)))
    return rows


async def probe_rows(settings: Settings) -> list[Row]:
    """What each account's probe finds: its token, its rights, whether its service can be reached."""
    accounts = [account for account in settings.accounts if account.spec.probe is not None]
    return [
        Row(_NAME, _STATES[finding.level], f"{each.name}: {finding.what}", finding.remedy)
        for each in await probe_accounts(accounts, settings.secrets())
        for finding in each.findings
    ]
