"""How much people may say."""

from __future__ import annotations

from pydantic import Field

from bot.settings.fields import Count, Section


class RateSection(Section):
    """How many messages; owners and admins are not counted."""

    per_minute: Count | None = Field(default=None, description="Messages a minute; null: without limit.")
    per_day: Count | None = Field(default=None, description="Messages a day, UTC; null: without limit.")


class SenderRate(RateSection):
    """How many messages one person may send."""

    per_minute: Count | None = Field(default=20, description="Messages a minute; null: without limit.")
    per_day: Count | None = Field(default=200, description="Messages a day, UTC; null: without limit.")


class ConversationRate(RateSection):
    """How many messages one conversation may bring, whoever writes them."""

    per_minute: Count | None = Field(default=60, description="Messages a minute; null: without limit.")
    per_day: Count | None = Field(default=2_000, description="Messages a day, UTC; null: without limit.")


class LimitsSection(Section):
    """How much people may say; what an owner or admin says is not counted, nor is /stop."""

    per_sender: SenderRate = Field(default=SenderRate(), description="For each person.")
    per_conversation: ConversationRate = Field(
        default=ConversationRate(), description="For each conversation, whoever writes there."
    )
