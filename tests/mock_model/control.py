"""The control API: scripting the server, reading its record, waiting for what happens."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

from tests.mock_model.app import App
from tests.mock_model.behaviour import Script, parse_behaviour, parse_rule
from tests.mock_model.connection import Connection, Http
from tests.mock_model.record import Stage

MAX_WAIT = 120.0


class Control:
    """Sorts requests into model and control; the control ones may wait, so each has a task."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()

    def connect(self) -> Connection:
        """A protocol for a new client."""
        return Connection(next(self._numbers), self._handle)

    def _handle(self, connection: Connection, http: Http) -> None:
        if not http.path.startswith("/control/"):
            self._app.handle(connection, http)
            return
        connection.http10 = False
        task = asyncio.get_running_loop().create_task(self._answer(connection, http))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, connection: Connection, http: Http) -> None:
        try:
            status, body = await self._do(http, http.path.removeprefix("/control/"))
        except (KeyError, TypeError, ValueError) as error:
            status, body = 400, {"error": f"{type(error).__name__}: {error}"}
        connection.respond(status, json.dumps(body).encode())

    async def _do(self, http: Http, verb: str) -> tuple[int, Any]:
        app = self._app
        data = http.json() or {}
        match http.method, verb:
            case "POST", "reset":
                app.reset()
            case "POST", "script":
                rules = [parse_rule(one) for one in data.get("rules", [])]
                app.script = Script(rules, parse_behaviour(data.get("default", {})))
            case "POST", "config":
                app.config = app.config.changed(data)
            case "POST", "release":
                return 200, {"waited": app.release(str(data["name"]))}
            case "GET", "record":
                after = int(http.query.get("since", "0"))
                return 200, {"requests": [one.as_json() for one in app.book.since(after)]}
            case "GET", "marks":
                return 200, {"marks": [_mark(one) for one in app.book.since(0) if one.marker]}
            case "GET", "state":
                counts = {str(stage): app.book.counts[stage] for stage in Stage}
                return 200, counts | {"open": app.open_answers}
            case "GET", "wait":
                return await self._wait(http.query)
            case _:
                return 404, {"error": f"no {http.method} /control/{verb}"}
        return 200, {"ok": True}

    async def _wait(self, query: dict[str, str]) -> tuple[int, Any]:
        stage = Stage(query.get("stage", Stage.ARRIVED))
        number = int(query["number"]) if "number" in query else None
        timeout = min(float(query.get("timeout", "10")), MAX_WAIT)
        book = self._app.book
        reached = await book.wait(stage, int(query.get("count", "1")), number, timeout)
        return (200 if reached else 408), {"stage": stage, "count": book.counts[stage]}


def _mark(request: Any) -> list[Any]:
    """Marker, arrival, first token sent, last token sent, tokens: all that a bench needs."""
    return [
        request.marker,
        request.at,
        request.first_sent,
        request.last_sent,
        request.tokens,
    ]
