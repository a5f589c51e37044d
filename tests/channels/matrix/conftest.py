"""The fixtures of this folder."""

from tests.channels.matrix.fixtures import alice, bot, home, relay, secret_alice, synapse

__all__ = ["alice", "bot", "home", "relay", "secret_alice", "synapse"]
