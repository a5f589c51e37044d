"""What went between a model and its tools on the way to one answer, as later prompts need it again. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from providers.base import PromptMessage, Role, ToolCall

MAX_MEMO = 32_768
"""Characters of a provider's memo that are kept with an answer."""

MAX_STEP_MEMO = 1_048_576
"""Characters of one that goes back as long as the answer is under way: without its thoughts a model thinks no more."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One answer as a prompt says it: calls, their results, the last words.

    `messages`: every call is answered by a TOOL message right after it; the last message is the assistant's.
    `held`: calls that wait for the consent of the person whose id is `asked`. `taint`: what its prompt held that the
    person had not said, `trust`: who that person was, where others read along (bot.taint); a person's own line may
    carry nothing but these two.
    """

    messages: tuple[PromptMessage, ...]
    held: tuple[ToolCall, ...] = ()
    asked: str = ""
    taint: tuple[str, ...] = ()
    trust: str = ""

    @property
    def size(self) -> int:
        """Its characters, about."""
        return sum(len(each.text) + len(each.memo) + _size(each.calls) for each in self.messages) + _size(
            self.held
        )

    def to_plain(self) -> Mapping[str, Any]:
        """As plain values, without what is empty."""
        kept = [{key: value for key, value in asdict(each).items() if value} for each in self.messages]
        held = {"held": [asdict(call) for call in self.held], "asked": self.asked} if self.held else {}
        known = {"taint": list(self.taint)} if self.taint else {}
        return {"messages": kept, **held, **known, **({"trust": self.trust} if self.trust else {})}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Exchange:
        """What `to_plain` gave. Raises KeyError, TypeError or ValueError for anything else."""
        messages = tuple(
            PromptMessage(
                role=Role(each["role"]),
                text=each.get("text", ""),
                calls=_calls(each.get("calls", ())),
                call_id=each.get("call_id", ""),
                memo=each.get("memo", ""),
            )
            for each in plain["messages"]
        )
        return cls(
            messages,
            _calls(plain.get("held", ())),
            plain.get("asked", ""),
            tuple(str(each) for each in plain.get("taint", ())),
            plain.get("trust", ""),
        )


def kept(messages: Iterable[PromptMessage]) -> tuple[PromptMessage, ...]:
    """The messages without the memos that are too long to be kept."""
    return tuple(replace(each, memo="") if len(each.memo) > MAX_MEMO else each for each in messages)


def _calls(plain: Sequence[Mapping[str, str]]) -> tuple[ToolCall, ...]:
    return tuple(ToolCall(each["id"], each["name"], each["arguments"]) for each in plain)


def _size(calls: Sequence[ToolCall]) -> int:
    return sum(len(call.name) + len(call.arguments) for call in calls)


def spoken(messages: Sequence[PromptMessage]) -> list[PromptMessage]:
    """The same without calls and results, for a request that offers no tools: vendors refuse one without the other."""
    plain: list[PromptMessage] = []
    for each in messages:
        if each.role is Role.TOOL:
            continue
        if not each.calls:
            plain.append(each)
        elif each.text:
            plain.append(PromptMessage(each.role, each.text))
    return plain


def reported(steps: Sequence[PromptMessage]) -> list[PromptMessage]:
    """The calls of the answer that is under way as one message, for a model that takes no tools and goes on from there.

    Without their results it would begin anew, and after words before a call it would seem to be asked to continue them.
    """
    called = {call.id: call for each in steps for call in each.calls}
    parts = [
        f"{call.name} {call.arguments or '{}'}\n{each.text}"
        for each in steps
        if each.role is Role.TOOL and (call := called.get(each.call_id)) is not None
    ]
    if not parts:
        return []
    return [PromptMessage(Role.USER, "\n\n".join(("What was looked up for this question so far:", *parts)))]
