"""The models that are loaded: found on disk, measured beforehand, put away when another needs the room."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from providers import mlx_disk
from providers.base import FinishReason
from providers.errors import ErrorKind, ProviderError
from providers.mlx_engine import Engine, Read, Run
from providers.mlx_fit import Shape, needed, refusal, room
from providers.mlx_prefix import Prefixes
from providers.mlx_runtime import Library, Loaded, library

WARM_TOKENS = 4
"""Said once after loading: the first tokens of all compile what runs later (0.5 to 1.6 s on Linux, 2026-11)."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may be used. `memory` and `machine`: bytes. `context`: tokens of one conversation."""

    memory: int
    machine: int
    context: int
    parallel: int
    prefill_step: int
    draft_tokens: int
    cached_prompts: int
    cached_bytes: int


@dataclass(slots=True)
class Placed:
    """A loaded model, what it takes, and how many tokens of context all its answers may take together."""

    engine: Engine
    size: int
    context: int
    room: int


class Shelf:
    """Every call belongs to the thread that owns the models, and may take as long as loading one takes."""

    def __init__(
        self, own: Path | None, drafts: Mapping[str, str], bounds: Bounds, environ: Mapping[str, str]
    ) -> None:
        self._own = own
        self._drafts = drafts
        self._bounds = bounds
        self._environ = environ
        self._placed: dict[str, Placed] = {}
        self._log = structlog.get_logger()
        self.used: Library | None = None
        self.prefixes: Prefixes[Read] = Prefixes(bounds.cached_prompts, bounds.cached_bytes)

    def __len__(self) -> int:
        return len(self._placed)

    def placed(self) -> list[Placed]:
        """What is loaded, the longest unused first."""
        return list(self._placed.values())

    def get(self, model: str, context: int | None) -> Placed:
        """A model, loaded and warmed if it is not yet; `context` stands over the settings' tokens.

        MODEL_GONE: it is not here, cannot be loaded or does not fit. OVERLOADED: others are at work in its room.
        """
        folder = self._folder(model)
        draft = self._folder(self._drafts[model]) if model in self._drafts else None
        key = f"{folder}\n{draft or ''}"  # a newer snapshot lies in another folder, and is another model
        if key in self._placed:
            self._placed[key] = self._placed.pop(key)
            return self._placed[key]
        try:
            shape = mlx_disk.read_shape(folder)
            helper = mlx_disk.read_shape(draft) if draft is not None else None
        except (OSError, ValueError) as error:
            raise ProviderError(ErrorKind.MODEL_GONE, f"{model} cannot be read: {error}") from error
        wanted = min(context or self._bounds.context, shape.window or 2**40)
        size = self._make_room(model, shape, helper, wanted)
        free = self._bounds.memory - self._bounds.cached_bytes - self._taken() - size
        began = time.monotonic()
        engine = self._engine(key, folder, draft)
        took = round(time.monotonic() - began, 2)
        self._log.info("model loaded", model=model, load=took, memory_bytes=size, context=wanted)
        placed = Placed(engine, size, wanted, wanted + room(shape, free=free, draft=helper))
        self._placed[key] = placed
        return placed

    def clear(self) -> None:
        """Put everything away."""
        for placed in self._placed.values():
            placed.engine.close()
        self._placed.clear()

    def _folder(self, model: str) -> Path:
        folder = mlx_disk.locate(model, self._own, self._environ)
        if folder is None:
            raise mlx_disk.missing(model, self._environ)
        return folder

    def _make_room(self, model: str, shape: Shape, helper: Shape | None, context: int) -> int:
        """What the model takes without the cached prompts, which all share; idle models make room for it."""
        bounds = self._bounds
        problem = refusal(
            model,
            shape,
            context=context,
            cached=bounds.cached_bytes,
            allowed=bounds.memory,
            machine=bounds.machine,
            draft=helper,
        )
        if problem is not None:
            raise ProviderError(ErrorKind.MODEL_GONE, problem)
        size = needed(shape, context=context, draft=helper)
        allowed = bounds.memory - bounds.cached_bytes
        for key, placed in list(self._placed.items()):
            if size + self._taken() <= allowed:
                break
            if not len(placed.engine):
                placed.engine.close()
                del self._placed[key]
        if size + self._taken() > allowed:
            raise ProviderError(ErrorKind.OVERLOADED, f"{model} has no room beside the models at work")
        return size

    def _taken(self) -> int:
        return sum(placed.size for placed in self._placed.values())

    def _engine(self, key: str, folder: Path, draft: Path | None) -> Engine:
        self.used = self.used or library()
        engine = Engine(
            key,
            Loaded(self.used, folder, draft),
            self.prefixes,
            parallel=self._bounds.parallel,
            prefill_step=self._bounds.prefill_step,
            draft_tokens=self._bounds.draft_tokens,
        )
        _warm_up(engine)
        return engine


def _warm_up(engine: Engine) -> None:
    """One short answer by each way of making one."""
    tokens = engine.loaded.encode([{"role": "user", "content": "Hi"}], goes_on=False, thinks=False)
    runs = [Run(tokens, WARM_TOKENS) for _ in range(2 if engine.loaded.draft is not None else 1)]
    for run in runs:
        engine.start(run)
    try:
        while len(engine):
            engine.step()
    except Exception as error:  # whatever the model's own code raises
        text = f"{Path(engine.key.partition(chr(10))[0]).name} does not run: {type(error).__name__}"
        raise ProviderError(ErrorKind.MODEL_GONE, text) from error


def limits(tokens: int, context: int, wanted: int) -> tuple[int, FinishReason]:
    """Tokens that may be said, and what it means when they have been. CONTEXT_LENGTH where there is no room for one."""
    left = context - tokens
    if left < 1:
        text = f"the prompt has {tokens} tokens, and prompt and answer may have {context}"
        raise ProviderError(ErrorKind.CONTEXT_LENGTH, text)
    return (wanted, FinishReason.LENGTH) if wanted <= left else (left, FinishReason.CONTEXT)
