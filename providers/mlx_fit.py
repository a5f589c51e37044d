"""Whether a model fits into this machine's memory, before a byte of it is loaded. Pure.

Counted are the weights, the draft model's, the context of one conversation at its longest, and the cached prompts.
Sizes are bytes; what people read is in GB of 2**30 bytes, as memory is sold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

GB = 2**30

USABLE = 0.75
"""The part of the machine's memory that models may take, unless the settings name another: what Metal recommends on
machines of 64 GB and more (max_recommended_working_set_size). The rest is for everything else that runs."""

BITS_FOR_SCALES = 0.5
"""Quantised weights carry a scale and a bias of 16 bits for each group of 64 (mlx_lm.convert, mlx-lm 0.32, 2026-11)."""

OFFERED_BITS = (8, 6, 5, 4, 3, 2)
"""What mlx_lm.convert quantises to."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a model's files say. `weights`: bytes. `context_token`: bytes that one token of context takes.

    `bits`: of a quantised weight, None where it is not quantised. `window`: tokens, None where nothing says it.
    """

    weights: int
    parameters: int
    context_token: int
    bits: int | None = None
    window: int | None = None


def shape_of(config: Mapping[str, Any], tensors: Sequence[Mapping[str, Any]]) -> Shape:
    """The shape of a model from config.json and the headers of its .safetensors files. ValueError if they are none."""
    quantised = config.get("quantization") or config.get("quantization_config") or {}
    bits = quantised.get("bits") if isinstance(quantised, Mapping) else None
    bits = bits if isinstance(bits, int) and bits > 0 else None
    weights = parameters = 0
    for header in tensors:
        for name, tensor in header.items():
            if name == "__metadata__":
                continue
            try:
                start, end = tensor["data_offsets"]
                kind, count = tensor["dtype"], prod(tensor["shape"])
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"the tensor {name[:80]!r} says no size") from error
            weights += end - start
            if bits is not None and kind == "U32" and name.endswith(".weight"):
                parameters += count * 32 // bits  # several weights are packed into each number
            elif not name.endswith((".scales", ".biases")):
                parameters += count
    text = _text_of(config)
    window = text.get("max_position_embeddings") or config.get("max_position_embeddings")
    return Shape(
        weights, parameters, context_token(config), bits, window if isinstance(window, int) else None
    )


def context_token(config: Mapping[str, Any]) -> int:
    """Bytes that one token of context takes in all layers: a key and a value for each head that keeps them.

    Models that keep less (sliding windows, states of fixed size) take less than this.
    """
    text = _text_of(config)
    layers = _number(text, "num_hidden_layers", "n_layers", "n_layer")
    kind = str(text.get("torch_dtype") or text.get("dtype") or config.get("torch_dtype") or "")
    size = 4 if "float32" in kind else 2
    if rank := _number(text, "kv_lora_rank"):
        return layers * (rank + _number(text, "qk_rope_head_dim")) * size
    heads = _number(text, "num_attention_heads", "n_heads", "n_head")
    kept = _number(text, "num_key_value_heads") or heads
    width = _number(text, "head_dim") or (
        _number(text, "hidden_size", "dim", "n_embd") // heads if heads else 0
    )
    return 2 * layers * kept * width * size


def needed(shape: Shape, *, context: int, cached: int = 0, draft: Shape | None = None) -> int:
    """Bytes for a model beside one conversation of `context` tokens and `cached` bytes of cached prompts."""
    helper = draft.weights + draft.context_token * context if draft is not None else 0
    return shape.weights + shape.context_token * context + helper + cached


def quantised_to(shape: Shape, bits: int) -> Shape:
    """The same model in so many bits a weight, as mlx_lm.convert makes it."""
    weights = int(shape.parameters * (bits + BITS_FOR_SCALES) / 8)
    return Shape(weights, shape.parameters, shape.context_token, bits, shape.window)


def budget(machine: int, chosen: float | None) -> int:
    """Bytes that models may take on a machine of so many; `chosen`: GB from the settings."""
    return int(chosen * GB) if chosen is not None else int(machine * USABLE)


def room(shape: Shape, *, free: int, draft: Shape | None = None) -> int:
    """Tokens of context that fit into so many bytes; a model without a growing context has room for any number."""
    each = shape.context_token + (draft.context_token if draft is not None else 0)
    return max(0, free) // each if each else 2**40


def refusal(
    name: str,
    shape: Shape,
    *,
    context: int,
    cached: int,
    allowed: int,
    machine: int,
    draft: Shape | None = None,
) -> str | None:
    """Why a model is not loaded, with what is needed, what is there and what would fit; None where it fits."""
    need = needed(shape, context=context, cached=cached, draft=draft)
    if need <= allowed:
        return None
    parts = [
        f"weights {_gb(shape.weights)}",
        f"{context} tokens of context {_gb(shape.context_token * context)}",
    ]
    if draft is not None:
        parts.append(f"draft model {_gb(draft.weights + draft.context_token * context)}")
    if cached:
        parts.append(f"cached prompts {_gb(cached)}")
    said = (
        f"{name} needs {_gb(need)} GB of memory ({', '.join(parts)}), and models may take {_gb(allowed)} of "
    )
    return f"{said}{_gb(machine)} GB here; {_advice(shape, draft, context, cached, allowed)}"


def _advice(shape: Shape, draft: Shape | None, context: int, cached: int, allowed: int) -> str:
    for bits in OFFERED_BITS:
        smaller = quantised_to(shape, bits)
        need = needed(smaller, context=context, cached=cached, draft=draft)
        if smaller.weights < shape.weights and need <= allowed:
            return f"in {bits} bits it would need {_gb(need)} GB and fit"
    lean = needed(shape, context=0) + cached
    if lean < allowed and draft is None and (tokens := room(shape, free=allowed - lean)) >= 1024:
        return f"with a context of {tokens} tokens it would fit"
    left = allowed - cached - (needed(shape, context=context, draft=draft) - shape.weights)
    largest = max(0.0, left * 8 / (4 + BITS_FOR_SCALES) / 1e9)
    if largest < 0.1:
        return "no quantisation of it fits; take a smaller model, a shorter context or fewer cached prompts"
    return f"no quantisation of it fits; in 4 bits a model of about {largest:.1f} billion parameters would"


def _gb(size: int) -> str:
    return f"{size / GB:.1f}" if size >= GB / 10 else f"{size / GB:.3f}"


def _text_of(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a config that speaks of text; models that also see keep it apart."""
    inner = config.get("text_config")
    return {**config, **inner} if isinstance(inner, Mapping) else config


def _number(config: Mapping[str, Any], *names: str) -> int:
    for name in names:
        value = config.get(name)
        if isinstance(value, int) and value > 0:
            return value
    return 0
