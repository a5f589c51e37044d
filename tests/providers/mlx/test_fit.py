"""Whether a model fits is known from its files alone, and what is said of one that does not helps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from providers.mlx_disk import machine_memory, read_shape
from providers.mlx_fit import GB, Shape, budget, context_token, needed, quantised_to, refusal, room, shape_of

LLAMA_8B = {
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "hidden_size": 4096,
    "torch_dtype": "bfloat16",
    "max_position_embeddings": 131072,
}
LLAMA_70B = {**LLAMA_8B, "num_hidden_layers": 80, "num_attention_heads": 64, "hidden_size": 8192}
CONTEXT = 8192


def shape(config: Mapping[str, Any], billions: float, bits: int = 16) -> Shape:
    parameters = int(billions * 1e9)
    full = Shape(parameters * 2, parameters, context_token(config))
    return full if bits == 16 else quantised_to(full, bits)


SIZES = {"8B": (LLAMA_8B, 8.03), "70B": (LLAMA_70B, 70.55)}


@pytest.mark.parametrize(
    ("size", "bits", "low", "high"),
    [("8B", 4, 4.8, 5.2), ("8B", 5, 5.7, 6.2), ("70B", 4, 35.0, 40.0), ("70B", 5, 45.0, 50.0)],
)
def test_a_known_model_needs_what_people_have_measured(size: str, bits: int, low: float, high: float) -> None:
    """Llama 3 on an M2 Ultra: 4.8 to 5.2 GB for 8B in 4 bits, and so on; here with 8,192 tokens of context."""
    config, billions = SIZES[size]
    assert low <= needed(shape(config, billions, bits), context=CONTEXT) / GB <= high + 0.05


def test_70_billion_in_4_bits_fit_into_70_of_128_gb() -> None:
    assert refuse(LLAMA_70B, 70.55, 4, machine=128, chosen=70) is None


def refuse(
    config: Mapping[str, Any],
    billions: float,
    bits: int,
    *,
    machine: int,
    chosen: float | None = None,
    cached: int = GB,
    draft: Shape | None = None,
) -> str | None:
    return refusal(
        "Llama",
        shape(config, billions, bits),
        context=CONTEXT,
        cached=cached,
        allowed=budget(machine * GB, chosen),
        machine=machine * GB,
        draft=draft,
    )


def test_a_refusal_says_what_is_needed_what_is_there_and_which_quantisation_would_fit() -> None:
    said = refuse(LLAMA_8B, 8.03, 16, machine=16)
    assert said == (
        "Llama needs 17.0 GB of memory (weights 15.0, 8192 tokens of context 1.0, cached prompts 1.0), and models "
        "may take 12.0 of 16.0 GB here; in 8 bits it would need 9.9 GB and fit"
    )
    assert len(said) <= 300


def test_a_model_that_no_quantisation_makes_small_enough_is_answered_with_a_size() -> None:
    said = refuse(LLAMA_70B, 70.55, 4, machine=16)
    assert said is not None
    assert said.endswith(
        "no quantisation of it fits; in 4 bits a model of about 16.2 billion parameters would"
    )
    assert len(said) <= 300


def test_a_context_that_is_too_long_is_shortened_where_the_weights_fit() -> None:
    two_bits = quantised_to(shape(LLAMA_8B, 8.03), 2)
    said = refusal("Llama", two_bits, context=131072, cached=0, allowed=6 * GB, machine=8 * GB)
    assert said is not None
    assert "with a context of 30006 tokens it would fit" in said
    for context, fits in ((30006, True), (30007, False)):
        again = refusal("Llama", two_bits, context=context, cached=0, allowed=6 * GB, machine=8 * GB)
        assert (again is None) == fits


def test_a_draft_model_counts() -> None:
    draft = quantised_to(shape(LLAMA_8B, 1.2), 4)
    assert refuse(LLAMA_8B, 8.03, 4, machine=9) is None
    said = refuse(LLAMA_8B, 8.03, 4, machine=9, draft=draft)
    assert said is not None
    assert "draft model 1.6" in said


def test_three_quarters_of_a_machine_are_used_unless_somebody_chooses() -> None:
    assert budget(16 * GB, None) == 12 * GB
    assert budget(16 * GB, 3.5) == int(3.5 * GB)


def test_answers_at_once_share_the_room_that_is_left() -> None:
    one = shape(LLAMA_8B, 8.03, 4)
    assert room(one, free=GB) == 8192
    assert room(one, free=-1) == 0
    assert room(Shape(1, 1, 0), free=GB) > 10**9


def test_models_that_compress_their_context_or_see_are_measured_too() -> None:
    deepseek = {
        "num_hidden_layers": 61,
        "kv_lora_rank": 512,
        "qk_rope_head_dim": 64,
        "torch_dtype": "bfloat16",
    }
    assert context_token(deepseek) == 61 * 576 * 2
    assert context_token({"text_config": LLAMA_8B, "vision_config": {}}) == context_token(LLAMA_8B) == 131072
    assert (
        context_token({"num_hidden_layers": 2, "num_attention_heads": 4, "head_dim": 16, "dtype": "float32"})
        == 1024
    )
    assert context_token({}) == 0


def tensor(kind: str, *size: int, at: int = 0) -> dict[str, Any]:
    count = 1
    for each in size:
        count *= each
    width = {"U32": 4, "F32": 4, "F16": 2}[kind]
    return {"dtype": kind, "shape": list(size), "data_offsets": [at, at + count * width]}


def test_packed_weights_count_as_what_they_hold() -> None:
    """Eight weights of 4 bits in a number of 32; scales and biases are none."""
    packed = {
        "__metadata__": {"format": "mlx"},
        "a.weight": tensor("U32", 64, 8),
        "a.scales": tensor("F16", 64, 1),
        "a.biases": tensor("F16", 64, 1),
        "norm.weight": tensor("F32", 64),
    }
    found = shape_of({**LLAMA_8B, "quantization": {"bits": 4, "group_size": 64}}, [packed])
    assert found.parameters == 64 * 64 + 64
    assert found.weights == 64 * 8 * 4 + 2 * 64 * 2 + 64 * 4
    assert (found.bits, found.window) == (4, 131072)


@pytest.mark.parametrize("header", [{"a.weight": {}}, {"a.weight": 3}, {"a.weight": {"data_offsets": [1]}}])
def test_a_header_that_says_no_size_is_refused(header: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="says no size"):
        shape_of({}, [header])


@pytest.mark.parametrize(
    "content", [b"", b"nothing", (2**40).to_bytes(8, "little"), (4).to_bytes(8, "little") + b"[1]]"]
)
def test_a_file_that_holds_no_weights_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(LLAMA_8B))
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.safetensors is no \.safetensors file"):
        read_shape(tmp_path)


def test_this_machine_has_memory() -> None:
    assert machine_memory() > GB // 4
