"""What a person may set for one Discord account (one bot token). No SDK is imported here."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from pydantic.alias_generators import to_camel

# Three parts: the bot's id in base64, a time, a signature (Discord docs, Reference, Authentication, 2026-11). Their
# lengths have grown before, so only the shape is checked.
_TOKEN = re.compile(r"[A-Za-z0-9_-]{18,40}\.[A-Za-z0-9_-]{4,12}\.[A-Za-z0-9_-]{20,100}\Z")


class GuildMessages(StrEnum):
    """Which messages in a server are meant for the bot.

    ADDRESSED: those that mention it or answer it, and all in threads that it takes part in. ALL: every message.
    """

    ADDRESSED = "addressed"
    ALL = "all"


def _check_token(token: SecretStr) -> SecretStr:
    text = token.get_secret_value().strip().removeprefix("Bot ").strip()
    if not _TOKEN.match(text):
        raise ValueError("a bot token has three parts joined by dots, as the developer portal shows it once")
    return SecretStr(text)


def _check_http(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("an http or https URL such as https://discord.com/api/v10")
    return url.rstrip("/")


def _check_gateway(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("a ws or wss URL such as wss://gateway.discord.gg")
    return url


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
    )


class BackfillSettings(_Section):
    """Messages that were missed while the bot was away: how far back it looks for them."""

    max_age: float = Field(
        default=7200.0,
        ge=0,
        le=86_400,
        description="Older messages are not fetched, seconds; 0 fetches none.",
    )
    max_messages: int = Field(
        default=100, ge=1, le=100, description="Messages fetched from one channel, 1 to 100."
    )
    max_channels: int = Field(
        default=50, ge=1, le=200, description="Channels asked, those last spoken in first, 1 to 200."
    )


class DiscordSettings(_Section):
    """One bot."""

    token: Annotated[SecretStr, AfterValidator(_check_token)] = Field(
        description="The bot's token from the developer portal."
    )
    guild_messages: GuildMessages = Field(
        default=GuildMessages.ADDRESSED,
        description="addressed (mentions, replies, threads the bot takes part in) or all messages of a server.",
    )
    message_content: bool = Field(
        default=True,
        description="Ask for the privileged intent Message Content; without it only mentions, replies that mention"
        " the bot, direct messages and commands have words.",
    )
    stream: bool = Field(
        default=True, description="Show an answer while it grows, by edits; else send it whole."
    )
    edit_interval: float = Field(
        default=1.0,
        ge=0.2,
        le=60,
        description="Least seconds between two edits of one message; Discord's own limits make it longer.",
    )
    buttons: bool = Field(default=True, description="Show Stop and Retry under answers.")
    commands: bool = Field(default=True, description="Register the commands as application commands.")
    backfill: BackfillSettings = Field(
        default_factory=BackfillSettings, description="Messages missed while the bot was away."
    )
    api_base: Annotated[str, AfterValidator(_check_http)] = Field(
        default="https://discord.com/api/v10",
        description="The REST API with its version; a proxy of your own is named here.",
    )
    gateway: Annotated[str, AfterValidator(_check_gateway)] | None = Field(
        default=None, description="The gateway; asked of the REST API when left out."
    )
    proxy: str | None = Field(
        default=None,
        description="http:// proxy for all connections; without it HTTPS_PROXY and NO_PROXY count.",
    )
