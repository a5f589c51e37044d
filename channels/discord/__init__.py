"""Discord: gateway and REST, edits while an answer grows, application commands. See README.md for its set-up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from channels.base import Channel, ChannelSpec, Finding, Host
from channels.capabilities import Surface
from channels.discord.settings import DiscordSettings


def _open(account: str, settings: Any, host: Host) -> Channel:
    from channels.discord.channel import DiscordChannel

    return DiscordChannel(account, settings, host)


async def _probe(account: str, settings: Any) -> Sequence[Finding]:
    from channels.discord.probe import probe

    return await probe(account, settings)


SPEC = ChannelSpec(
    name="discord",
    title="Discord",
    settings=DiscordSettings,
    open=_open,
    id_pattern=r"[0-9]{17,20}",
    id_hint='an id as Discord\'s developer mode copies it, for example 80351110224678912, or "*"; no @name',
    environment={"DISCORD_BOT_TOKEN": "token"},
    surfaces=(Surface.DIRECT, Surface.GROUP, Surface.THREAD, Surface.COMMAND),
    probe=_probe,
    silence=180.0,  # its own watch gives up after 60 s
)

__all__ = ["SPEC", "DiscordSettings"]
