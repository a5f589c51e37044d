"""What the demo model says where no scenario gives it words: what it is, how to connect a real one. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from providers import presets
from providers.base import PromptMessage, Role

QUOTE_CHARS = 400
"""How much of a message the answer repeats."""

_CODE = re.compile(r"```|\b(code|function|python|script|program|bash|json|sql)\b", re.IGNORECASE)
_LIST = re.compile(r"\b(list|steps?|points?|options?|ideas?|ways?)\b", re.IGNORECASE)


def reply(messages: Sequence[PromptMessage]) -> str:
    """The answer to a conversation, in Markdown."""
    said = [message.text for message in messages if message.role is Role.USER]
    question = said[-1] if said else ""
    images = sum(len(message.images) for message in messages[-1:])
    parts = [_introduction()]
    if question.strip():
        parts.append(_quoted(question, len(said)))
    if images:
        parts.append(
            f"You also sent {images} {'picture' if images == 1 else 'pictures'}, which I cannot see."
        )
    if _CODE.search(question):
        parts.append(_code(question))
    if _LIST.search(question) or not _CODE.search(question):
        parts.append(_facts(question))
    return "\n\n".join(parts)


def _introduction() -> str:
    variables = [preset.variables[0] for name in presets.KEY_ORDER if (preset := presets.find(name))]
    keys = f"{', '.join(variables[:-1])} or {variables[-1]}"
    local = next(preset.title for preset in presets.PRESETS if preset.is_local)
    return (
        f"I am the **demo model**, a stand-in that only repeats what you write: to talk to a real model, set "
        f"{keys} and restart, or start a local server such as {local}."
    )


def _quoted(question: str, number: int) -> str:
    text = question.strip()
    if len(text) > QUOTE_CHARS:
        text = f"{text[:QUOTE_CHARS].rstrip()} …"
    lines = "\n".join(f"> {line}" for line in text.replace("```", "'''").splitlines())
    which = "You wrote" if number == 1 else f"This is message {number} of our conversation. You wrote"
    return f"{which}:\n\n{lines}"


def _facts(question: str) -> str:
    words = question.split()
    longest = max(words, key=len, default="")[:40].strip("*_`.,;:!?")
    size = f"**{_count(len(words), 'word')}**, **{_count(len(question), 'character')}**"
    rows = [
        size,
        f"the longest word is `{longest}`" if longest else "no word at all",
        "a question" if question.rstrip().endswith("?") else "not a question",
    ]
    return "What I can tell about it:\n\n" + "\n".join(f"- {row}" for row in rows)


def _count(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def _code(question: str) -> str:
    words = len(question.split())
    return (
        "Code looks like this when it streams:\n\n"
        "```python\n"
        "def count_words(text: str) -> int:\n"
        '    """Your message has as many as the comment below says."""\n'
        "    return len(text.split())  "
        f"# {words}\n"
        "```"
    )
