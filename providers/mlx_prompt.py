"""A request as a model in this process takes it: messages for a template, choice of tokens, where to stop. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from providers.base import CompletionRequest, Effort, GenerationOptions, PromptMessage, Role
from providers.errors import ErrorKind, ProviderError

MAX_STOPS = 16

Chat = list[dict[str, str]]
"""Messages as chat templates take them: "role" and "content"."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen. Temperature 0: always the likeliest."""

    temperature: float = 0.0
    top_p: float = 0.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 0.0


def chat_of(messages: Sequence[PromptMessage]) -> Chat:
    """The messages; the result of a tool is told as the person's words, as not every template knows the role."""
    chat: Chat = []
    for message in messages:
        if message.role is Role.TOOL:
            chat.append(
                {"role": "user", "content": f"Result of {message.call_id or 'the call'}:\n{message.text}"}
            )
        elif message.text or not message.calls:
            chat.append({"role": message.role.value, "content": message.text})
        else:
            calls = ", ".join(f"{call.name}({call.arguments})" for call in message.calls)
            chat.append({"role": message.role.value, "content": calls})
    return chat


def folded(chat: Chat) -> Chat:
    """The same for templates that know no system and want person and model by turns (Gemma and Mistral, 2026-11).

    The system's words stand before the person's first; neighbours of one role become one message.
    """
    system = "\n\n".join(each["content"] for each in chat if each["role"] == "system")
    rest = [dict(each) for each in chat if each["role"] != "system"]
    if system and not (rest and rest[0]["role"] == "user"):
        rest.insert(0, {"role": "user", "content": ""})
    if system:
        rest[0]["content"] = f"{system}\n\n{rest[0]['content']}".rstrip()
    out: Chat = []
    for each in rest:
        if out and out[-1]["role"] == each["role"]:
            out[-1]["content"] += f"\n\n{each['content']}"
        else:
            out.append(each)
    return out


def transcript(chat: Chat, *, continues: bool) -> str:
    """The conversation for a model without a chat template."""
    said = [f"{each['role'].capitalize()}: {each['content']}" for each in chat]
    return "\n\n".join(said if continues else [*said, "Assistant:"])


def continues(request: CompletionRequest) -> bool:
    """The last message is the assistant's, and the answer goes on from it."""
    return bool(request.messages) and request.messages[-1].role is Role.ASSISTANT


def thinks(options: GenerationOptions) -> bool:
    """The model may think, where its template has a switch for that."""
    return options.effort is not Effort.OFF


def stable_probes(request: CompletionRequest) -> tuple[Chat, Chat] | None:
    """Two prompts whose common tokens are those of the stable messages, whatever the template puts between."""
    stable = chat_of(request.messages[: request.stable])
    if not stable:
        return None
    return [*stable, {"role": "user", "content": "a"}], [*stable, {"role": "user", "content": "b"}]


def sampling_of(
    options: GenerationOptions, defaults: Mapping[str, Any], published: Mapping[str, Any]
) -> Sampling:
    """From the request, then the settings, then the model's own generation_config.json. BAD_REQUEST for nonsense."""
    given = {**_published(published), **defaults, **options.params}
    if options.temperature is not None:
        given["temperature"] = options.temperature
    return Sampling(
        temperature=_between(given, "temperature", 0, 10),
        top_p=_between(given, "top_p", 0, 1),
        top_k=int(_between(given, "top_k", 0, 1_000_000)),
        min_p=_between(given, "min_p", 0, 1),
        repetition_penalty=_between(given, "repetition_penalty", 0, 10),
    )


def stops_of(options: GenerationOptions, defaults: Mapping[str, Any]) -> tuple[str, ...]:
    """Texts at which an answer ends. BAD_REQUEST for what is no text, or too many."""
    given = {**defaults, **options.params}.get("stop") or ()
    stops = (given,) if isinstance(given, str) else given
    if (
        not isinstance(stops, Sequence)
        or len(stops) > MAX_STOPS
        or not all(isinstance(each, str) for each in stops)
    ):
        raise ProviderError(ErrorKind.BAD_REQUEST, f"stop is a text or a list of at most {MAX_STOPS} texts")
    return tuple(each for each in stops if each)


class StopFinder:
    """Text in, text up to the first of the stops out; the beginning of a possible stop is held back."""

    __slots__ = ("_held", "_stops", "found")

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.found = False

    def feed(self, text: str) -> str:
        """What may be handed on now; `found` once a stop is whole, and then nothing more."""
        if self.found or not self._stops:
            return "" if self.found else text
        text = self._held + text
        places = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        if places:
            self.found, self._held = True, ""
            return text[: min(places)]
        keep = max(_overlap(text, stop) for stop in self._stops)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def close(self) -> str:
        """The answer is over: what was held back was no stop."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    for size in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:size]):
            return size
    return 0


def _published(config: Mapping[str, Any]) -> dict[str, Any]:
    if not config.get("do_sample"):
        return {}
    names = ("temperature", "top_p", "top_k", "min_p")
    return {name: config[name] for name in names if isinstance(config.get(name), (int, float))}


def _between(given: Mapping[str, Any], name: str, low: float, high: float) -> float:
    value = given.get(name)
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise ProviderError(ErrorKind.BAD_REQUEST, f"{name} is a number from {low} to {high}")
    return float(value)
