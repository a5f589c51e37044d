"""Fetches models from the Hugging Face hub, where the settings allow it, in a process of its own that can be ended."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

import structlog

from providers.errors import ErrorKind, ProviderError

FETCH_TIMEOUT = 6 * 3600.0
"""Seconds for one model: 40 GB at 2 MB/s. What has come by then is kept, and the next attempt goes on from there."""

_SCRIPT = """
import sys
from huggingface_hub import snapshot_download
snapshot_download(sys.argv[1], allow_patterns=[
    "*.json", "model*.safetensors", "tokenizer.model", "*.tiktoken", "*.txt", "*.jsonl", "*.jinja"])
"""
"""The files that mlx_lm.load asks for (mlx_lm.utils, 0.32.2), its Python files left out: they are never run here."""


class Fetcher:
    """One process for each model that is wanted. A question that is cancelled leaves it running; `aclose` ends all."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._log = structlog.get_logger()

    async def fetch(self, model: str) -> None:
        """Wait until the model is here. Raises MODEL_GONE when it cannot be fetched."""
        task = self._tasks.get(model)
        if task is None:
            task = self._tasks[model] = asyncio.create_task(self._run(model))
            task.add_done_callback(lambda done: self._over(model, done))
        await asyncio.shield(task)

    async def aclose(self) -> None:
        """End what is still being fetched."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _over(self, model: str, task: asyncio.Task[None]) -> None:
        self._tasks.pop(model, None)
        if not task.cancelled() and (error := task.exception()) is not None:  # perhaps nobody waits any more
            self._log.warning("model not fetched", model=model, error=type(error).__name__)

    async def _run(self, model: str) -> None:
        self._log.info("model being fetched", model=model)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _SCRIPT, model),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(FETCH_TIMEOUT):
                _, said = await process.communicate()
        except TimeoutError as error:
            raise ProviderError(ErrorKind.MODEL_GONE, f"{model} was not fetched in time") from error
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode:
            lines = said.decode(errors="replace").strip().splitlines()
            why = _named(lines[-1]) if lines else ""
            raise ProviderError(
                ErrorKind.MODEL_GONE, f"{model} cannot be fetched: {why or 'no reason given'}"
            )
        self._log.info("model fetched", model=model)


def _named(line: str) -> str:
    """The kind of an exception in the last line of a traceback; its words may hold a token or an address."""
    return line.partition(":")[0].rpartition(".")[2][:80]
