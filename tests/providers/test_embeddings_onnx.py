"""Vectors made on this machine, by a network of one table that the test writes itself.

Needs the extra `onnx` (`make install-all`); what is wrong with the folder is told without it, too.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from providers.base import CompletionRequest, Credential, Embeds, ModelSpec, PromptMessage, Provider, Role
from providers.embeddings_onnx import SPEC, OnnxEmbedder
from providers.errors import ErrorKind, ProviderError
from providers.http import Pools
from tests.peers import require_peer

MODEL = ModelSpec("onnx", "tiny")
NOBODY = Credential("onnx:none")
WORDS = ("[PAD]", "[UNK]", "cat", "dog", "sea")
TABLE = ((0.0, 0.0, 0.0), (0.0, 0.0, 1.0), (3.0, 4.0, 0.0), (4.0, 3.0, 0.0), (0.0, 0.0, 2.0))


def field(number: int, value: bytes | int) -> bytes:
    """A protocol-buffer field: a number or a length and its bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def tensor_of_ids(name: str) -> bytes:
    """A graph input: int64, two dimensions of any size. onnx.proto3: ValueInfoProto, TypeProto."""
    shape = b"".join(field(1, field(2, each)) for each in (b"batch", b"length"))
    return field(1, name.encode()) + field(2, field(1, field(1, 7) + field(2, shape)))


