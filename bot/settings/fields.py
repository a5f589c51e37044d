"""What fields of the configuration are made of: the strict section, and the kinds of single values."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from bot.settings.shapes import Allowed


class Section(BaseModel):
    """A part of the tree: strict, frozen, camelCase from outside."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, hide_input_in_errors=True
    )


def _id_text(value: Any) -> Any:
    """Ids are often written as bare numbers."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Text = Annotated[str, Field(strict=True)]
Name = Annotated[str, Field(strict=True, min_length=1)]
Flag = Annotated[bool, Field(strict=True)]
Port = Annotated[int, Field(strict=True, ge=0, le=65535)]
Count = Annotated[int, Field(strict=True, ge=1)]
Usd = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Id = Annotated[
    str,
    BeforeValidator(_id_text),
    Field(strict=True, min_length=1, pattern=r"\S"),
    Allowed("an id as text or number"),
]
Ids = tuple[Id, ...]
Ref = Annotated[
    str,
    Field(strict=True, min_length=1, pattern=r"^\S+$"),
    Allowed('a model as "provider/model", or an alias'),
]
Url = Annotated[
    str,
    Field(strict=True, pattern=r"^https?://[^\s/@]+(/\S*)?$"),
    Allowed("a URL that starts with http:// or https://"),
]
