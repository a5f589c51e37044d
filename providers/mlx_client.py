"""The provider's side on the loop: questions in, events out. Models live in the worker's thread."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, assert_never

from providers import mlx_disk, models
from providers.base import (
    CompletionRequest,
    Credential,
    Finished,
    ModelSettings,
    ModelSpec,
    Started,
    StreamEvent,
    Usage,
    refuse_to_continue,
)
from providers.errors import ErrorKind, ProviderError
from providers.mlx_fetch import Fetcher
from providers.mlx_fit import GB, budget
from providers.mlx_prompt import continues
from providers.mlx_shelf import Bounds, Shelf
from providers.mlx_worker import Ended, Job, Said, Taken, Tally, Worker
from providers.profile import CacheStyle
from providers.rows import ModelRow
from providers.thinking import OPEN, ThinkSplitter

CLOSE_TIMEOUT = 10.0
"""Seconds that `aclose` waits for the thread: a step takes less than one, loading a large model may take more."""

LIST_TIMEOUT = 5.0


class Given(Protocol):
    """What the provider reads of its settings."""

    @property
    def models(self) -> Sequence[ModelRow]:
        """Models that the settings name."""

    @property
    def default_params(self) -> Mapping[str, Any]:
        """Put under every request's own."""

    @property
    def directory(self) -> Path | None:
        """A folder with a folder for each model."""

    @property
    def preload(self) -> Sequence[str] | None:
        """Loaded ahead of need."""

    @property
    def drafts(self) -> Mapping[str, str]:
        """Draft models."""

    @property
    def download(self) -> bool:
        """Missing models are fetched."""

    @property
    def max_memory(self) -> float | None:
        """GB."""

    @property
    def max_context(self) -> int:
        """Tokens."""

    @property
    def max_output(self) -> int:
        """Tokens of an answer of which nobody says more."""

    @property
    def draft_tokens(self) -> int:
        """Guesses at a time."""

    @property
    def parallel(self) -> int:
        """Answers at a time."""

    @property
    def waiting(self) -> int:
        """Questions that may wait."""

    @property
    def prefill_step(self) -> int:
        """Tokens of a prompt read at a time."""

    @property
    def prompt_caches(self) -> int:
        """Prompts kept."""

    @property
    def prompt_cache_memory(self) -> float:
        """GB."""


