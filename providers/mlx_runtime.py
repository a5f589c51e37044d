"""The one place that imports mlx and mlx-lm: a loaded model, its template, its tokens, and the end of its thread.

Everything here is called in the thread that owns the models, and blocks. Importing this module imports nothing of
mlx; `load` does (1 to 5 s and 72 MB with transformers, mlx-lm 0.32.2, two cores, 2026-11).
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from providers.errors import ErrorKind, ProviderError
from providers.mlx_disk import read_config
from providers.mlx_prompt import Chat, Sampling, folded, transcript
from providers.thinking import CLOSE, OPEN

INSTALL = "the extra is missing: pip install 'firstword[mlx]'"

MIN_SPECIAL = 5
"""Characters; shorter control words ("<s>") are ordinary text and mark-up too often to be changed."""


@dataclass(frozen=True, slots=True)
class Library:
    """The modules in use, typed loosely: they are an extra, and types must not depend on what is installed."""

    core: Any
    generate: Any
    cache: Any
    sampling: Any
    utils: Any


def library() -> Library:
    """Import it. MODEL_GONE where the extra is missing or does not run on this machine."""
    try:
        core = import_module("mlx.core")
        names = ("generate", "models.cache", "sample_utils", "utils")
        found = Library(core, *(import_module(f"mlx_lm.{name}") for name in names))
    except ModuleNotFoundError as error:
        raise ProviderError(ErrorKind.MODEL_GONE, INSTALL) from error
    except ImportError as error:
        raise ProviderError(ErrorKind.MODEL_GONE, f"mlx does not run here: {str(error)[:200]}") from error
    for name in ("transformers", "huggingface_hub"):
        logging.getLogger(name).setLevel(logging.ERROR)  # they advise on standard error, PyTorch first
    return found


def release(used: Library | None) -> None:
    """At the end of the thread, when nothing refers to a model any more.

    Streams that are left to the end of the process abort it now and then ("terminate called without an active
    exception": 4 of 12 runs with mlx 0.32.4 on Linux, none of 12 with this; 2026-11).
    """
    gc.collect()
    if used is not None:
        used.core.synchronize()
        used.core.clear_cache()
        used.core.clear_streams()


class Loaded:
    """A model with its tokeniser and, if wanted, a draft model that guesses ahead of it."""

    def __init__(self, used: Library, folder: Path, draft_folder: Path | None) -> None:
        self.used = used
        self.published: Mapping[str, Any] = read_config(folder, "generation_config.json")
        self.model, self.tokenizer = _load(used, folder)
        self.draft: Any = None
        if draft_folder is not None:
            self.draft, drafts = _load(used, draft_folder)
            if drafts.get_vocab() != self.tokenizer.get_vocab():
                text = f"{draft_folder.name} cannot guess for {folder.name}: they have different vocabularies"
                raise ProviderError(ErrorKind.MODEL_GONE, text)
        fresh = used.cache.make_prompt_cache(self.model)
        self.cuts = bool(used.cache.can_trim_prompt_cache(fresh))
        self.is_batchable = all(hasattr(each, "merge") for each in fresh)
        if self.draft is not None and not (
            self.cuts and used.cache.can_trim_prompt_cache(used.cache.make_prompt_cache(self.draft))
        ):
            self.draft = None  # guesses that are wrong could not be taken back
        self.tags = _tags(self.tokenizer)
        specials = getattr(self.tokenizer, "all_special_tokens", ())
        self._specials = tuple(each for each in specials if len(each) >= MIN_SPECIAL)

    def encode(self, chat: Chat, *, goes_on: bool, thinks: bool) -> tuple[int, ...]:
        """The tokens of a conversation by the model's own template. BAD_REQUEST where it takes none of this."""
        chat = [{**each, "content": self._harmless(each)} for each in chat]
        if not self.tokenizer.has_chat_template:
            return tuple(self.tokenizer.encode(transcript(chat, continues=goes_on)))
        problem: Exception | None = None
        for each in (chat, folded(chat)):
            try:
                return self._applied(each, goes_on=goes_on, thinks=thinks)
            except Exception as error:  # noqa: BLE001 - a template is a program of the model's author
                problem = error
        text = f"the model's template does not take this conversation: {type(problem).__name__}"
        raise ProviderError(ErrorKind.BAD_REQUEST, text) from problem

    def opens_thought(self, tokens: Sequence[int]) -> bool:
        """The prompt ends inside a thought that the template has opened for the model."""
        if not self.tags:
            return False
        tail = list(tokens[-16:])
        return bool(self.tokenizer.rfind_think_start(tail) > self.tokenizer.rfind_think_end(tail))

    def sampler(self, sampling: Sampling) -> Any:
        """A function from probabilities to tokens."""
        return self.used.sampling.make_sampler(
            temp=sampling.temperature, top_p=sampling.top_p, min_p=sampling.min_p, top_k=sampling.top_k
        )

    def processors(self, sampling: Sampling) -> list[Any]:
        """What changes the probabilities before a token is chosen."""
        if not sampling.repetition_penalty:
            return []
        return list(self.used.sampling.make_logits_processors(repetition_penalty=sampling.repetition_penalty))

    def _applied(self, chat: Chat, *, goes_on: bool, thinks: bool) -> tuple[int, ...]:
        if not goes_on:
            found = self.tokenizer.apply_chat_template(
                chat, add_generation_prompt=True, enable_thinking=thinks and self.tokenizer.has_thinking
            )
            return tuple(found)
        # The words so far stand behind the opening of an answer, as the model itself would have written them;
        # `continue_final_message` fails with templates that trim or rewrite what was said.
        text = self.tokenizer.apply_chat_template(
            chat[:-1], add_generation_prompt=True, tokenize=False, enable_thinking=False
        )
        if self.tokenizer.has_thinking and text.rstrip().endswith(self.tokenizer.think_start):
            text = f"{text}{self.tokenizer.think_end}\n\n"
        return tuple(self.tokenizer.encode(text + chat[-1]["content"], add_special_tokens=False))

    def _harmless(self, each: Mapping[str, str]) -> str:
        """A message's text without halves of characters, and without control words that a person made up."""
        text = each["content"].encode("utf-8", "replace").decode()
        if each["role"] != "user":
            return text
        for special in self._specials:
            text = text.replace(special, f"{special[0]} {special[1:]}")
        return text


def _tags(tokenizer: Any) -> dict[int, str]:
    """The tokens that begin and end a thought, in the words that all models' are told apart by.

    Empty where a model has none, or writes them in several tokens: then its thoughts cannot be told from its answer.
    """
    if (
        not tokenizer.has_thinking
        or len(tokenizer.think_start_tokens) != 1
        or len(tokenizer.think_end_tokens) != 1
    ):
        return {}
    return {tokenizer.think_start_tokens[0]: OPEN, tokenizer.think_end_tokens[0]: CLOSE}


def _load(used: Library, folder: Path) -> tuple[Any, Any]:
    try:
        model, tokenizer = used.utils.load(str(folder))
    except ProviderError:
        raise
    except Exception as error:  # every architecture and tokeniser has errors of its own
        text = f"{folder.name} cannot be loaded: {type(error).__name__}: {str(error)[:160]}"
        raise ProviderError(ErrorKind.MODEL_GONE, text) from error
    return model, tokenizer
