"""Slack: Socket Mode or signed HTTP events, threads, native streams. See README.md for its set-up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from channels.base import Channel, ChannelSpec, Finding, Host
from channels.capabilities import Surface
from channels.commands import CommandSpec
from channels.slack.settings import SlackSettings


def _open(account: str, settings: Any, host: Host) -> Channel:
    from channels.slack.channel import SlackChannel

    return SlackChannel(account, settings, host)


async def _probe(account: str, settings: Any) -> Sequence[Finding]:
    from channels.slack.probe import probe

    return await probe(account, settings)


def _manifest(commands: Sequence[CommandSpec]) -> str:
    from channels.slack.manifest import manifest

    return manifest(commands)


SPEC = ChannelSpec(
    name="slack",
    title="Slack",
    settings=SlackSettings,
    open=_open,
    # Slack docs, "Conversations API" and users.info (2026-11): people are U or W, channels C, G or D, in capitals.
    id_pattern=r"[UWCGD][A-Z0-9]{6,20}",
    id_hint='a member id such as U0123ABCDEF (profile, "Copy member ID") or a channel id such as C0123ABCDEF'
    ' (channel details, at the bottom), or "*" in a list of guests; no @name, no #name',
    environment={
        "SLACK_BOT_TOKEN": "bot_token",
        "SLACK_APP_TOKEN": "app_token",
        "SLACK_SIGNING_SECRET": "signing_secret",
    },
    proofs=("signing_secret",),
    mark="!",
    surfaces=(Surface.DIRECT, Surface.GROUP, Surface.THREAD, Surface.COMMAND),
    probe=_probe,
    silence=120.0,  # its own watch gives up after 35 s
    manifest=_manifest,
)

__all__ = ["SPEC", "SlackSettings"]
