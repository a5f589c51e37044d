"""Runs a program and notes, every few milliseconds of CPU, where its main thread is.

`python -m tests.bench.sampler OUT SCRIPT ARGUMENTS...` writes the counts as JSON when the program ends.
Time in C counts for the Python line that called it.
"""

from __future__ import annotations

import atexit
import json
import runpy
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

EVERY = 0.004
"""Seconds of the process's CPU between two samples; finer than the kernel's tick it does not get."""
ROOMS = ("bot/", "channels/", "routing/", "providers/")
_ROOT = str(Path(__file__).resolve().parents[2])


class Sampler:
    """Counts by the function that runs, by the project's own innermost one, and by every function around it."""

    def __init__(self) -> None:
        self._own: Counter[str] = Counter()
        self._house: Counter[str] = Counter()
        self._within: Counter[str] = Counter()
        self._cpu = (0.0, 0.0)

    def sample(self, _: int, frame: FrameType | None) -> None:
        """Note one stack, the innermost frame first."""
        if frame is None:
            return
        self._own[place(frame)] += 1
        seen: dict[str, None] = {}
        while frame is not None:
            seen[place(frame)] = None
            frame = frame.f_back
        self._within.update(seen.keys())
        self._house[next((name for name in seen if name.startswith(ROOMS)), "none of ours")] += 1

    def begin(self, *_: object) -> None:
        """Forget what was counted: the start is over."""
        for counts in (self._own, self._house, self._within):
            counts.clear()
        self._cpu = (time.process_time(), time.thread_time())

    def write(self, out: Path) -> None:
        """Leave the counts, and the CPU of the process and of this thread, in a file."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        cpu = {"process": time.process_time() - self._cpu[0], "main": time.thread_time() - self._cpu[1]}
        counts = {"own": self._own, "house": self._house, "within": self._within, "cpu": cpu}
        out.write_text(json.dumps(counts), "utf-8")


def main(out: str, script: str, *arguments: str) -> None:
    """Run the script with the sampler on; SIGUSR1 begins the counting anew."""
    sampler = Sampler()
    atexit.register(sampler.write, Path(out))
    for number, handler in ((signal.SIGPROF, sampler.sample), (signal.SIGUSR1, sampler.begin)):
        signal.signal(number, handler)
        signal.siginterrupt(number, False)
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
    process, main_thread = (data["cpu"][name] * 1000 / messages for name in ("process", "main"))
    head = f"{messages} messages: {process:.2f} ms CPU each, {main_thread:.2f} in the main thread"
    lines = [f"{head}; {total} samples of it"]
    lines += ["by room or library", *top(rooms, total, 25)]
    lines += [
        "by the project's innermost function, libraries below it included",
        *top(data["house"], total, 50),
    ]
    lines += ["by function", *top(data["own"], total, 40)]
    ours = {name: count for name, count in data["within"].items() if name.startswith(ROOMS)}
    lines += ["by the project's function, with all that it calls", *top(ours, total, 70)]
    return "\n".join(lines)


if __name__ == "__main__":
    main(*sys.argv[1:])
