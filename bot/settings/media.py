"""What is done with files that people send."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bot.settings.fields import Section
from bot.settings.shapes import Allowed

ModelRef = Annotated[
    str,
    Field(strict=True, pattern=r"^[^\s/]+/\S+$"),
    Allowed('a model as "provider/model"'),
]


class TranscriptionSection(Section):
    """Voice notes as words."""

    model: ModelRef | None = Field(
        default=None,
        description="What writes down voice notes and recordings, as provider/model; none: nobody listens to them.",
    )


class MediaSection(Section):
    """What is done with files that people send."""

    transcription: TranscriptionSection = Field(
        default=TranscriptionSection(), description="Voice notes as words."
    )
