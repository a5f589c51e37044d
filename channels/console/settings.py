"""What a person may set for the terminal."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class ConsoleSettings(BaseModel):
    """The settings of one account of the channel `console`."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )

    notes: bool = Field(
        default=True,
        description="Show a small line under each answer on a terminal: model, reason, time to the first word.",
    )
    max_message_bytes: int = Field(
        default=200_000,
        ge=1_000,
        le=2_000_000,
        description="The longest line that is taken as a message, in bytes of UTF-8.",
    )
