"""The fixtures of this folder."""

from __future__ import annotations

from tests.channels.discord.fixtures import peer, peer_process

__all__ = ["peer", "peer_process"]
