"""Runs a program and notes, every millisecond of CPU, where its main thread is.

`python -m tests.bench.sampler OUT SCRIPT ARGUMENTS...` writes the counts as JSON when the program ends.
Time in C counts for the Python line that called it.
"""

from __future__ import annotations

import atexit
import json
import runpy
import signal
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

EVERY = 0.001
_ROOT = str(Path(__file__).resolve().parents[2])


def main(out: str, script: str, *arguments: str) -> None:
    """Run the script with the sampler on."""
    own: Counter[str] = Counter()
    within: Counter[str] = Counter()

    def sample(number: int, frame: FrameType | None) -> None:
        if frame is None:
            return
        own[place(frame)] += 1
        seen = set()
        while frame is not None:
            seen.add(place(frame))
            frame = frame.f_back
        within.update(seen)

    def write() -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        Path(out).write_text(json.dumps({"own": own, "within": within}), "utf-8")

    atexit.register(write)
    signal.signal(signal.SIGPROF, sample)
    signal.siginterrupt(signal.SIGPROF, False)
    signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)
    sys.argv = [script, *arguments]
    runpy.run_path(script, run_name="__main__")


def place(frame: FrameType) -> str:
    """`path:function`, the path from the project's or the library's root."""
    code = frame.f_code
    path = code.co_filename
    for root in (f"{_ROOT}/.venv/", f"{_ROOT}/"):
        path = path.removeprefix(root)
    _, marker, library = path.rpartition("site-packages/")
    return f"{library if marker else path}:{code.co_qualname}"


def top(counts: Mapping[str, int], total: int, limit: int) -> Iterable[str]:
    """The places with the most samples, as lines."""
    for name, count in sorted(counts.items(), key=lambda item: -item[1])[:limit]:
        yield f"  {count / total:6.1%}  {name}"


def report(path: Path, messages: int) -> str:
    """Where the CPU went: by room or library, by function, by function with all that it calls."""
    data: dict[str, Any] = json.loads(path.read_text("utf-8"))
    total = max(1, sum(data["own"].values()))
    rooms: Counter[str] = Counter()
    for name, count in data["own"].items():
        file = name.split(":")[0]
        rooms["/".join(file.split("/")[:2]) if not file.startswith("/") else Path(file).name] += count
    lines = [f"{total} samples of 1 ms CPU in {messages} messages: {total / messages:.2f} ms each"]
    lines += ["by room or library", *top(rooms, total, 25)]
    lines += ["by function", *top(data["own"], total, 40)]
    lines += ["by function, with what it calls", *top(data["within"], total, 60)]
    return "\n".join(lines)


if __name__ == "__main__":
    main(*sys.argv[1:])
