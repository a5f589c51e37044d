"""Vectors made on this machine by a small ONNX model: no key, no network, a millisecond or two a text.

Needs the extra `onnx` and a folder with `tokenizer.json` and the model, as sentence-transformers models are
published. All-MiniLM-L6-v2 in int8 is 23 MB and takes 1.2 ms a short text on one core (measured with onnxruntime
1.31, 2026-11). It makes vectors only; it answers nobody.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from providers.base import CompletionRequest, Connect, Credential, ModelSpec, ProviderSpec, StreamEvent
from providers.errors import ErrorKind, ProviderError

if TYPE_CHECKING:
    from providers.embeddings import Vector

EMBED_TIMEOUT = 10.0
"""Seconds for one batch; the first one also loads the model."""

BATCH = 32
"""Texts at a time: whoever gives up waits for no more than these."""

MODEL_FILES = (
    *("model_int8.onnx", "model_quantized.onnx", "onnx/model_int8.onnx", "onnx/model_quantized.onnx"),
    *("model.onnx", "onnx/model.onnx"),
)
"""Looked for in this order: int8 is four times smaller and three times faster."""

_CHARS_PER_TOKEN = 16
"""No token of a text for people is longer; what comes behind is cut before it costs anything."""


class OnnxSettings(BaseModel):
    """`models.providers.onnx`."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)

    api: Literal["onnx-embeddings"] | None = Field(default=None, description="The dialect")
    directory: Path = Field(
        default=Path(), description="Folder with tokenizer.json and the model as .onnx, best in int8"
    )
    max_tokens: Annotated[int, Field(ge=8, le=8192)] = Field(
        default=64, description="Tokens of a text that count; a vector takes longer the more there are"
    )
    remembered: Annotated[int, Field(ge=0, le=100_000)] = Field(
        default=2048, description="Vectors kept for texts that come again; each takes about 2 KB"
    )


class OnnxEmbedder:
    """One model in one thread of its own. Loaded with the first text; safe for many callers at once."""

    def __init__(self, name: str, settings: OnnxSettings) -> None:
        self._name = name
        self._settings = settings
        self._thread: ThreadPoolExecutor | None = None
        self._model: _Model | None = None
        self._vectors: OrderedDict[str, Vector] = OrderedDict()

    @property
    def name(self) -> str:
        """Its name in the settings, the first part of its models' refs."""
        return self._name

    @asynccontextmanager
    async def stream(
        self, model: ModelSpec, request: CompletionRequest, credential: Credential
    ) -> AsyncIterator[AsyncIterator[StreamEvent]]:
        """Always BAD_REQUEST: this model makes vectors and answers nobody."""
        raise ProviderError(ErrorKind.BAD_REQUEST, f"{model.ref} makes vectors and answers nobody")
        yield  # type: ignore[unreachable]

    async def warm(self) -> None:
        """Load the model ahead of need. Never raises."""
        with suppress(ProviderError):  # told with the first text that is asked for
            await self._run([" "])

    async def list_models(self, credential: Credential) -> Sequence[ModelSpec]:
        """None: there is nothing here to talk to."""
        return ()

    async def embed(
        self, model: ModelSpec, texts: Sequence[str], credential: Credential
    ) -> Sequence[Sequence[float]]:
        """One vector of unit length for each text; see providers.base.Embeds. The model is the folder's.

        BAD_REQUEST where the folder or the extra is missing, TOTAL after EMBED_TIMEOUT seconds a batch.
        """
        found: dict[str, Vector] = {text: self._vectors[text] for text in texts if text in self._vectors}
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        for start in range(0, len(missing), BATCH):
            batch = missing[start : start + BATCH]
            found |= zip(batch, await self._run(batch), strict=True)
        self._remember(found)
        return [found[text] for text in texts]

    async def aclose(self) -> None:
        """End the thread, after the batch that it works on."""
        if self._thread is not None:
            thread, self._thread = self._thread, None
            thread.shutdown(wait=False, cancel_futures=True)
        self._vectors.clear()
        self._model = None

    async def _run(self, batch: Sequence[str]) -> list[Vector]:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"embeddings {self._name}")
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(EMBED_TIMEOUT):
                return await loop.run_in_executor(self._thread, self._vectors_of, batch)
        except TimeoutError as error:
            raise ProviderError(ErrorKind.TOTAL, f"no vectors within {EMBED_TIMEOUT:.0f} s") from error

    def _vectors_of(self, batch: Sequence[str]) -> list[Vector]:
        """In the thread: two threads on two busy cores are slower than one (measured, 2026-11)."""
        if self._model is None:
            self._model = _Model(self._settings.directory, self._settings.max_tokens)
        return self._model.vectors(batch)

    def _remember(self, found: dict[str, Vector]) -> None:
        for text, vector in found.items():
            self._vectors[text] = vector
            self._vectors.move_to_end(text)
        while len(self._vectors) > self._settings.remembered:
            self._vectors.popitem(last=False)


