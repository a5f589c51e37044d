"""A server that speaks the wire of 2025-06-18 by hand, in order to break its rules: `python bare.py [FAULT ...]`.

Faults: `chatty` never stops telling that its tools have changed. `garbage` prints lines that are no messages.
`stubborn` ends neither at the end of its input nor at SIGTERM, and leaves a child behind. `silent` answers nothing.
`unread` reads nothing after the handshake. `loud` writes to standard error. `once` ends by itself with code 7 after
the handshake, the first time, `ever` each time. `many` offers a hundred tools more. It keeps its process ids and
those of what it starts in the folder that the variable PIDS names, and shows its whole environment in the tool
`environment`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

FAULTS = frozenset(sys.argv[1:])
TOOLS = (
    "environment slow flood flood_at_the_end endless answer_garbage odd.näme/with*letters same_as_above exit "
    "schema_too_long described_at_length structured ask takes_either takes_strange wants_strange"
).split()
if "many" in FAULTS:
    TOOLS += [f"tool{at}" for at in range(100)]
PIECE = b"x" * 65_536


def tell(message: dict[str, Any]) -> None:
    """One message."""
    sys.stdout.buffer.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
    sys.stdout.buffer.flush()


def tool(name: str) -> dict[str, Any]:
    """One row of the list."""
    row: dict[str, Any] = {"name": name, "description": name, "inputSchema": {"type": "object"}}
    if name == "schema_too_long":
        row["inputSchema"] = {"type": "object", "description": "x" * 20_000}
    if name == "takes_either":
        row["inputSchema"] |= {
            "properties": {"a": {}, "b": {}},
            "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
        }
    if name.endswith("strange"):
        row["inputSchema"] |= {"properties": {"$top": {}, "plain": {}}}
    if name == "wants_strange":
        row["inputSchema"]["required"] = ["$top"]
    if name == "described_at_length":
        row["description"] = "word " * 1_000
    if name != "ask":
        row["annotations"] = {"readOnlyHint": True}
    return row


def write_flood(before: bytes, after: bytes) -> None:
    """A hundred megabytes in one line."""
    sys.stdout.buffer.write(before)
    for _ in range(1_600):
        sys.stdout.buffer.write(PIECE)
    sys.stdout.buffer.write(after + b"\n")
    sys.stdout.buffer.flush()


def call(number: int, name: str) -> None:
    """Answer a call."""
    text = ""
    match name:
        case "environment":
            text = json.dumps(dict(os.environ))
        case "slow":
            return
        case "flood":
            write_flood(
                b'{"jsonrpc":"2.0","id":%d,"result":{"content":[{"type":"text","text":"' % number, b'"}]}}'
            )
            return
        case "flood_at_the_end":
            write_flood(
                b'{"result":{"content":[{"type":"text","text":"', b'"}]},"jsonrpc":"2.0","id":%d}' % number
            )
            return
        case "endless":
            while True:
                sys.stdout.buffer.write(PIECE)
        case "answer_garbage":
            tell({"id": number, "result": {"content": 5}})
            return
        case "structured":
            tell(
                {"id": number, "result": {"content": [], "structuredContent": {"warm": True, "degrees": 21}}}
            )
            return
        case "exit":
            os._exit(3)
        case _:
            text = "done"
    tell({"id": number, "result": {"content": [{"type": "text", "text": text}]}})


def answer(message: dict[str, Any]) -> None:
    """Answer one message."""
    number, method = message.get("id"), message.get("method")
    match method:
        case "initialize":
            capabilities = {"tools": {"listChanged": True}}
            info = {"name": "bare", "version": "1"}
            result = {"protocolVersion": "2025-06-18", "capabilities": capabilities, "serverInfo": info}
            tell({"id": number, "result": result})
        case "tools/list":
            tell({"id": number, "result": {"tools": [tool(name) for name in TOOLS]}})
        case "tools/call":
            call(number or 0, message["params"]["name"])
        case _:
            if number is not None:
                tell({"id": number, "error": {"code": -32601, "message": "Method not found"}})


def chatter() -> None:
    """Tell of changes without end."""
    while True:
        sys.stdout.buffer.write(b'{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n')


def keep_pid(name: str, number: int) -> None:
    """Note a process id where a test finds it."""
    if folder := os.environ.get("PIDS"):
        Path(folder, f"{name}-{number}").touch()


def main() -> None:
    """Read and answer until the input ends."""
    keep_pid("server", os.getpid())
    if "stubborn" in FAULTS:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        keep_pid("child", subprocess.Popen(["sleep", "600"]).pid)
    if "loud" in FAULTS:
        print("opened with", os.environ.get("SECRET_TOKEN"), file=sys.stderr, flush=True)
    for line in sys.stdin:
        if "chatty" in FAULTS and "tools/list" in line:
            threading.Thread(target=chatter, daemon=True).start()
        if "silent" in FAULTS:
            continue
        if "garbage" in FAULTS:
            print('hello\n{"half": \n[1, 2]\n\n"text"\n', flush=True)
        message = json.loads(line)
        answer(message)
        if "unread" in FAULTS and message.get("method") == "tools/list":
            time.sleep(600)
        first = Path(os.environ.get("PIDS", "."), "been-here")
        if "once" in FAULTS and message.get("method") == "tools/list" and not first.exists():
            first.touch()
            sys.exit(7)
        if "ever" in FAULTS and message.get("method") == "tools/list":
            sys.exit(7)
    while "stubborn" in FAULTS:
        time.sleep(600)


if __name__ == "__main__":
    main()
