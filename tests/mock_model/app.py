"""The server's model side: who may ask, what the script says, how the answer is played."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tests.mock_model import servers, wire
from tests.mock_model.behaviour import MARKER, Behaviour, Fault, Script
from tests.mock_model.connection import Connection, Http
from tests.mock_model.player import Player
from tests.mock_model.record import Book, Request, Stage
from tests.mock_model.wheel import Wheel


@dataclass(frozen=True, slots=True)
class Config:
    """What the server is; changed through `/control/config`."""

    kind: servers.Kind = servers.Kind.OPENAI
    state: servers.State = servers.State.READY
    models: tuple[str, ...] = ("m",)
    keys: tuple[str, ...] | None = None
    """Accepted bearer tokens; `None`: any or none."""
    strict_models: bool = False
    """Answer 404 model_not_found for a model that is not listed."""
    keep_bodies: bool = True
    """False: the record carries markers and times only (10,000 streams)."""

    def changed(self, data: Mapping[str, Any]) -> Config:
        """With the fields of a control request; TypeError or ValueError for a wrong one."""
        given = dict(data)
        for name in ("models", "keys"):
            if given.get(name) is not None:
                given[name] = tuple(given[name])
        if "kind" in given:
            given["kind"] = servers.Kind(given["kind"])
        if "state" in given:
            given["state"] = servers.State(given["state"])
        return replace(self, **given)


class App:
    """One server: its script, its record, its open answers."""

    def __init__(self, config: Config, wheel: Wheel) -> None:
        self.config = self._first_config = config
        self.book = Book()
        self.script = Script()
        self._wheel = wheel
        self._open: dict[int, Callable[[], None]] = {}
        self._held: dict[str, list[Callable[[], None]]] = {}
        self._released: set[str] = set()

    def handle(self, connection: Connection, http: Http) -> None:
        """Answer one request that is not the control API's."""
        connection.http10 = self.config.kind is servers.Kind.MLX
        body = http.json() if http.method == "POST" else None
        request = self._note(connection, http, body)
        is_chat = http.method == "POST" and http.path.endswith("/chat/completions")
        if (is_chat or http.path.endswith("/v1/models")) and not self._may(http):
            self._reply(connection, request, 401, wire.error_body(401, None))
        elif is_chat:
            self._chat(connection, http, request, body)
        elif http.method == "GET":
            got = servers.get(self.config.kind, self.config.state, self.config.models, http.path)
            self._reply(connection, request, got.status, _raw(got.body), got.headers)
        else:
            self._reply(connection, request, 404, wire.error_body(404, None))

    def reset(self) -> None:
        """Back to the start: open answers are broken off, script, record and holds are empty."""
        for abandon in list(self._open.values()):
            abandon()
        self.book.reset()
        self.script = Script()
        self.config = self._first_config
        self._held.clear()
        self._released.clear()

    def release(self, name: str) -> int:
        """Let the answers held under this name go on, and those to come; how many waited."""
        self._released.add(name)
        waiting = self._held.pop(name, [])
        for resume in waiting:
            resume()
        return len(waiting)

    @property
    def open_answers(self) -> int:
        """Answers that are not complete."""
        return len(self._open)

    def _may(self, http: Http) -> bool:
        return self.config.keys is None or _key(http) in self.config.keys

    def _note(self, connection: Connection, http: Http, body: Any) -> Request:
        text = _last_user_text(body)
        found = MARKER.findall(text)
        keep = self.config.keep_bodies
        request = Request(
            number=self.book.total + 1,
            connection=connection.number,
            method=http.method,
            path=http.path,
            headers=http.headers if keep else {},
            body=body if keep else None,
            at=time.monotonic(),
            marker=found[-1] if found else "",
        )
        self.book.open(request)
        return request

    def _chat(self, connection: Connection, http: Http, request: Request, body: Any) -> None:
        if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
            error = {"message": "'messages' must be a list", "param": "messages"}
            self._reply(connection, request, 400, wire.error_body(400, error))
            return
        if self.config.state is not servers.State.READY:
            self._reply(connection, request, 503, wire.error_body(503, None))
            return
        model = str(body.get("model", ""))
        if self.config.strict_models and model not in self.config.models:
            self._reply(connection, request, 404, wire.error_body(404, None))
            return
        request.rule, behaviour = self.script.pick(_last_user_text(body), model, _key(http))
        options = body.get("stream_options") or {}
        ask = wire.Ask(
            number=request.number,
            model=model,
            marker=request.marker,
            stream=bool(body.get("stream")),
            include_usage=bool(options.get("include_usage")),
            prompt_tokens=max(1, len(http.raw) // 4),
        )
        self._act(connection, request, behaviour, ask)

    def _act(
        self,
        connection: Connection,
        request: Request,
        behaviour: Behaviour,
        ask: wire.Ask,
    ) -> None:
        if behaviour.fault is Fault.REFUSE:
            self._later(connection, request, behaviour.ttft, lambda: connection.drop(reset=True))
        elif behaviour.fault is Fault.SILENT:
            self._later(connection, request, None, lambda: None)
        elif behaviour.status != 200:
            body = behaviour.body
            raw = body.encode() if body is not None else b""
            if body is None:
                raw = wire.error_body(behaviour.status, dict(behaviour.error or {}))
            self._later(
                connection,
                request,
                behaviour.ttft,
                lambda: self._send(connection, request, behaviour.status, raw, behaviour.headers),
            )
        elif ask.stream:
            self._play(connection, request, behaviour, ask)
        else:
            raw = wire.whole(behaviour, ask)
            delay = behaviour.ttft + behaviour.gap * max(0, behaviour.count - 1)
            self._later(
                connection,
                request,
                delay,
                lambda: self._send(connection, request, 200, raw, behaviour.headers),
            )

    def _play(
        self,
        connection: Connection,
        request: Request,
        behaviour: Behaviour,
        ask: wire.Ask,
    ) -> None:
        player = Player(
            connection,
            request,
            behaviour,
            wire.stream(behaviour, ask),
            wheel=self._wheel,
            book=self.book,
            holds=self._hold,
            over=lambda: self._open.pop(request.number, None),
        )
        self._open[request.number] = player.abandon
        player.start()

    def _later(
        self,
        connection: Connection,
        request: Request,
        delay: float | None,
        act: Callable[[], None],
    ) -> None:
        """Do `act` after `delay` (`None`: never) unless the client leaves before."""

        def end(*stages: Stage) -> None:
            if self._open.pop(request.number, None) is None:
                return
            connection.on_lost = None
            request.ended = time.monotonic()
            for stage in (*stages, Stage.ENDED):
                self.book.reach(request, stage)

        def fire() -> None:
            if request.number in self._open:
                act()
                end()

        def abandon() -> None:
            connection.drop(reset=True)
            end()

        self._open[request.number] = abandon
        connection.on_lost = lambda: end(Stage.CLOSED_EARLY)
        if delay is not None and delay <= 0:
            fire()
        elif delay is not None:
            self._wheel.at(request.at + delay, fire)

    def _hold(self, name: str, resume: Callable[[], None]) -> bool:
        if name in self._released:
            return True
        self._held.setdefault(name, []).append(resume)
        return False

    def _reply(
        self,
        connection: Connection,
        request: Request,
        status: int,
        raw: bytes,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        request.ended = time.monotonic()
        self._send(connection, request, status, raw, headers)
        self.book.reach(request, Stage.ENDED)

    def _send(
        self,
        connection: Connection,
        request: Request,
        status: int,
        raw: bytes,
        headers: Mapping[str, str] | None,
    ) -> None:
        request.status = status
        request.headers_sent = time.monotonic()
        if status == 200 and request.method == "POST":
            request.first_sent = request.last_sent = request.headers_sent
            self.book.reach(request, Stage.FIRST_SENT)
        connection.respond(status, raw, headers)


def _key(http: Http) -> str:
    return http.headers.get("authorization", "").removeprefix("Bearer ")


def _last_user_text(body: Any) -> str:
    messages = body.get("messages") if isinstance(body, dict) else None
    for message in reversed(messages if isinstance(messages, list) else []):
        if isinstance(message, dict) and message.get("role") == "user":
            content = message.get("content")
            if isinstance(content, list):
                return "".join(str(one.get("text", "")) for one in content)
            return str(content)
    return ""


def _raw(body: Any) -> bytes:
    if body is None:
        return b""
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()
