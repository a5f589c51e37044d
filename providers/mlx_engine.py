"""One loaded model at work: a batch that answers join and leave at any token, and solo answers with a draft model.

Every call belongs to the thread that owns the model. `step` makes at most one token for each answer, so whoever asks
between steps can drop an answer within one token, and a prompt within one piece of it.
"""

from __future__ import annotations

import copy
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from providers.base import FinishReason
from providers.mlx_prefix import Entry, Hit, Prefixes
from providers.mlx_prompt import Sampling, StopFinder
from providers.mlx_runtime import Loaded
from providers.thinking import OPEN

LEAST_PIECE = 16
"""Tokens of one prompt that a step reads, however many are read at the same time."""


@dataclass(frozen=True, slots=True)
class Read:
    """What the model remembers of a prompt, layer by layer; `draft`: the same of the draft model."""

    main: list[Any]
    draft: list[Any] | None = None


@dataclass(slots=True, eq=False)
class Run:
    """One answer that is being made. `limit`: tokens at most; `at_limit`: what it means to reach them.

    `limit` 0 reads the prompt and says nothing. `cached`: tokens of the prompt that need not be read. `drafted`,
    `thought`: how many of those produced the draft model had guessed, or stand in thoughts.
    """

    tokens: tuple[int, ...]
    limit: int
    at_limit: FinishReason = FinishReason.LENGTH
    sampling: Sampling = field(default_factory=Sampling)
    stops: tuple[str, ...] = ()
    cached: int = 0
    produced: int = 0
    drafted: int = 0
    thought: int = 0
    is_thinking: bool = False
    said: list[int] = field(default_factory=list)
    finder: StopFinder = field(default_factory=lambda: StopFinder(()))
    detokenizer: Any = None

    @property
    def size(self) -> int:
        """Tokens of context that it may come to take."""
        return len(self.tokens) + self.limit


@dataclass(frozen=True, slots=True)
class Step:
    """What one step made of an answer: perhaps some text, perhaps its end."""

    run: Run
    text: str
    end: FinishReason | None = None


@dataclass(slots=True, eq=False)
class _Solo:
    run: Run
    tokens: Generator[int | None, None, None]
    read: Read


