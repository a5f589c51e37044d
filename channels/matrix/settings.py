"""What a person may set for one Matrix account. No SDK is imported here."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic.alias_generators import to_camel

# Matrix spec v1.16, Appendices, User Identifiers: at most 255 bytes; historical local parts may hold any printable.
_USER = re.compile(r"@[\x21-\x39\x3b-\x7e]{1,250}:[A-Za-z0-9.\-\[\]:]{1,250}\Z")
_DEVICE = re.compile(r"[\x21-\x7e]{1,64}\Z")


class Encryption(StrEnum):
    """AUTO: encrypted rooms work where the library for it is installed. ON: do not start without it. OFF: never."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class Invites(StrEnum):
    """ALLOWED: join where the inviter may talk to the bot, decline the rest. KEEP: leave the rest open. NEVER: none."""

    ALLOWED = "allowed"
    KEEP = "keep"
    NEVER = "never"


class StreamMode(StrEnum):
    """EDITS: one message that grows by edits. LIVE: the same, marked as live (MSC4357, unstable). OFF: sent whole."""

    EDITS = "edits"
    LIVE = "live"
    OFF = "off"


class Kind(StrEnum):
    """The msgtype of answers. TEXT notifies people; NOTICE is silent in most clients and ignored by other bots."""

    TEXT = "text"
    NOTICE = "notice"


def _check_homeserver(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("an http or https URL such as https://matrix.example.org")
    if parts.username is not None or parts.password is not None:
        raise ValueError("no user name or password in the URL")
    return url.rstrip("/").removesuffix("/_matrix")


def _check_user(user_id: str) -> str:
    if not _USER.match(user_id) or len(user_id) > 255:
        raise ValueError("a user id looks like @bot:example.org")
    return user_id


def _check_secret(secret: SecretStr) -> SecretStr:
    value = secret.get_secret_value().strip()
    if not value or not value.isprintable():
        raise ValueError("must not be empty and holds printable characters only")
    return SecretStr(value)


def _check_device(device_id: str) -> str:
    if not _DEVICE.match(device_id):
        raise ValueError("1 to 64 printable ASCII characters without spaces")
    return device_id


class MatrixSettings(BaseModel):
    """One bot account."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    homeserver: Annotated[str, AfterValidator(_check_homeserver)] = Field(
        description="The homeserver's address, for example https://matrix.example.org.",
    )
    user_id: Annotated[str, AfterValidator(_check_user)] = Field(
        description="The bot's user id, for example @bot:example.org.",
    )
    access_token: Annotated[SecretStr, AfterValidator(_check_secret)] | None = Field(
        default=None, description="An access token of the bot; either this or `password`."
    )
    password: Annotated[SecretStr, AfterValidator(_check_secret)] | None = Field(
        default=None,
        description="The bot's password: used once to log in; the token is then kept in the account's folder.",
    )
    device_id: Annotated[str, AfterValidator(_check_device)] | None = Field(
        default=None, description="The device to log in as; the homeserver chooses one when left out."
    )
    device_name: str = Field(
        default="Firstword",
        min_length=1,
        max_length=100,
        description="How a device that is made at log-in is called.",
    )
    proxy: str | None = Field(
        default=None,
        description="http:// proxy for all calls; without it HTTPS_PROXY and NO_PROXY of the environment count.",
    )
    encryption: Encryption = Field(
        default=Encryption.AUTO,
        description="auto (encrypted rooms work where possible), on (do not start without) or off.",
    )
    join_invites: Invites = Field(
        default=Invites.ALLOWED,
        description="allowed (join where the inviter may talk to the bot, decline others), keep (leave others open)"
        " or never.",
    )
    stream: StreamMode = Field(
        default=StreamMode.EDITS,
        description="edits (an answer grows in one message), live (the same, marked with MSC4357's flag) or off.",
    )
    msgtype: Kind = Field(
        default=Kind.TEXT,
        description="text, or notice (silent in most clients, ignored by other bots).",
    )
    start_threads: bool = Field(
        default=False,
        description="Answer a message of a room in a thread of its own instead of in the room.",
    )
    read_receipts: bool = Field(default=True, description="Mark messages as read that the bot has taken up.")
    writes_per_second: float = Field(
        default=0.2,
        gt=0,
        le=50,
        description="Messages and edits a second that the homeserver lets the bot write; 0.2 is Synapse's default.",
    )
    write_burst: int = Field(
        default=10, ge=1, le=1000, description="How many of them may come at once; 10 is Synapse's default."
    )
    backfill_hours: float = Field(
        default=24.0,
        ge=0,
        le=720,
        description="How old a message may be that was missed while away and is fetched afterwards, hours.",
    )
    backfill_messages: int = Field(
        default=500, ge=0, le=10_000, description="How many missed messages of one room are fetched at most."
    )
    poll_seconds: int = Field(default=30, ge=1, le=120, description="How long one sync is held, seconds.")

    @model_validator(mode="after")
    def _one_credential(self) -> MatrixSettings:
        if (self.access_token is None) == (self.password is None):
            raise ValueError(
                "give accessToken (MATRIX_ACCESS_TOKEN) or password (MATRIX_PASSWORD), one of the two"
            )
        return self
