"""Telegram: long polling or a webhook, drafts in private chats, edits in groups. See README.md for its set-up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from channels.base import Channel, ChannelSpec, Finding, Host
from channels.capabilities import Surface
from channels.telegram.settings import TelegramSettings


def _open(account: str, settings: Any, host: Host) -> Channel:
    from channels.telegram.channel import TelegramChannel

    return TelegramChannel(account, settings, host)


async def _probe(account: str, settings: Any) -> Sequence[Finding]:
    from channels.telegram.probe import probe

    return await probe(account, settings)


SPEC = ChannelSpec(
    name="telegram",
    title="Telegram",
    settings=TelegramSettings,
    open=_open,
    id_pattern=r"-?[0-9]{1,20}",
    id_hint='an id as a number, for example 4711 (a group\'s is negative), or "*" in a list of guests; no @name',
    proofs=("webhook.secret",),
    environment={"TELEGRAM_BOT_TOKEN": "token"},
    surfaces=(Surface.DIRECT, Surface.GROUP, Surface.THREAD),
    probe=_probe,
    silence=180.0,  # its own watch gives up after 60 s
)

__all__ = ["SPEC", "TelegramSettings"]
