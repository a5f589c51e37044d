"""Libraries that stand between a process and its C library: another clock, a disk that fails. Linux."""

from __future__ import annotations

from pathlib import Path

# Debian's packages libfaketime and fiu-utils, and where other distributions put the same files.
FAKETIME = (
    "/usr/lib/*/faketime/libfaketime.so.1",
    "/usr/lib*/faketime/libfaketime.so.1",
)
FIU = ("/usr/lib/fiu/fiu_run_preload.so", "/usr/lib/*/fiu/fiu_run_preload.so")


def find(patterns: tuple[str, ...]) -> Path | None:
    """The first file that fits."""
    return next((path for each in patterns for path in sorted(Path("/").glob(each.lstrip("/")))), None)


def with_clock(library: Path, leap: Path) -> tuple[str, ...]:
    """A command before another: its clock is ahead by what the file `leap` says ("+3600"), read with every look."""
    leap.write_text("+0\n")
    return (
        "env",
        f"LD_PRELOAD={library}",
        f"FAKETIME_TIMESTAMP_FILE={leap}",
        "FAKETIME_NO_CACHE=1",
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
    )


def with_faults(library: Path, control: Path) -> tuple[str, ...]:
    """A command before another: its calls of the C library fail as `order` says."""
    posix = library.with_name("fiu_posix_preload.so")
    return ("env", f"LD_PRELOAD={library} {posix}", f"FIU_CTRL_FIFO={control}")


def order(control: Path, pid: int, command: str) -> None:
    """Tell libfiu in the process `pid`, as fiu-ctrl(1) does, and wait for its answer."""
    with Path(f"{control}-{pid}.in").open("w") as out:
        out.write(f"{command}\n")
    with Path(f"{control}-{pid}.out").open() as answer:
        said = answer.read(2)
    if said.strip() != "0":
        raise RuntimeError(f"libfiu refused {command!r}: {said!r}")
