"""A box of tools over real server processes, without a daemon around it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bot.access import Trust
from bot.mcp import open_box
from bot.settings import ToolServer
from bot.settings.mcp import McpServer
from bot.tools import OfferedTool, ToolBox
from tests.mcp_server.__main__ import TOKEN

ROOT = Path(__file__).resolve().parents[3]
BARE = ROOT / "tests" / "mcp_server" / "bare.py"


def library(notes: Path, **more: Any) -> dict[str, Any]:
    """Settings of a server made with the protocol's library, on its pipes."""
    args = ["-m", "tests.mcp_server"]
    return {"command": sys.executable, "args": args, "cwd": str(ROOT), "env": {"NOTES": str(notes)}, **more}


def bare(*faults: str, pids: Path | None = None, **more: Any) -> dict[str, Any]:
    """Settings of a server that breaks rules."""
    env = {"PIDS": str(pids)} if pids is not None else {}
    return {"command": sys.executable, "args": [str(BARE), *faults], "env": env | more.pop("env", {}), **more}


@asynccontextmanager
async def box_of(servers: Mapping[str, Mapping[str, Any]]) -> AsyncIterator[ToolBox]:
    """The box, as the daemon has it: its tasks are cancelled at the end, and waited for."""
    alive: list[asyncio.Task[None]] = []
    async with asyncio.TaskGroup() as tasks:

        def spawn(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
            alive.append(tasks.create_task(work, name=name))
            return alive[-1]

        yield open_box(
            [ToolServer(name, McpServer.model_validate(row)) for name, row in servers.items()], spawn
        )
        for task in alive:
            task.cancel()


@asynccontextmanager
async def connected(**servers: Mapping[str, Any]) -> AsyncIterator[ToolBox]:
    """The box once every server has said what it offers."""
    async with box_of(servers) as box:
        await until(lambda: all(not source.problem for source in box.sources()))
        yield box


async def until(condition: Callable[[], object], within: float = 60.0) -> None:
    """Wait for it."""
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.01)


def names(box: ToolBox, agent: str | None = None, trust: Trust = Trust.OWNER) -> list[str]:
    """The names of what is offered."""
    return [each.tool.name for each in box.offered(agent, trust)]


def offered(box: ToolBox, name: str) -> OfferedTool:
    """What is offered under a name."""
    return next(each for each in box.offered(None, Trust.OWNER) if each.tool.name == name)


def pids(folder: Path, kind: str) -> list[int]:
    """The process ids that servers left there, oldest first."""
    return [int(each.name.partition("-")[2]) for each in sorted(folder.glob(f"{kind}-*"), key=_age)]


def _age(path: Path) -> int:
    return path.stat().st_mtime_ns


def is_running(pid: int) -> bool:
    """Whether a process lives; one that nobody has waited for yet does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")


@asynccontextmanager
async def serving(transport: str, notes: Path, port: int = 0) -> AsyncIterator[dict[str, Any]]:
    """A server over HTTP in a process of its own; its settings."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.mcp_server", transport, str(port)),
        cwd=ROOT,
        env=os.environ | {"NOTES": str(notes)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            port = int(await process.stdout.readline())
        path = "sse" if transport == "sse" else "mcp"
        url = f"http://127.0.0.1:{port}/{path}"
        yield {"url": url, "headers": {"Authorization": TOKEN}, "transport": transport}
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
