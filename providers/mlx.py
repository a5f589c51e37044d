"""Models in this very process, by mlx-lm: Metal on Apple silicon, the processor on Linux. Nothing leaves the machine.

`SPEC` is what the entry point names. Importing this loads nothing of mlx; the first question, or warming, does, in a
thread of its own. With a `baseUrl` an mlx_lm.server at that address is asked instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, SecretStr

from providers import presets
from providers.base import Connect, Provider, ProviderSpec
from providers.rows import ModelRow, ServerSettings


class MlxSettings(ServerSettings):
    """`models.providers.mlx`."""

    reserved: ClassVar[frozenset[str]] = frozenset({"model", "messages", "stream"})

    api: Literal["mlx", "openai-completions"] | None = Field(
        default=None, description="The dialect; the second only beside a baseUrl"
    )
    models: tuple[ModelRow, ...] = Field(
        default=(), description="Models by Hugging Face id, by their folder in directory, or by path"
    )
    directory: Path | None = Field(default=None, description="A folder that holds a folder for each model")
    download: bool = Field(
        default=False, description="Fetch models that are missing from the Hugging Face hub: gigabytes"
    )
    preload: tuple[str, ...] | None = Field(
        default=None, description="Models loaded ahead of need; null: the first of models"
    )
    drafts: dict[str, str] = Field(
        default_factory=dict,
        description="Model -> a small one of the same vocabulary that guesses ahead of it",
    )
    draft_tokens: Annotated[int, Field(ge=1, le=16)] = Field(
        default=3, description="Tokens that a draft model guesses at a time"
    )
    max_memory: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="GB that models may take; null: three quarters of this machine's"
    )
    max_context: Annotated[int, Field(ge=256)] = Field(
        default=8192,
        description="Tokens of prompt and answer together, unless a row of models says otherwise",
    )
    max_output: Annotated[int, Field(gt=0)] = Field(
        default=2048, description="Tokens of an answer for which nobody names another limit"
    )
    parallel: Annotated[int, Field(ge=1, le=64)] = Field(
        default=8, description="Answers that are made at the same time"
    )
    waiting: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=32, description="Questions that may wait; the next ones go to another model"
    )
    prefill_step: Annotated[int, Field(ge=16, le=8192)] = Field(
        default=256,
        description="Tokens of a prompt that are read at a time, between two tokens of the others",
    )
    prompt_caches: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=16, description="Prompts that are kept for those that begin alike"
    )
    prompt_cache_memory: Annotated[float, Field(ge=0)] = Field(
        default=1.0, description="GB that kept prompts may take"
    )
    default_params: dict[str, Any] = Field(
        default_factory=dict, description="temperature, top_p, top_k, min_p, repetition_penalty, stop"
    )
    base_url: str | None = Field(
        default=None, description="Address of an mlx_lm.server to ask instead, e.g. http://127.0.0.1:8080/v1"
    )
    api_key: SecretStr | None = Field(
        default=None, description="Of that server: ${VAR}, profile:NAME or the key"
    )
    headers: dict[str, str] = Field(
        default_factory=dict, description="Sent with every request to that server"
    )


def _open(name: str, settings: MlxSettings, connect: Connect) -> Provider:
    if settings.base_url is not None:
        from providers.openai_client import OpenAICompatible

        return OpenAICompatible(name, settings.base_url, settings, presets.find(name), connect)
    from providers.mlx_client import Mlx

    return Mlx(name, settings)


SPEC = ProviderSpec(
    name="mlx",
    title="Models in this process (mlx)",
    settings=MlxSettings,
    open=_open,
    extra="mlx",
    apis=("mlx",),
)
