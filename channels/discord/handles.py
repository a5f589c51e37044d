"""What Address.handle holds for this adapter: the question's id, or the way to answer an interaction. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from channels.discord.snowflake import is_snowflake

# Discord docs, Receiving and Responding (2026-11): "Interaction tokens are valid for 15 minutes". A little earlier we
# stop to use one, so that no write is on its way when it ends.
TOKEN_LIFE = 15 * 60.0
TOKEN_MARGIN = 20.0


@dataclass(frozen=True, slots=True)
class Interaction:
    """How an invoked command is answered. `expires`: seconds since 1970. The token is a secret while it lasts."""

    application: str
    id: str
    token: str
    expires: float

    def is_open(self, now: float) -> bool:
        """The token still works at `now`, seconds since 1970."""
        return now < self.expires - TOKEN_MARGIN

    def __repr__(self) -> str:
        return f"Interaction({self.id})"


def for_question(message_id: str) -> str:
    """The handle of an answer to an ordinary message."""
    return f"q:{message_id}"


def for_interaction(interaction: Interaction) -> str:
    """The handle of an answer to a command."""
    return f"i:{interaction.application}:{interaction.id}:{int(interaction.expires)}:{interaction.token}"


def question_of(handle: str) -> str | None:
    """The question's id: a message's or an interaction's."""
    kind, _, rest = handle.partition(":")
    if kind == "q" and is_snowflake(rest):
        return rest
    found = interaction_of(handle)
    return found.id if found is not None else None


def interaction_of(handle: str) -> Interaction | None:
    """The interaction, None for any other handle."""
    parts = handle.split(":", 4)
    if len(parts) != 5 or parts[0] != "i" or not (is_snowflake(parts[1]) and is_snowflake(parts[2])):
        return None
    if not parts[3].isdecimal() or not is_token(parts[4]):
        return None
    return Interaction(parts[1], parts[2], parts[4], float(parts[3]))


def is_token(text: object) -> bool:
    """An interaction token can stand in a path as it is; anything else is none."""
    return (
        isinstance(text, str)
        and 0 < len(text) <= 1000
        and text.isascii()
        and all(char.isalnum() or char in "_-.~=" for char in text)
    )
