"""What a person may set for one Telegram account (one bot token). No SDK is imported here."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from pydantic.alias_generators import to_camel

from channels.guessing import LEAST_SENT, fault_of

_TOKEN = re.compile(r"\d{3,}:[A-Za-z0-9_-]{30,}\Z")
# Bot API docs, setWebhook (2026-11): A-Z, a-z, 0-9, _ and -, at most 256; 32 is our own lower bound.
_SECRET = re.compile(r"[A-Za-z0-9_-]{32,256}\Z")


class StreamMode(StrEnum):
    """How a growing answer is shown.

    AUTO: drafts in private chats, edits in groups. DRAFTS: drafts in private chats, whole answers in groups.
    EDITS: edits everywhere. OFF: whole answers everywhere.
    """

    AUTO = "auto"
    DRAFTS = "drafts"
    EDITS = "edits"
    OFF = "off"


class RichMode(StrEnum):
    """When an answer becomes a rich message. AUTO: for headings, tables, and what is too long for a plain one."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class Limits(StrEnum):
    """Whose flood limits are kept: Telegram's published ones, or none (a server that has none)."""

    TELEGRAM = "telegram"
    NONE = "none"


def _check_token(token: SecretStr) -> SecretStr:
    if not _TOKEN.match(token.get_secret_value().strip()):
        raise ValueError("a bot token looks like 123456789:AA..., as BotFather shows it")
    return SecretStr(token.get_secret_value().strip())


def _check_secret(secret: SecretStr) -> SecretStr:
    if not _SECRET.match(secret.get_secret_value()):
        raise ValueError("32 to 256 characters out of A-Z a-z 0-9 _ -")
    if fault := fault_of(secret.get_secret_value(), LEAST_SENT):
        raise ValueError(fault)
    return secret


def _check_base_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("an http or https URL such as https://api.telegram.org")
    return url.rstrip("/").removesuffix("/bot")


def _check_webhook_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("an https URL under which Telegram reaches the webhook listener")
    return url.rstrip("/")


def _check_folder(folder: Path) -> Path:
    if not folder.is_absolute():
        raise ValueError("an absolute path such as /var/lib/telegram-bot-api")
    return folder


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
    )


class WebhookSettings(_Section):
    """Receive updates over HTTPS instead of asking for them."""

    url: Annotated[str, AfterValidator(_check_webhook_url)] = Field(
        description="Public https address; without a path /telegram/ACCOUNT is added.",
    )
    secret: Annotated[SecretStr, AfterValidator(_check_secret)] | None = Field(
        default=None,
        description="What Telegram sends along with each update, 32 to 256 of A-Z a-z 0-9 _ -;"
        " made from the token when left out.",
    )
    max_connections: int = Field(default=40, ge=1, le=100, description="Deliveries at once, 1 to 100.")


class TelegramSettings(_Section):
    """One bot."""

    token: Annotated[SecretStr, AfterValidator(_check_token)] = Field(
        description="The bot's token from BotFather."
    )
    base_url: Annotated[str, AfterValidator(_check_base_url)] = Field(
        default="https://api.telegram.org",
        description="The Bot API server; a self-hosted one is named here.",
    )
    proxy: str | None = Field(
        default=None,
        description="http:// proxy for all calls; without it HTTPS_PROXY and NO_PROXY of the environment count.",
    )
    stream: StreamMode = Field(
        default=StreamMode.AUTO,
        description="auto (drafts in private chats, edits in groups), drafts, edits or off.",
    )
    rich: RichMode = Field(
        default=RichMode.AUTO,
        description="Rich messages (real tables and headings, 32,768 characters): auto (where an answer needs them),"
        " on (always) or off (apps from before June 2026 cannot show them).",
    )
    buttons: bool = Field(default=True, description="Stop and Retry under answers, and Stop under a preview.")
    edit_interval: float | None = Field(
        default=None,
        ge=0.2,
        le=60,
        description="Seconds between two edits of one message; 3 in groups and 1 in private chats when left out.",
    )
    draft_interval: float | None = Field(
        default=None,
        ge=0.1,
        le=20,
        description="Seconds between two drafts of one answer in a private chat; 0.4 when left out.",
    )
    limits: Limits = Field(
        default=Limits.TELEGRAM,
        description="telegram (keep below the published flood limits) or none (a server without limits).",
    )
    local_files: Annotated[Path, AfterValidator(_check_folder)] | None = Field(
        default=None,
        description="Folder in which a Bot API server of your own that runs with --local keeps its files;"
        " files there may then be read from the disk. Left out: never.",
    )
    poll_seconds: int = Field(
        default=30, ge=1, le=50, description="How long one getUpdates is held, seconds."
    )
    webhook: WebhookSettings | None = Field(default=None, description="Leave out to poll.")
