"""The scenes of the conformance kit, as scripts of the loopback model server; the same for every dialect."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Sequence
from typing import Any

from providers.conformance import CONFIDENTIAL, SAID, THOUGHT, Scene
from providers.conformance_peers import Seen
from tests.mock_model.client import MockModel
from tests.mock_model.views import view
from tests.providers.ask import SECRET

LEAKY = f"cannot answer '{CONFIDENTIAL}' with the key {SECRET}"
PAGE = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
HTML = {"Content-Type": "text/html"}
OSLO = {"name": "weather", "arguments": '{"city": "Oslo"}', "id": "call_1"}
ROME = {"name": "weather", "arguments": '{"city": "Rome"}', "id": "call_2"}
AGAIN = {**OSLO, "id": "call_3"}
SEVEN_LATER = {"Date": "Sat, 21 Nov 2026 10:00:00 GMT", "Retry-After": "Sat, 21 Nov 2026 10:00:07 GMT"}


def _midway(fault: str, **more: Any) -> dict[str, Any]:
    return {"text": SAID, "fault": fault, "after": 3, **more}


BEHAVIOURS: dict[Scene, dict[str, Any]] = {
    Scene.ANSWER: {"text": SAID},
    Scene.THOUGHTS: {"text": SAID, "reasoning": THOUGHT},
    Scene.ONLY_THOUGHTS: {"tokens": [], "reasoning": THOUGHT},
    Scene.NOTHING: {"tokens": []},
    Scene.TOO_MUCH: {"text": SAID, "finish": "length"},
    Scene.FILTERED: {"text": SAID, "finish": "content_filter"},
    Scene.TOOL_CALL: {"tokens": [], "tool_calls": [AGAIN]},
    Scene.TWO_CALLS: {"tokens": [], "tool_calls": [OSLO, ROME]},
    Scene.SLOW: {"text": SAID, "ttft": 0.2, "headers_late": True},
    Scene.NEGATIVE: {"text": SAID, "prompt_tokens": -5, "completion_tokens": -3, "cached_tokens": -1},
    Scene.ENDLESS: {"fault": "endless", "gap": 0.005},
    Scene.SILENT: {"fault": "silent"},
    Scene.STALLED: _midway("stall"),
    Scene.ENDS_EARLY: _midway("eof"),
    Scene.BREAKS_OFF: _midway("drop"),
    Scene.RESETS: _midway("reset"),
    Scene.GARBAGE: _midway("garbage"),
    Scene.HALF_CHARACTER: _midway("half_character"),
    Scene.MALFORMED: _midway("malformed"),
    Scene.FLOOD: _midway("flood"),
    Scene.OVERLOADED_MIDWAY: _midway("error_event"),
    Scene.LIMITED_MIDWAY: _midway("error_event", error_status=429),
    Scene.DROPS: {"fault": "refuse"},
    Scene.CLOSES: {"fault": "close"},
    Scene.PAGE: {"body": PAGE, "headers": HTML},
    Scene.REDIRECTED: {
        "status": 302,
        "body": "",
        "headers": {"Location": f"https://a.example/?key={SECRET}"},
    },
    Scene.NOT_THERE: {"status": 404, "body": "404 page not found", "headers": {"Content-Type": "text/plain"}},
    Scene.FIREWALL: {"status": 403, "body": PAGE, "headers": HTML},
    Scene.UNAUTHORIZED: {"problem": "wrong_key"},
    Scene.FORBIDDEN: {"status": 403},
    Scene.RATE_LIMITED: {"status": 429, "headers": {"Retry-After": "7"}},
    Scene.LIMITED_IN_MS: {"status": 429, "headers": {"retry-after-ms": "7000", "Retry-After": "8"}},
    Scene.LIMITED_BY_DATE: {"status": 429, "headers": SEVEN_LATER},
    Scene.LIMITED: {"status": 429},
    Scene.NO_QUOTA: {"problem": "no_quota"},
    Scene.NOT_PAID: {"status": 402},
    Scene.OVERLOADED: {"problem": "overloaded"},
    Scene.BUSY: {"status": 529},
    Scene.BROKEN: {"status": 500},
    Scene.BAD_GATEWAY: {"status": 502, "body": PAGE, "headers": HTML},
    Scene.GATEWAY_TIMEOUT: {"status": 504},
    Scene.TIMED_OUT: {"status": 408},
    Scene.HUGE_ERROR: {"status": 500, "body": "what went wrong? ", "body_repeat": 700_000},
    Scene.ODD_ERROR: {"status": 500, "body": '{"error": {"message": "\udcff\udc80\udcfe"}}'},
    Scene.TOO_LARGE: {"status": 413},
    Scene.UNPROCESSABLE: {"status": 422, "error": {"message": LEAKY}},
    Scene.BAD_REQUEST: {"status": 400, "error": {"message": LEAKY}},
    Scene.TOO_LONG: {"problem": "too_long"},
    Scene.NO_MODEL: {"problem": "no_model"},
}


class MockPeer:
    """A model server in a process of its own."""

    def __init__(self, server: MockModel) -> None:
        self.server = server
        self.play(Scene.ANSWER)

    def play(self, scene: Scene) -> None:
        if scene is Scene.ABSENT:
            os.kill(self.server.pid, signal.SIGTERM)
            while self._listens():
                pass
        else:
            self.server.script(default=BEHAVIOURS[scene])

    async def until_asked(self, count: int) -> None:
        await self.server.wait("arrived", count=count)

    async def until_closed(self) -> None:
        await self.server.wait("closed_early")

    def connections(self) -> int:
        return len({chat["connection"] for chat in self.server.chats()})

    def seen(self) -> Sequence[Seen]:
        return [Seen(**view(chat)) for chat in self.server.chats()]

    def _listens(self) -> bool:
        try:
            socket.create_connection((self.server.host, self.server.port), timeout=1).close()
        except OSError:
            return False
        return True
