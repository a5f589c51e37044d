"""What a person may set for the web page."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic.alias_generators import to_camel

from channels.guessing import LEAST, fault_of

_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?")


class WebSettings(BaseModel):
    """The settings of one account of the channel `web`."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )

    token: SecretStr | None = Field(
        default=None,
        description="What a visitor must know. Without one, only this machine's own browsers are let in; "
        f"with one, every visitor has to give it. At least {LEAST} characters.",
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=(),
        description="Names under which the page may be reached besides 127.0.0.1, localhost and [::1], "
        'for example "chat.example.org" behind a proxy. A name without a port stands for every port.',
        max_length=50,
    )
    max_message_bytes: int = Field(
        default=200_000,
        ge=1_000,
        le=2_000_000,
        description="The longest message that a person may send, in bytes of UTF-8.",
    )

    @field_validator("token")
    @classmethod
    def _token_is_not_guessable(cls, value: SecretStr | None) -> SecretStr | None:
        fault = None if value is None else fault_of(value.get_secret_value())
        if fault is not None:
            raise ValueError(fault)
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts_are_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not _HOST.fullmatch(name.lower()):
                raise ValueError(
                    f"{name!r} is not a host name; allowed is a name or an address with or without a port, "
                    'such as "chat.example.org" or "192.0.2.7:8420", never "*" or a whole address with "http://"'
                )
        return tuple(name.lower() for name in value)
