"""A process of its own that reads one file and ends: web pages, PDF, Office. Started by bot.media.extract alone.

`python -I -m bot.media.worker FAMILY CHARACTERS CHARSET`: the file comes on standard input, one JSON object goes to
standard output: `text`, `is_cut`, `about`, or `problem` with a `Problem`. What files do to their readers (bombs,
loops, faults in a parser) ends with this process, which limits its own memory and time before it looks at a byte.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Mapping

from bot.media.excerpt import Excerpt
from bot.media.filetypes import Family
from bot.media.problems import Problem, Unreadable

CPU_SECONDS = 8
MAX_MEMORY = 256 * 1024 * 1024
"""Bytes of address space; pypdf alone takes 34 MB of it (7.1 on Linux, measured 2026-11)."""


def limit() -> None:
    """No more than these seconds and bytes, no file written, no process started. macOS does not know all of them."""
    import resource

    wanted = {
        resource.RLIMIT_CPU: CPU_SECONDS,
        resource.RLIMIT_AS: MAX_MEMORY,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for what, most in wanted.items():
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))


def _html(data: bytes, limit: int, charset: str) -> Excerpt:
    from bot.media.html import words_of

    return words_of(data, limit, charset)


def _pdf(data: bytes, limit: int, _: str) -> Excerpt:
    from bot.media.pdf import words_of

    return words_of(data, limit)


def _office(data: bytes, limit: int, _: str) -> Excerpt:
    from bot.media.office import words_of

    return words_of(data, limit)


_READERS: Mapping[Family, Callable[[bytes, int, str], Excerpt]] = {
    Family.HTML: _html,
    Family.PDF: _pdf,
    Family.OFFICE: _office,
}


def read(family: Family, data: bytes, limit: int, charset: str) -> dict[str, object]:
    """What goes back. A parser's own fault means that the file is damaged."""
    try:
        found = _READERS[family](data, limit, charset)
    except Unreadable as error:
        return {"problem": str(error.problem)}
    except (MemoryError, RecursionError):
        return {"problem": str(Problem.TOO_MUCH)}
    except Exception:  # noqa: BLE001 - whatever a parser raises over a stranger's file
        return {"problem": str(Problem.DAMAGED)}
    return {"text": found.text, "is_cut": found.is_cut, "about": found.about}


def main(arguments: list[str]) -> None:
    """Limit, read, answer."""
    limit()
    family, characters, charset = arguments
    answer = read(Family(family), sys.stdin.buffer.read(), int(characters), charset)
    sys.stdout.buffer.write(json.dumps(answer).encode())


if __name__ == "__main__":
    main(sys.argv[1:])