class _Model:
    """Tokeniser and network. Used by one thread; blocks."""

    def __init__(self, directory: Path, max_tokens: int) -> None:
        try:
            numpy, onnxruntime = import_module("numpy"), import_module("onnxruntime")
            tokenizer = import_module("tokenizers").Tokenizer
        except ImportError as error:
            raise ProviderError(ErrorKind.BAD_REQUEST, "the extra is missing: firstword[onnx]") from error
        self._numpy: Any = numpy
        self._max_tokens = max_tokens
        file = next((directory / each for each in MODEL_FILES if (directory / each).is_file()), None)
        if file is None or not (directory / "tokenizer.json").is_file():
            wanted = f"tokenizer.json and one of {', '.join(MODEL_FILES)}"
            raise ProviderError(ErrorKind.BAD_REQUEST, f"the folder lacks {wanted}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # its warnings go to standard error past every logger
        try:
            self._tokenizer: Any = tokenizer.from_file(str(directory / "tokenizer.json"))
            self._tokenizer.enable_truncation(max_tokens)
            self._tokenizer.enable_padding()
            self._session: Any = onnxruntime.InferenceSession(
                str(file), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # both libraries raise their own kinds, and bare Exception
            text = f"{file.name} cannot be loaded: {type(error).__name__}"
            raise ProviderError(ErrorKind.BAD_REQUEST, text) from error
        self._inputs = {each.name for each in self._session.get_inputs()}

    def vectors(self, texts: Sequence[str]) -> list[Vector]:
        """Unit vectors: the network's own where it gives one a text, else the mean over the text's tokens."""
        from providers.embeddings import vectors

        numpy = self._numpy
        cut = [
            text.encode("utf-8", "replace").decode()[: self._max_tokens * _CHARS_PER_TOKEN] for text in texts
        ]
        encoded = self._tokenizer.encode_batch(cut)
        mask = numpy.array([each.attention_mask for each in encoded], dtype=numpy.int64)
        given = {
            "input_ids": numpy.array([each.ids for each in encoded], dtype=numpy.int64),
            "attention_mask": mask,
            "token_type_ids": numpy.zeros_like(mask),
        }
        try:
            out = self._session.run(None, {key: each for key, each in given.items() if key in self._inputs})[
                0
            ]
        except Exception as error:  # onnxruntime has a class an error code, none of them public
            raise ProviderError(
                ErrorKind.SERVER, f"the model cannot be run: {type(error).__name__}"
            ) from error
        if out.ndim == 3:
            weights = mask[:, :, None].astype(out.dtype)
            out = (out * weights).sum(axis=1) / numpy.maximum(weights.sum(axis=1), 1)
        return vectors(out.tolist, len(texts))


def _open(name: str, settings: OnnxSettings, connect: Connect) -> OnnxEmbedder:  # noqa: ARG001 - the contract's
    return OnnxEmbedder(name, settings)


SPEC = ProviderSpec(
    name="onnx",
    title="Embeddings on this machine",
    settings=OnnxSettings,
    open=_open,
    extra="onnx",
    apis=("onnx-embeddings",),
)
