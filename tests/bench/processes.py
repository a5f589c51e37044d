"""What the kernel says about a process tree and about the machine (Linux's /proc)."""

from __future__ import annotations

import functools
import os
import platform
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def tree(pid: int) -> list[int]:
    """The process and all its descendants that live."""
    found = [pid]
    for one in found:
        for task in _entries(f"/proc/{one}/task"):
            text = _read(f"{task}/children")
            found += [int(child) for child in text.split()]
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of the tree, reaped children included; steps of 10 ms."""
    total = 0
    for one in tree(pid):
        fields = _read(f"/proc/{one}/stat").rpartition(")")[2].split()
        if fields:
            total += sum(int(value) for value in fields[11:15])
    return total / _TICK


def waited_seconds(pid: int) -> float:
    """How long the tree's threads stood ready without getting their core: other work's share."""
    total = 0
    for one in tree(pid):
        for task in _entries(f"/proc/{one}/task"):
            fields = _read(f"{task}/schedstat").split()
            total += int(fields[1]) if len(fields) > 1 else 0
    return total / 1e9


def rss_bytes(pid: int) -> int:
    """Resident memory of the tree."""
    total = 0
    for one in tree(pid):
        fields = _read(f"/proc/{one}/statm").split()
        total += int(fields[1]) * _PAGE if fields else 0
    return total


def peak_bytes(pid: int) -> int:
    """The most memory that this one process has had resident."""
    for line in _read(f"/proc/{pid}/status").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def core_seconds(core: int) -> tuple[float, float]:
    """(busy, all) seconds of one core since boot."""
    for line in _read("/proc/stat").splitlines():
        if line.startswith(f"cpu{core} "):
            values = [int(value) for value in line.split()[1:9]]
            return (sum(values) - values[3] - values[4]) / _TICK, sum(values) / _TICK
    return 0.0, 0.0


@functools.cache
def cores() -> tuple[int, int]:
    """(core of the bot, core of its peers); the same one twice where there is only one.

    What this process may use when it first asks: later it stays on one of them itself.
    """
    if not hasattr(os, "sched_getaffinity"):
        return 0, 0
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[1 % len(allowed)]


def pin(core: int) -> None:
    """Stay on this core from now on, children too; nothing happens where it cannot be."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


def roam() -> None:
    """Use both cores from now on, wherever we were pinned to."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(cores()))


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """What is started inside stays on `core`; afterwards we are where we were."""
    if not hasattr(os, "sched_getaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def allow_files(count: int) -> None:
    """Let this process and its children have so many files open, where the system's own limit allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def machine() -> list[str]:
    """Lines that say what the figures were taken on."""
    bot, peers = cores()
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    split = f"bot on core {bot}, peers on core {peers}"
    if not hasattr(os, "sched_getaffinity"):
        split = "nothing is pinned to a core here, and CPU and memory cannot be read"
    elif bot == peers:
        split = "ONE core shared by the bot and its peers: latencies are upper bounds"
    return [
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, load before {load}; {split}",
        f"Python {platform.python_version()}",
    ]


def _entries(path: str) -> list[Path]:
    try:
        return list(Path(path).iterdir())
    except OSError:
        return []


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
