"""The one thread that owns all models: takes questions from the loop, hands tokens back, ends cleanly.

The loop never waits for the thread and the thread never for the loop. What was said and not yet fetched is one
growing text an answer, so nothing piles up but the answer itself, which has a limit.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from providers.base import CompletionRequest, FinishReason, Usage
from providers.errors import ErrorKind, ProviderError
from providers.mlx_engine import Engine, Run
from providers.mlx_prefix import common
from providers.mlx_prompt import (
    Sampling,
    chat_of,
    continues,
    sampling_of,
    stable_probes,
    stops_of,
    thinks,
)
from providers.mlx_runtime import Loaded, release
from providers.mlx_shelf import Placed, Shelf, limits

EXIT_TIMEOUT = 5.0
"""Seconds that the end of the process waits for the thread, where nobody closed the provider."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The prompt is understood; `opens_thought`: the answer begins inside a thought."""

    opens_thought: bool


@dataclass(frozen=True, slots=True)
class Said:
    """More text."""

    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The answer is whole."""

    reason: FinishReason
    usage: Usage


News = Taken | Said | Ended | ProviderError


@dataclass(slots=True, eq=False)
class Job:
    """A question and the way back to who asked. `only_reads`: the stable messages are read, nothing is said.

    Without a request the model is only loaded.
    """

    model: str
    request: CompletionRequest | None
    context: int | None
    max_output: int | None
    loop: asyncio.AbstractEventLoop
    only_reads: bool = False
    asked: float = field(default_factory=time.monotonic)
    begun: float = 0.0
    spoke: float = 0.0
    placed: Placed | None = None
    run: Run | None = None
    is_dropped: bool = False
    _news: deque[News] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _here: asyncio.Event = field(default_factory=asyncio.Event)
    _told: bool = False

    def post(self, news: News) -> None:
        """From the thread: more has happened. Text joins the text that nobody has fetched yet."""
        with self._lock:
            last = self._news[-1] if self._news else None
            if isinstance(news, Said) and isinstance(last, Said):
                self._news[-1] = Said(last.text + news.text)
            else:
                self._news.append(news)
            if self._told:
                return
            self._told = True
        try:
            self.loop.call_soon_threadsafe(self._here.set)
        except RuntimeError:  # the loop is closed; nobody listens any more
            self.is_dropped = True

    async def news(self) -> Sequence[News]:
        """On the loop: what has happened since the last time, once there is something."""
        await self._here.wait()
        with self._lock:
            self._here.clear()
            self._told = False
            found = list(self._news)
            self._news.clear()
        return found


@dataclass(slots=True)
class Tally:
    """What the thread has done; written by it alone.

    Tokens `read`, `cached`, `said` and `drafted`; answers `asked` for and `dropped`; the most `at_once` in one step;
    how many wait now.
    """

    read: int = 0
    cached: int = 0
    said: int = 0
    drafted: int = 0
    asked: int = 0
    dropped: int = 0
    at_once: int = 0
    waiting: int = 0


class Worker:
    """Starts its thread with the first question. `ask` and `drop` are called on the loop and never block."""

    def __init__(
        self,
        name: str,
        shelf: Callable[[], Shelf],
        *,
        waiting: int,
        max_output: int,
        params: dict[str, object],
    ) -> None:
        self._name = name
        self._make_shelf = shelf
        self._waiting = waiting
        self._max_output = max_output
        self._params = params
        self._inbox: SimpleQueue[Job | None] = SimpleQueue()
        self._jobs: list[Job] = []
        self._line: deque[Job] = deque()
        self._thread: threading.Thread | None = None
        self._is_closing = False
        self.tally = Tally()

    def ask(self, job: Job) -> None:
        """Hand a question in. OVERLOADED where too many wait already, CANCELLED after `close`."""
        if self._is_closing:
            raise ProviderError(ErrorKind.CANCELLED, f"{self._name} is closed")
        if self._inbox.qsize() + self.tally.waiting >= self._waiting:
            raise ProviderError(ErrorKind.OVERLOADED, f"{self._waiting} questions wait already")
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work, name=f"models {self._name}", daemon=True)
            self._thread.start()
            atexit.register(self.close, EXIT_TIMEOUT)
        self._inbox.put(job)

    def drop(self, job: Job) -> None:
        """Nobody wants the answer any more: not a token more than the one that is being made."""
        job.is_dropped = True
        if self._thread is not None:
            self._inbox.put(None)

    def shut(self) -> None:
        """Take no question any more. Called on the loop, as `ask` is, so that none slips through."""
        self._is_closing = True

    def close(self, timeout: float) -> bool:
        """End the thread after its step and wait for it; blocks. False: it is still loading a model."""
        self._is_closing = True
        thread = self._thread
        if thread is None:
            return True
        self._inbox.put(None)
        thread.join(timeout)
        if thread.is_alive():
            return False
        self._thread = None
        atexit.unregister(self.close)
        return True

    def _work(self) -> None:
        shelf = self._make_shelf()
        try:
            self._serve(shelf)
        finally:
            gone = ProviderError(ErrorKind.CANCELLED, f"{self._name} was closed")
            while not self._inbox.empty():
                if (left := self._inbox.get()) is not None:
                    self._line.append(left)
            for job in (*self._jobs, *self._line):
                job.post(gone)
                job.placed = job.run = None
            self._jobs.clear()
            self._line.clear()
            shelf.clear()
            used = shelf.used
            del shelf
            release(used)

    def _serve(self, shelf: Shelf) -> None:
        while not self._is_closing:
            self._take(waits=not self._line and not self._jobs)
            self._admit(shelf)
            for placed in shelf.placed():
                if len(placed.engine):
                    self._step(placed.engine)

    def _take(self, *, waits: bool) -> None:
        """New questions, in their order; what was dropped is gone before the next step."""
        with suppress(Empty):
            while True:
                job = self._inbox.get(block=waits)
                waits = False
                if job is not None:
                    self._line.append(job)
        for job in [job for job in (*self._jobs, *self._line) if job.is_dropped]:
            (self._jobs if job in self._jobs else self._line).remove(job)
            self.tally.dropped += 1
            if job.placed is not None and job.run is not None:
                job.placed.engine.drop(job.run)
            job.placed = job.run = None
        self.tally.waiting = len(self._line)

    def _admit(self, shelf: Shelf) -> None:
        """Questions go in as long as their context fits beside that of the others; then all behind them wait."""
        while self._line:
            job = self._line[0]
            try:
                if not self._begun(job, shelf):
                    return
            except ProviderError as error:
                # Without the traceback, which would keep models alive beyond the thread that owns them.
                job.post(ProviderError(error.kind, error.detail))
            except Exception as error:  # noqa: BLE001 - the thread must outlive whatever a model raises
                job.post(ProviderError(ErrorKind.SERVER, f"{job.model}: {type(error).__name__}"))
            self._line.popleft()
            self.tally.waiting = len(self._line)

    def _begun(self, job: Job, shelf: Shelf) -> bool:
        job.placed = job.placed or shelf.get(job.model, job.context)
        engine = job.placed.engine
        if job.request is None:
            job.post(Ended(FinishReason.STOP, Usage()))
            return True
        if job.run is None:
            job.run = self._run(job, job.placed)
            if job.run is None:
                job.post(Ended(FinishReason.STOP, Usage()))
                return True
        if len(engine) and engine.taken + job.run.size > job.placed.room:
            return False
        job.begun = time.monotonic()
        engine.start(job.run)
        self._jobs.append(job)
        self.tally.asked += 1
        self.tally.cached += job.run.cached
        self.tally.read += len(job.run.tokens) - job.run.cached
        job.post(Taken(job.run.is_thinking))
        return True

    def _run(self, job: Job, placed: Placed) -> Run | None:
        """The question in the model's tokens; None where nothing is to be read."""
        request, loaded = job.request, placed.engine.loaded
        assert request is not None  # noqa: S101 - the caller has looked
        if job.only_reads:
            tokens = _stable_tokens(request, loaded)
            if not tokens:
                return None
            limits(len(tokens), placed.context, 1)
            return Run(tokens, 0)
        sampling: Sampling = sampling_of(request.options, self._params, loaded.published)
        stops = stops_of(request.options, self._params)
        tokens = loaded.encode(
            chat_of(request.messages), goes_on=continues(request), thinks=thinks(request.options)
        )
        published = loaded.published.get("max_new_tokens")
        wanted = request.options.max_output or job.max_output
        if wanted is None:
            wanted = published if isinstance(published, int) and published > 0 else self._max_output
        limit, at_limit = limits(len(tokens), placed.context, wanted)
        return Run(tokens, limit, at_limit, sampling, stops)

    def _step(self, engine: Engine) -> None:
        mine = {id(job.run): job for job in self._jobs if job.run is not None}
        self.tally.at_once = max(self.tally.at_once, len(engine))
        try:
            steps = engine.step()
        except Exception as error:  # noqa: BLE001 - the thread must outlive whatever a model raises
            text = f"the model failed: {type(error).__name__}: {str(error)[:160]}"
            failed = ProviderError(ErrorKind.SERVER, text)
            engine.reset()
            for job in [job for job in self._jobs if job.placed is not None and job.placed.engine is engine]:
                self._jobs.remove(job)
                job.post(failed)
            return
        for step in steps:
            job = mine[id(step.run)]
            job.spoke = job.spoke or time.monotonic()
            self.tally.said += step.run.limit > 0
            if step.run.limit > 0:
                job.post(Said(step.text))
            if step.end is not None:
                self.tally.drafted += step.run.drafted
                self._jobs.remove(job)
                job.post(Ended(step.end, _usage(job, step.run)))
                job.placed = job.run = None


def _usage(job: Job, run: Run) -> Usage:
    return Usage(
        input_tokens=len(run.tokens),
        output_tokens=run.produced,
        cached_tokens=run.cached,
        reasoning_tokens=run.thought,
        queued=job.begun - job.asked,
        cache_write_tokens=len(run.tokens) - run.cached if run.limit == 0 else 0,
        prompt_time=job.spoke - job.begun,
    )


def _stable_tokens(request: CompletionRequest, loaded: Loaded) -> tuple[int, ...]:
    probes = stable_probes(request)
    if probes is None:
        return ()
    first, second = (loaded.encode(probe, goes_on=False, thinks=thinks(request.options)) for probe in probes)
    return first[: common(first, second)]
