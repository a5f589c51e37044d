"""Askers whose model runs in their own process: the stand-in, mlx with a model made on the spot, and mlx_lm alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from providers.base import CompletionRequest, PromptMessage, Role

if TYPE_CHECKING:
    from tests.bench.askers import Ask

PIECES = 25
"""Of an answer, as the mock model's."""

MAX_TOKENS = 64
RULES = "Answer in a few words and be kind to everybody. "


def has_mlx() -> bool:
    """The extra is installed."""
    return find_spec("mlx_lm") is not None


def short(question: str) -> CompletionRequest:
    """A short prompt: how fast a machine reads a long one is not what is asked here."""
    return CompletionRequest(
        (PromptMessage(Role.SYSTEM, RULES), PromptMessage(Role.USER, question)), stable=1
    )


@contextmanager
def settings_of(name: str) -> Iterator[Mapping[str, Any]]:
    """What the provider is given; a model of mlx lives as long as this."""
    if name == "demo":
        yield {"ttft": 0.0, "tokensPerSecond": 500}
        return
    with _folder() as folder:
        yield {"directory": str(folder.parent), "models": [{"id": folder.name}]}


@asynccontextmanager
async def mlx_alone() -> AsyncIterator[Ask]:
    """mlx_lm's own generator, on the loop's thread, one answer after the other."""
    with _folder() as folder:
        mlx_lm = import_module("mlx_lm")
        model, tokenizer = mlx_lm.load(str(folder))
        greedy = import_module("mlx_lm.sample_utils").make_sampler(temp=0.0)

        async def ask(question: str, on_first: Callable[[], None]) -> None:
            messages = [{"role": one.role.value, "content": one.text} for one in short(question).messages]
            prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True)
            has_text = False
            for piece in mlx_lm.stream_generate(
                model, tokenizer, prompt, max_tokens=MAX_TOKENS, sampler=greedy
            ):
                if piece.text and not has_text:
                    has_text = True
                    on_first()

        yield ask


@contextmanager
def _folder() -> Iterator[Path]:
    from tests.providers.mlx import tiny

    with TemporaryDirectory(prefix="firstword-bench-") as parent:
        script = [f" word{number}" for number in range(PIECES)]
        yield tiny.write(Path(parent) / "says", script=script)