class Engine:
    """The answers of one model. `key` names the model in the cache of prompts, which engines share."""

    def __init__(
        self,
        key: str,
        loaded: Loaded,
        prefixes: Prefixes[Read],
        *,
        parallel: int,
        prefill_step: int,
        draft_tokens: int,
    ) -> None:
        self.key = key
        self.loaded = loaded
        self._prefixes = prefixes
        self._parallel = parallel
        self._prefill_step = prefill_step
        self._draft_tokens = draft_tokens
        self._samplers: dict[Sampling, tuple[Any, list[Any]]] = {}
        self._uids: dict[int, Run] = {}
        self._solos: list[_Solo] = []
        self._batch = self._new_batch()

    def __len__(self) -> int:
        """How many answers are being made."""
        return len(self._uids) + len(self._solos)

    @property
    def taken(self) -> int:
        """Tokens of context that its answers may come to take."""
        return sum(run.size for run in (*self._uids.values(), *(solo.run for solo in self._solos)))

    def start(self, run: Run) -> None:
        """Take an answer in; the next steps read its prompt. With a draft model the first of several goes alone."""
        hit = self._prefixes.find(self.key, run.tokens)
        run.cached = hit.shared if hit is not None else 0
        run.finder = StopFinder(run.stops)
        run.detokenizer = self.loaded.tokenizer.detokenizer
        run.is_thinking = self.loaded.opens_thought(run.tokens)
        if (
            run.limit == 0
            or not self.loaded.is_batchable
            or (self.loaded.draft is not None and not len(self))
        ):
            read = self._recalled(hit)
            self._solos.append(_Solo(run, self._solo(run, read), read))
            return
        sampler, processors = self._sampler(run.sampling)
        caches = [self._recalled(hit).main] if hit is not None else None
        (uid,) = self._batch.insert(
            [list(run.tokens[run.cached :])],
            max_tokens=[run.limit],
            caches=caches,
            all_tokens=[list(run.tokens[: run.cached])],
            samplers=[sampler],
            logits_processors=[processors],
        )
        self._uids[uid] = run

    def step(self) -> list[Step]:
        """One token for each answer that speaks, one piece of the prompt for each that still reads."""
        out: list[Step] = []
        if self._uids:
            # The prompts that are read at the same time share one piece, so that no step takes longer for them.
            at_once = sum(not run.produced for run in self._uids.values())
            self._batch.prefill_step_size = max(LEAST_PIECE, self._prefill_step // max(1, at_once))
            reading, speaking = self._batch.next()
            if not self.loaded.cuts:
                self._keep_prompts(reading)
            out += [self._spoken(each) for each in speaking]
        for solo in list(self._solos):
            step = self._alone(solo)
            if step is not None:
                out.append(step)
        return out

    def drop(self, run: Run) -> None:
        """Give an answer up; what was read for it is kept for the next that begins alike."""
        for uid, each in list(self._uids.items()):
            if each is run:
                self._leave(uid)
        for solo in list(self._solos):
            if solo.run is run:
                self._end(solo)

    def reset(self) -> None:
        """Begin anew after an error: no answer is left, and nothing that may be half written is kept."""
        self._uids.clear()
        self._solos.clear()
        self._prefixes.forget(self.key)
        self._batch = self._new_batch()

    def close(self) -> None:
        """Give the batch up; the model itself goes with the last reference to it."""
        self._prefixes.forget(self.key)
        self._uids.clear()
        self._solos.clear()
        self._batch.close()

    def _new_batch(self) -> Any:
        return self.loaded.used.generate.BatchGenerator(
            self.loaded.model,
            stop_tokens=[[token] for token in sorted(self.loaded.tokenizer.eos_token_ids)],
            completion_batch_size=self._parallel,
            prefill_batch_size=self._parallel,
            prefill_step_size=self._prefill_step,
        )

    def _sampler(self, sampling: Sampling) -> tuple[Any, list[Any]]:
        """The same object for the same values: a batch that shares it chooses all its tokens in one call."""
        if sampling not in self._samplers:
            if len(self._samplers) >= 64:
                self._samplers.clear()
            self._samplers[sampling] = (self.loaded.sampler(sampling), self.loaded.processors(sampling))
        return self._samplers[sampling]

    def _recalled(self, hit: Hit[Read] | None) -> Read:
        """Own copies of what was kept, cut to what is shared; or nothing read yet."""
        make = self.loaded.used.cache.make_prompt_cache
        if hit is None:
            draft = make(self.loaded.draft) if self.loaded.draft is not None else None
            return Read(make(self.loaded.model), draft)
        kept = hit.entry.kept
        main = copy.deepcopy(kept.main)
        if hit.shared < len(hit.entry.tokens):
            self._cut(main, hit.shared)
        if self.loaded.draft is None:
            return Read(main)
        draft = copy.deepcopy(kept.draft) if kept.draft is not None else make(self.loaded.draft)
        self._cut(draft, hit.shared)
        return Read(main, draft)

    def _cut(self, layers: list[Any], length: int) -> None:
        if (beyond := _offset(layers) - length) > 0:
            self.loaded.used.cache.trim_prompt_cache(layers, beyond)

    def _keep(self, tokens: Sequence[int], read: Read) -> None:
        size = sum(layer.nbytes for layer in (*read.main, *(read.draft or ())))
        self._prefixes.put(Entry(self.key, tuple(tokens), read, size, self.loaded.cuts))

    def _keep_prompts(self, reading: Sequence[Any]) -> None:
        """A model whose memory cannot be cut needs it as it stood before the answer."""
        done = [each.uid for each in reading if each.end_of_segment and not each.end_of_prompt]
        for layers, tokens in self._batch.extract_cache(done).values() if done else ():
            self._keep(tokens, Read(copy.deepcopy(layers)))

    def _spoken(self, said: Any) -> Step:
        run = self._uids[said.uid]
        is_over = said.finish_reason is not None
        if is_over:
            del self._uids[said.uid]
            self._keep(said.all_tokens, Read(said.prompt_cache))
        step = self._told(
            run, said.token, ends=said.finish_reason == "stop", is_full=said.finish_reason == "length"
        )
        if step.end is not None and not is_over:
            self._leave(said.uid)
        return step

    def _leave(self, uid: int) -> None:
        run = self._uids.pop(uid)
        caches = self._batch.remove([uid], return_prompt_caches=run.produced > 0)
        for layers, tokens in caches.values():
            self._keep(tokens, Read(layers))

    def _told(self, run: Run, token: int, *, ends: bool, is_full: bool) -> Step:
        """Text of one more token. Half a character waits for its other half, and is left out where none comes."""
        finder, detokenizer = run.finder, run.detokenizer
        run.produced += 1
        tag = self.loaded.tags.get(token, "")
        if tag:
            run.is_thinking = tag == OPEN
        elif run.is_thinking:
            run.thought += 1
        if not ends:
            run.said.append(token)
            if not tag:
                detokenizer.add_token(token)
        text = detokenizer.last_segment + tag
        if ends or is_full:
            # A control word behind half a character is none to BPEStreamingDetokenizer (mlx-lm 0.32.2).
            with suppress(KeyError):
                detokenizer.finalize()
            text += detokenizer.last_segment.rstrip("\ufffd")
        text = finder.feed(text)
        if finder.found or ends:
            return Step(run, text + finder.close(), FinishReason.STOP)
        if is_full:
            return Step(run, text + finder.close(), run.at_limit)
        return Step(run, text)

    def _alone(self, solo: _Solo) -> Step | None:
        run = solo.run
        token = next(solo.tokens, -1)
        if token is None:
            return None
        if token == -1:
            self._end(solo)
            return Step(run, "", FinishReason.STOP)
        ends = token in self.loaded.tokenizer.eos_token_ids
        step = self._told(run, token, ends=ends, is_full=run.produced + 1 >= run.limit)
        if step.end is not None:
            self._end(solo)
        return step

    def _end(self, solo: _Solo) -> None:
        """Keep what was read. The last tokens said may not have been read yet; a cache ends where it ends."""
        self._solos.remove(solo)
        solo.tokens.close()
        tokens = (*solo.run.tokens, *solo.run.said)
        length = _offset(solo.read.main)
        if not self.loaded.cuts and length != len(tokens):
            return
        self._cut(solo.read.main, len(tokens))
        if solo.read.draft is not None:
            self._cut(solo.read.draft, len(tokens))
        self._keep(tokens[:length], solo.read)

    def _solo(self, run: Run, read: Read) -> Generator[int | None, None, None]:
        """None for each piece of the prompt, then tokens. The last token of a prompt begins the answer."""
        end = len(run.tokens) - 1 if run.limit else len(run.tokens)
        yield from self._reading(self.loaded.model, read.main, run.tokens[run.cached : end])
        draft = self.loaded.draft
        if draft is not None and read.draft is not None:
            yield from self._reading(draft, read.draft, run.tokens[_offset(read.draft) : end])
        if run.limit == 0:
            return
        used, (sampler, processors) = self.loaded.used, self._sampler(run.sampling)
        last = used.core.array(list(run.tokens[-1:]))
        common: dict[str, Any] = {
            "max_tokens": run.limit,
            "sampler": sampler,
            "logits_processors": processors,
        }
        if draft is None or read.draft is None:
            for token, _ in used.generate.generate_step(
                last, self.loaded.model, prompt_cache=read.main, **common
            ):
                yield int(token)
            return
        layers = [*read.main, *read.draft]
        guesses = used.generate.speculative_generate_step(
            last, self.loaded.model, draft, num_draft_tokens=self._draft_tokens, prompt_cache=layers, **common
        )
        for token, _, is_guess in guesses:
            run.drafted += bool(is_guess)
            yield int(token)

    def _reading(self, model: Any, layers: list[Any], tokens: Sequence[int]) -> Generator[None, None, None]:
        core, stream = self.loaded.used.core, self.loaded.used.generate.generation_stream
        for start in range(0, len(tokens), self._prefill_step):
            with core.stream(stream):
                model(core.array([list(tokens[start : start + self._prefill_step])]), cache=layers)
                core.eval([layer.state for layer in layers])
                core.clear_cache()
            yield None


def _offset(layers: Sequence[Any]) -> int:
    """How many tokens have been read into a cache."""
    return max((int(getattr(layer, "offset", 0)) for layer in layers), default=0)
