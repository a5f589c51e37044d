"""The fixtures of this folder."""

from tests.channels.matrix.fixtures import alice, bot, home, relay, synapse

__all__ = ["alice", "bot", "home", "relay", "synapse"]