def network() -> bytes:
    """last_hidden_state = table[input_ids]: the least that is an embedding model. onnx.proto3, opset 17."""
    weights = struct.pack(f"<{3 * len(TABLE)}f", *(each for row in TABLE for each in row))
    table = field(1, len(TABLE)) + field(1, 3) + field(2, 1) + field(8, b"table") + field(9, weights)
    node = field(1, b"table") + field(1, b"input_ids") + field(2, b"last_hidden_state") + field(4, b"Gather")
    dimensions = b"".join(field(1, field(2, each)) for each in (b"batch", b"length", b"width"))
    output = field(1, b"last_hidden_state") + field(2, field(1, field(1, 1) + field(2, dimensions)))
    graph = field(1, node) + field(2, b"tiny") + field(5, table)
    graph += b"".join(field(11, tensor_of_ids(name)) for name in ("input_ids", "attention_mask"))
    return field(1, 8) + field(7, graph + field(12, output)) + field(8, field(2, 17))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder, as sentence-transformers models are published."""
    extra = find_spec("onnxruntime") and find_spec("tokenizers")
    require_peer("the extra onnx", found=extra, how="make install-all")
    tokenizers = import_module("tokenizers")
    words = {word: place for place, word in enumerate(WORDS)}
    tokenizer = tokenizers.Tokenizer(import_module("tokenizers.models").WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = import_module("tokenizers.pre_tokenizers").Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "model_quantized.onnx").write_bytes(network())
    return tmp_path


@pytest.fixture
async def opened() -> AsyncIterator[Callable[..., OnnxEmbedder]]:
    made: list[OnnxEmbedder] = []

    def make(directory: Path, **settings: object) -> OnnxEmbedder:
        given = SPEC.settings.model_validate({"directory": directory, **settings})
        embedder = SPEC.open("onnx", given, Pools(trust_env=False))
        assert isinstance(embedder, OnnxEmbedder)
        made.append(embedder)
        return embedder

    yield make
    for each in made:
        await each.aclose()


async def test_a_text_is_the_mean_of_its_words_at_unit_length(
    folder: Path, opened: Callable[..., OnnxEmbedder]
) -> None:
    cat, both, sea = await opened(folder).embed(MODEL, ["cat", "cat dog", "sea"], NOBODY)
    assert list(cat) == pytest.approx([0.6, 0.8, 0])
    assert list(both) == pytest.approx([0.7071, 0.7071, 0], abs=1e-4)
    assert list(sea) == [0, 0, 1]


async def test_padding_changes_nothing(folder: Path, opened: Callable[..., OnnxEmbedder]) -> None:
    alone = await opened(folder).embed(MODEL, ["cat"], NOBODY)
    beside = await opened(folder).embed(MODEL, ["cat", "dog " * 20], NOBODY)
    assert list(beside[0]) == pytest.approx(list(alone[0]))


async def test_many_texts_and_many_callers_keep_their_order(
    folder: Path, opened: Callable[..., OnnxEmbedder]
) -> None:
    embedder = opened(folder, remembered=0)
    texts = ["cat", "dog", "sea", "cat sea"] * 25
    first, second = await asyncio.gather(
        embedder.embed(MODEL, texts, NOBODY), embedder.embed(MODEL, texts[::-1], NOBODY)
    )
    assert [list(each) for each in first] == [list(each) for each in second][::-1]
    assert len({tuple(each) for each in first}) == 4


async def test_words_behind_the_limit_do_not_count(folder: Path, opened: Callable[..., OnnxEmbedder]) -> None:
    long, short = await opened(folder, maxTokens=8).embed(MODEL, ["cat " * 8 + "sea " * 900, "cat"], NOBODY)
    assert list(long) == pytest.approx(list(short))


async def test_a_vector_is_remembered_while_there_is_room(
    folder: Path, opened: Callable[..., OnnxEmbedder]
) -> None:
    embedder = opened(folder, remembered=2)
    first = (await embedder.embed(MODEL, ["cat"], NOBODY))[0]
    assert (await embedder.embed(MODEL, ["cat"], NOBODY))[0] is first
    await embedder.embed(MODEL, ["dog", "sea"], NOBODY)
    assert (await embedder.embed(MODEL, ["cat"], NOBODY))[0] is not first


async def test_odd_characters_are_texts_too(folder: Path, opened: Callable[..., OnnxEmbedder]) -> None:
    assert len(await opened(folder).embed(MODEL, ["\ud800 \x00 \U0001f469"], NOBODY)) == 1


async def test_a_text_without_words_is_an_error_and_no_crash(
    folder: Path, opened: Callable[..., OnnxEmbedder]
) -> None:
    with pytest.raises(ProviderError) as caught:
        await opened(folder).embed(MODEL, [""], NOBODY)
    assert caught.value.kind is ErrorKind.MALFORMED


async def test_it_is_loaded_ahead_and_may_be_closed_twice(
    folder: Path, opened: Callable[..., OnnxEmbedder]
) -> None:
    embedder = opened(folder)
    await embedder.warm()
    (folder / "model_quantized.onnx").unlink()
    assert len(await embedder.embed(MODEL, ["cat"], NOBODY)) == 1
    await embedder.aclose()
    await embedder.aclose()


async def test_a_file_that_is_no_model_is_said_so(folder: Path, opened: Callable[..., OnnxEmbedder]) -> None:
    (folder / "model_quantized.onnx").write_bytes(b"nothing")
    with pytest.raises(ProviderError, match=r"model_quantized\.onnx cannot be loaded"):
        await opened(folder).embed(MODEL, ["cat"], NOBODY)


async def test_a_folder_without_a_model_is_said_so(
    tmp_path: Path, opened: Callable[..., OnnxEmbedder]
) -> None:
    embedder = opened(tmp_path)
    await embedder.warm()
    with pytest.raises(ProviderError, match=r"folder lacks|extra is missing") as caught:
        await embedder.embed(MODEL, ["cat"], NOBODY)
    assert caught.value.kind is ErrorKind.BAD_REQUEST


async def test_it_answers_nobody_and_offers_nothing_to_talk_to(
    tmp_path: Path, opened: Callable[..., OnnxEmbedder]
) -> None:
    embedder = opened(tmp_path)
    assert isinstance(embedder, Provider)
    assert isinstance(embedder, Embeds)
    assert await embedder.list_models(NOBODY) == ()
    with pytest.raises(ProviderError, match="answers nobody"):
        async with embedder.stream(MODEL, CompletionRequest((PromptMessage(Role.USER, "hi"),)), NOBODY):
            pass