class Mlx:
    """Models in this process. The thread starts with the first question; safe for many streams at once."""

    def __init__(self, name: str, settings: Given, environ: Mapping[str, str] | None = None) -> None:
        self._name = name
        self._settings = settings
        self._environ = dict(os.environ if environ is None else environ)
        self._fetcher = Fetcher()
        self._rows = {row.id: row for row in settings.models}
        params = dict(settings.default_params)
        self._worker = Worker(
            name, self._shelf, waiting=settings.waiting, max_output=settings.max_output, params=params
        )

    @property
    def name(self) -> str:
        """Its name in the settings, the first part of its models' refs."""
        return self._name

    @property
    def tally(self) -> Tally:
        """What has been done since the provider was opened; changes while it works."""
        return self._worker.tally

    @asynccontextmanager
    async def stream(
        self, model: ModelSpec, request: CompletionRequest, credential: Credential
    ) -> AsyncIterator[AsyncIterator[StreamEvent]]:
        """Ask a model, which is loaded first if it is not; see providers.base.Provider."""
        refuse_to_continue(model, request)
        async with aclosing(self._events(model, request)) as events:
            yield events

    async def warm_prompt(
        self, model: ModelSpec, request: CompletionRequest, credential: Credential
    ) -> Usage:
        """Read the stable messages into the cache of prompts; nothing is said."""
        async with aclosing(self._news(self._job(model, request, only_reads=True))) as news:
            async for each in news:
                if isinstance(each, Ended):
                    return each.usage
        raise ProviderError(ErrorKind.CANCELLED, f"{self._name} was closed")

    async def warm(self) -> None:
        """Load the models of `preload`, else the first that the settings name. Never raises."""
        chosen = self._settings.preload
        for name in [row.id for row in self._settings.models[:1]] if chosen is None else chosen:
            with suppress(ProviderError):  # told with the first question
                job = self._job(ModelSpec(self._name, name), None)
                async with aclosing(self._news(job)) as news:
                    async for _ in news:
                        pass

    async def list_models(self, credential: Credential) -> Sequence[ModelSpec]:
        """The models that the settings name and those on this machine's disk."""
        try:
            async with asyncio.timeout(LIST_TIMEOUT):
                found = await asyncio.to_thread(self._on_disk)
        except TimeoutError as error:
            raise ProviderError(ErrorKind.TOTAL, "the disk did not answer") from error
        return [self._spec(name, found.get(name)) for name in dict.fromkeys((*self._rows, *found))]

    async def aclose(self) -> None:
        """End the thread after the step that it is at, and wait for it up to CLOSE_TIMEOUT seconds."""
        self._worker.shut()
        await self._fetcher.aclose()
        await asyncio.to_thread(self._worker.close, CLOSE_TIMEOUT)

    def _shelf(self) -> Shelf:
        """Made in the thread, to which it belongs."""
        given, machine = self._settings, mlx_disk.machine_memory()
        bounds = Bounds(
            memory=budget(machine, given.max_memory),
            machine=machine,
            context=given.max_context,
            parallel=given.parallel,
            prefill_step=given.prefill_step,
            draft_tokens=given.draft_tokens,
            cached_prompts=given.prompt_caches,
            cached_bytes=int(given.prompt_cache_memory * GB) if given.prompt_caches else 0,
        )
        return Shelf(given.directory, given.drafts, bounds, self._environ)

    def _job(self, model: ModelSpec, request: CompletionRequest | None, *, only_reads: bool = False) -> Job:
        row = self._rows.get(model.model)
        return Job(
            model=model.model,
            request=request,
            context=row.context_window if row is not None else None,
            max_output=model.max_output,
            loop=asyncio.get_running_loop(),
            only_reads=only_reads,
        )

    async def _news(self, job: Job) -> AsyncGenerator[Taken | Said | Ended, None]:
        """What comes of a job, up to its end. Leaving early drops it."""
        await self._fetched(job.model)
        self._worker.ask(job)
        is_over = False
        try:
            while not is_over:
                for each in await job.news():
                    if isinstance(each, ProviderError):
                        is_over = True
                        raise each
                    is_over = isinstance(each, Ended)
                    yield each
        finally:
            if not is_over:
                self._worker.drop(job)

    async def _fetched(self, model: str) -> None:
        """Models that the settings allow to be fetched are here, or this raises."""
        if not self._settings.download:
            return
        for name in (model, self._settings.drafts.get(model)):
            if name is None or not mlx_disk.can_be_fetched(name):
                continue
            if (
                await asyncio.to_thread(mlx_disk.locate, name, self._settings.directory, self._environ)
                is None
            ):
                await self._fetcher.fetch(name)

    async def _events(
        self, model: ModelSpec, request: CompletionRequest
    ) -> AsyncGenerator[StreamEvent, None]:
        splitter = ThinkSplitter()
        async with aclosing(self._news(self._job(model, request))) as news:
            async for each in news:
                match each:
                    case Taken(opens_thought):
                        yield Started(model_reported=model.model)
                        if opens_thought and not continues(request):
                            splitter.feed(OPEN)
                    case Said(text):
                        for part in splitter.feed(text):
                            yield part
                    case Ended(reason, usage):
                        for part in splitter.close():
                            yield part
                        yield Finished(reason, usage, reason.value)
                    case _:
                        assert_never(each)

    def _on_disk(self) -> dict[str, int | None]:
        """Ids of the models on disk, with their windows. Blocks."""
        found: dict[str, int | None] = {}
        for name, folder in mlx_disk.listed(self._settings.directory, self._environ):
            if models.is_for_chat(name):
                window = mlx_disk.read_config(folder).get("max_position_embeddings")
                found[name] = window if isinstance(window, int) else None
        return found

    def _spec(self, name: str, window: int | None) -> ModelSpec:
        row = self._rows.get(name) or ModelRow(id=name)
        given = row.plain()
        wanted = given.context_window or min(self._settings.max_context, window or self._settings.max_context)
        spec = models.describe(
            self._name,
            ModelSettings(name, given.title, wanted, given.max_output, given.price),
            is_local=True,
        )
        return self.describe(spec)

    def describe(self, model: ModelSpec) -> ModelSpec:
        """See providers.base.Describes: answers are continued, tools are not called."""
        profile = replace(
            model.profile,
            prefill=True,
            tools=False,
            cache=CacheStyle.AUTO,
            source="the model's files; mlx-lm 0.32, 2026-11",
        )
        return replace(model, profile=profile, is_local=True)
