"""What a person may set for one Slack app in one workspace. No SDK is imported here."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic.alias_generators import to_camel

from channels.guessing import LEAST_SENT, fault_of

# Slack docs, "Tokens" (2026-11): bot tokens begin with xoxb-, app-level tokens with xapp-; rotated ones with xoxe.
_BOT_TOKEN = re.compile(r"xox[be][.-][A-Za-z0-9._-]{8,}\Z")
_APP_TOKEN = re.compile(r"xapp-[A-Za-z0-9-]{8,}\Z")
# "Basic Information", App Credentials: 32 hexadecimal digits (2026-11). Longer ones are let through.
_SIGNING_SECRET = re.compile(r"[!-~]{32,}\Z")
# Slack docs, "Slash commands" (2026-11): lower case, no spaces, at most 32 characters.
_COMMAND = re.compile(r"/[a-z0-9_-]{1,31}\Z")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Mode(StrEnum):
    """How events come: over a WebSocket that we open, or as signed requests to our listener."""

    SOCKET = "socket"
    HTTP = "http"


class StreamMode(StrEnum):
    """How a growing answer is shown.

    AUTO: Slack's own stream in threads and direct messages, edits elsewhere. EDITS: edits everywhere.
    OFF: whole answers everywhere.
    """

    AUTO = "auto"
    EDITS = "edits"
    OFF = "off"


class Place(StrEnum):
    """Where the answer to something that was said outside a thread stands: in a thread under it, or beside it."""

    THREAD = "thread"
    INLINE = "inline"


def _check(secret: SecretStr, pattern: re.Pattern[str], hint: str) -> SecretStr:
    value = secret.get_secret_value().strip()
    if not pattern.match(value):
        raise ValueError(hint)
    return SecretStr(value)


def _check_bot_token(secret: SecretStr) -> SecretStr:
    return _check(secret, _BOT_TOKEN, "a bot token begins with xoxb- (OAuth & Permissions)")


def _check_app_token(secret: SecretStr) -> SecretStr:
    return _check(secret, _APP_TOKEN, "an app-level token begins with xapp- (Basic Information)")


def _check_signing_secret(secret: SecretStr) -> SecretStr:
    hint = "the signing secret of Basic Information, App Credentials: 32 characters or more"
    checked = _check(secret, _SIGNING_SECRET, hint)
    if fault := fault_of(checked.get_secret_value(), LEAST_SENT):
        raise ValueError(fault)
    return checked


def _check_command(name: str) -> str:
    name = name if name.startswith("/") else f"/{name}"
    if not _COMMAND.match(name):
        raise ValueError('a slash command such as /firstword: "/" and 1 to 31 of a-z 0-9 _ -')
    return name


def _check_api_base(url: str) -> str:
    parts = urlsplit(url)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not is_safe or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("an https URL such as https://slack.com/api (http only on this machine)")
    return url.rstrip("/") + "/"


def _check_public_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("an https URL under which Slack reaches the webhook listener")
    return url.rstrip("/")


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
    )


class BackfillSettings(_Section):
    """Look after a restart or a lost connection for messages that never arrived."""

    hours: float = Field(
        default=2.0, ge=0, le=48, description="How old they may be, hours; 0 switches it off."
    )
    messages: int = Field(
        default=100, ge=1, le=1000, description="How many of one conversation are looked at."
    )
    conversations: int = Field(
        default=50,
        ge=1,
        le=200,
        description="How many of the latest conversations and threads are looked at.",
    )


class Prompt(_Section):
    """A suggestion that is shown to a person who opens a chat with the bot."""

    title: str = Field(min_length=1, max_length=100, description="What the person reads on it.")
    message: str = Field(min_length=1, max_length=1000, description="What is said when it is chosen.")


_PROMPTS = (
    Prompt(title="What can you do?", message="What can you do?"),
    Prompt(title="Which models are there?", message="!models"),
    Prompt(title="Show all commands", message="!help"),
)


class SlackSettings(_Section):
    """One app in one workspace."""

    bot_token: Annotated[SecretStr, AfterValidator(_check_bot_token)] = Field(
        description="The bot token, xoxb-..., from OAuth & Permissions."
    )
    app_token: Annotated[SecretStr, AfterValidator(_check_app_token)] | None = Field(
        default=None,
        description="The app-level token, xapp-..., with connections:write; needed in socket mode.",
    )
    signing_secret: Annotated[SecretStr, AfterValidator(_check_signing_secret)] | None = Field(
        default=None, description="The signing secret from Basic Information; needed in http mode."
    )
    mode: Mode = Field(
        default=Mode.SOCKET, description="socket (nothing to open to the outside) or http (signed requests)."
    )
    public_url: Annotated[str, AfterValidator(_check_public_url)] | None = Field(
        default=None,
        description="Public https address in http mode; without a path /slack/ACCOUNT is added.",
    )
    api_base: Annotated[str, AfterValidator(_check_api_base)] = Field(
        default="https://slack.com/api/", description="The Web API; GovSlack is https://slack-gov.com/api."
    )
    proxy: str | None = Field(
        default=None,
        description="http:// proxy for all calls; without it HTTPS_PROXY and NO_PROXY of the environment count.",
    )
    command: Annotated[str, AfterValidator(_check_command)] = Field(
        default="/firstword", description="The slash command of the app's manifest; one for each bot."
    )
    stream: StreamMode = Field(
        default=StreamMode.AUTO,
        description="auto (Slack's own stream in threads, edits elsewhere), edits or off.",
    )
    buttons: bool = Field(default=True, description="Stop and Retry under answers.")
    direct: Place = Field(
        default=Place.THREAD,
        description="Answers in direct messages: thread (each message begins one, and it streams) or inline.",
    )
    channel: Place = Field(
        default=Place.THREAD, description="Answers to a mention in a channel: thread (under it) or inline."
    )
    follow_ups: bool = Field(
        default=True, description="In a channel's thread with the bot no mention is needed to go on."
    )
    status_text: str = Field(
        default="is thinking...",
        max_length=100,
        description='Shown after the bot\'s name until the first word comes; "" for none.',
    )
    prompts: tuple[Prompt, ...] = Field(
        default=_PROMPTS, max_length=4, description="Suggestions in a new chat with the bot, at most 4."
    )
    backfill: BackfillSettings = Field(
        default=BackfillSettings(), description="Looking for messages that were missed."
    )

    @model_validator(mode="after")
    def _has_its_secret(self) -> Self:
        if self.mode is Mode.SOCKET and self.app_token is None:
            raise ValueError(
                "appToken is missing: socket mode needs the app-level token xapp-... with connections:write"
                " (or set mode to http)"
            )
        if self.mode is Mode.HTTP and self.signing_secret is None:
            raise ValueError(
                "signingSecret is missing: http mode verifies every request with it (Basic Information)"
            )
        return self


def events_path(settings: SlackSettings, account: str) -> str:
    """The path on our listener to which Slack posts events, commands and presses."""
    path = urlsplit(settings.public_url or "").path
    return path or f"/slack/{account}"


def public_address(settings: SlackSettings, account: str) -> str | None:
    """The whole address for the app's manifest; None when it is not set."""
    if settings.public_url is None:
        return None
    return (
        settings.public_url
        if urlsplit(settings.public_url).path
        else f"{settings.public_url}/slack/{account}"
    )
