"""Matrix: a bot account on any homeserver, in plain and encrypted rooms. See README.md for its set-up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from channels.base import Channel, ChannelSpec, Finding, Host
from channels.capabilities import Surface
from channels.matrix.settings import MatrixSettings


def _open(account: str, settings: Any, host: Host) -> Channel:
    from channels.matrix.channel import MatrixChannel

    return MatrixChannel(account, settings, host)


async def _probe(account: str, settings: Any) -> Sequence[Finding]:
    from channels.matrix.probe import probe

    return await probe(account, settings)


SPEC = ChannelSpec(
    name="matrix",
    title="Matrix",
    settings=MatrixSettings,
    open=_open,
    # Matrix spec v1.16, Appendices: user ids "@local:server", room ids "!opaque" with or without ":server".
    id_pattern=r"@[\x21-\x39\x3b-\x7e]{0,254}:[^\s:]+(?::\d{1,5})?|![^\s]{1,254}",
    id_hint='a user id such as @somebody:example.org, a room id such as !abc:example.org (no #alias), or "*"',
    environment={
        "MATRIX_HOMESERVER": "homeserver",
        "MATRIX_USER_ID": "user_id",
        "MATRIX_ACCESS_TOKEN": "access_token",
        "MATRIX_PASSWORD": "password",
    },
    mark="!",
    surfaces=(Surface.DIRECT, Surface.GROUP, Surface.THREAD),
    probe=_probe,
    silence=420.0,  # a sync is held for two minutes at most, and may be worked on for as long again
)

__all__ = ["SPEC", "MatrixSettings"]
