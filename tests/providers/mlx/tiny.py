"""Models small enough for a test, made on the spot: no hub, no PyTorch, a third of a second each.

`random` weights read and speak nonsense, but for real: attention, caches, drafts. A `scripted` model has the same
layers with nothing in them that changes what passes through, so each token alone decides the next: it says what it is
told to say, whatever it is asked.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.peers import require_peer

END, START = "<|im_end|>", "<|im_start|>"
THINK = ("<think>", "</think>")
SPECIALS = ("<|endoftext|>", START, END)
TEXT = "the quick brown fox jumps over the lazy dog. hello world, this is an answer to a question "

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
OPENS_THOUGHT = CHATML.replace("assistant\n{% endif", "assistant\n<think>\n{% endif")
STRICT = (
    "{% for m in messages %}{% if m.role == 'system' or (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('by turns') }}{% endif %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
"""Knows no system, wants person and model by turns, as Gemma's and Mistral's do."""


@dataclass(frozen=True, slots=True)
class Size:
    """Of the network."""

    hidden: int = 128
    layers: int = 2
    heads: int = 4
    kept: int = 2
    inner: int = 256

    @property
    def head(self) -> int:
        return self.hidden // self.heads


BIG = Size(hidden=256, layers=4, inner=512)


def require_mlx() -> None:
    """Skip the test, or fail it where peers are required."""
    require_peer("the extra mlx", found=find_spec("mlx") and find_spec("mlx_lm"))
    import_module("mlx_lm.generate")  # seconds on a busy machine; no answer is to wait for it


def write(
    folder: Path,
    *,
    script: Sequence[str] | None = None,
    loops: bool = False,
    size: Size = Size(),
    seed: int = 0,
    window: int = 4096,
    template: str | None = CHATML,
    generation: dict[str, Any] | None = None,
    think: tuple[str, ...] = THINK,
) -> Path:
    """A model's folder. `script`: what is said, piece by piece, then the end; `loops`: the last piece for ever.

    `think`: the words in its vocabulary that begin and end a thought.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer(script or (), think)
    tokenizer.save(str(folder / "tokenizer.json"))
    vocabulary = (tokenizer.get_vocab_size() + 63) // 64 * 64
    config = {
        "model_type": "llama",
        "hidden_size": size.hidden,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "num_key_value_heads": size.kept,
        "intermediate_size": size.inner,
        "vocab_size": vocabulary,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "max_position_embeddings": window,
        "tie_word_embeddings": script is None,
        "torch_dtype": "float32",
        "eos_token_id": tokenizer.token_to_id(END),
    }
    spoken = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END, "chat_template": template}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text(json.dumps({k: v for k, v in spoken.items() if v}))
    if generation is not None:
        (folder / "generation_config.json").write_text(json.dumps(generation))
    weights = _weights(size, vocabulary, seed, is_scripted=script is not None)
    if script is not None:
        _teach(weights, tokenizer, script, loops=loops)
    save = import_module("safetensors.numpy").save_file
    save(weights, str(folder / "model.safetensors"), metadata={"format": "mlx"})
    return folder


def _tokenizer(pieces: Sequence[str], think: tuple[str, ...]) -> Any:
    tokenizers = import_module("tokenizers")
    byte_level = import_module("tokenizers.pre_tokenizers").ByteLevel
    tokenizer = tokenizers.Tokenizer(import_module("tokenizers.models").BPE())
    tokenizer.pre_tokenizer = byte_level(add_prefix_space=False)
    tokenizer.decoder = import_module("tokenizers.decoders").ByteLevel()
    trainer = import_module("tokenizers.trainers").BpeTrainer(
        vocab_size=400,
        special_tokens=[*SPECIALS, *think],
        initial_alphabet=byte_level.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT * 3], trainer)
    tokenizer.add_tokens([piece for piece in dict.fromkeys(pieces) if tokenizer.token_to_id(piece) is None])
    return tokenizer


def _weights(size: Size, vocabulary: int, seed: int, *, is_scripted: bool) -> dict[str, Any]:
    numpy = import_module("numpy")
    chance = numpy.random.default_rng(seed)

    def drawn(*shape: int, by: float = 0.05) -> Any:
        return chance.normal(0, by, shape).astype(numpy.float32)

    still = 0.0 if is_scripted else 0.05
    weights = {"model.embed_tokens.weight": drawn(vocabulary, size.hidden)}
    weights["model.norm.weight"] = numpy.ones(size.hidden, numpy.float32)
    for number in range(size.layers):
        layer = f"model.layers.{number}."
        weights |= {
            f"{layer}self_attn.q_proj.weight": drawn(size.hidden, size.hidden),
            f"{layer}self_attn.k_proj.weight": drawn(size.kept * size.head, size.hidden),
            f"{layer}self_attn.v_proj.weight": drawn(size.kept * size.head, size.hidden),
            f"{layer}self_attn.o_proj.weight": drawn(size.hidden, size.hidden, by=still),
            f"{layer}mlp.gate_proj.weight": drawn(size.inner, size.hidden),
            f"{layer}mlp.up_proj.weight": drawn(size.inner, size.hidden),
            f"{layer}mlp.down_proj.weight": drawn(size.hidden, size.inner, by=still),
            f"{layer}input_layernorm.weight": numpy.ones(size.hidden, numpy.float32),
            f"{layer}post_attention_layernorm.weight": numpy.ones(size.hidden, numpy.float32),
        }
    return weights


def _teach(weights: dict[str, Any], tokenizer: Any, script: Sequence[str], *, loops: bool) -> None:
    """After a line break comes the first piece, after each piece the next: rows of the output are those inputs."""
    numpy = import_module("numpy")
    inputs = weights["model.embed_tokens.weight"]
    inputs /= numpy.linalg.norm(inputs, axis=1, keepdims=True)
    outputs = numpy.zeros_like(inputs)
    end = tokenizer.token_to_id(END)
    pieces = [tokenizer.token_to_id(piece) for piece in script]
    assert len(set(pieces)) == len(pieces), "a piece that comes twice could be followed by two others"
    before = tokenizer.encode("\n").ids[0]
    for piece in (*pieces, pieces[-1] if loops else end):
        outputs[piece] += inputs[before]
        before = piece
    weights["lm_head.weight"] = outputs.astype(numpy.float32)
