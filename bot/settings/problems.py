"""Everything that is wrong with a configuration, collected and said at once."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bot.errors import SettingsError
from bot.redact import Redactor

_SECRET_NAME = re.compile(
    r"(token|secret|password|passwd|passphrase|api[_-]?key|private[_-]?key|credentials?|authorization|cookie)$",
    re.IGNORECASE,
)
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+")
MAX_SHOWN = 60
_CLEAN = Redactor()

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong at one place. `text` holds no secret. `is_missing`: a value is not there yet."""

    path: str
    text: str
    is_missing: bool = False

    def __str__(self) -> str:
        return f"{self.path}: {self.text}" if self.path else self.text


def settings_error(source: str, problems: Sequence[Problem]) -> SettingsError:
    """The one exception for all of them; its `path` is the first one's."""
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    lines = "\n".join(f"  {problem}" for problem in problems)
    pairs = tuple((problem.path, problem.text) for problem in problems)
    missing = frozenset(problem.path for problem in problems if problem.is_missing)
    return SettingsError(
        f"{source}: {count}\n{lines}", path=problems[0].path, problems=pairs, missing=missing
    )


def join_path(path: Path) -> str:
    """The path as people write it: agents.defaults.models["cerebras/gpt-oss-120b"].alias, models[0].id."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_NAME.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(part, ensure_ascii=False)}]"
    return text


def looks_secret(name: str) -> bool:
    """Whether a key of this name probably holds a secret, so that its value is never shown."""
    return _SECRET_NAME.search(name) is not None


def shown(value: Any) -> str:
    """A value as JSON, cut short, without what looks like a key. Only for values that are not known as secret."""
    try:
        text = json.dumps(value, ensure_ascii=True, default=str)
    except (TypeError, ValueError):
        text = repr(value)
    text = _CLEAN.text(text)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was probably meant to be; letter case, "_" and "-" do not count."""
    table = {_bare(name): name for name in known}
    close = difflib.get_close_matches(_bare(word), list(table), n=1, cutoff=0.6)
    return table[close[0]] if close else None


def _bare(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "")
