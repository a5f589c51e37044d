"""The server's model side: who may ask, what the script says, how the answer is played."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tests.mock_model import dialects, servers, wire
from tests.mock_model.behaviour import MARKER, Behaviour, Fault, Script
from tests.mock_model.config import Config
from tests.mock_model.connection import Connection, Http
from tests.mock_model.dialects.base import Dialect, Problem, Refusal
from tests.mock_model.player import Player
from tests.mock_model.record import Book, Request, Stage, shown_headers, shown_query
from tests.mock_model.services import Services
from tests.mock_model.wheel import Wheel


class App:
    """One server: its script, its record, its open answers."""

    def __init__(self, config: Config, wheel: Wheel) -> None:
        self.config = self._first_config = config
        self.book = Book()
        self.script = Script()
        self._services = Services()
        self._wheel = wheel
        self._open: dict[int, Callable[[], None]] = {}
        self._held: dict[str, list[Callable[[], None]]] = {}
        self._released: set[str] = set()

    def handle(self, connection: Connection, http: Http) -> None:
        """Answer one request that is not the control API's."""
        connection.http10 = self.config.kind is servers.Kind.MLX
        dialect, is_ask = dialects.spoken(self.config.kind, http)
        body = http.json() if http.method in ("POST", "PATCH") else None
        header, key = dialect.key(http)
        text = dialect.user_text(body)
        request = self._note(connection, http, text, body, header, key)
        keys = self.config.keys
        if keys is not None and key not in keys and (is_ask or dialects.needs_key(http.path)):
            refused = dialect.problem(Problem.WRONG_KEY)
            self._reply(connection, request, refused.status, dialect.error(refused.status, refused.error))
        elif is_ask:
            self._ask(connection, http, request, dialect, body, text)
        else:
            self._serve(connection, http, request, dialect, body)

    def reset(self) -> None:
        """Back to the start: open answers are broken off, script, record and holds are empty."""
        for abandon in list(self._open.values()):
            abandon()
        self.book.reset()
        self.script = Script()
        self.config = self._first_config
        self._services = Services()
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

    def _note(
        self, connection: Connection, http: Http, text: str, body: Any, header: str, key: str
    ) -> Request:
        found = MARKER.findall(text)
        request = Request(
            number=self.book.total + 1,
            connection=connection.number,
            method=http.method,
            path=http.path,
            headers={},
            body=None,
            at=time.monotonic(),
            marker=found[-1] if found else "",
        )
        if self.config.keep_bodies:
            request.headers, request.body = shown_headers(http.headers), body
            request.query, request.sent_bytes = shown_query(http.query), len(http.raw)
            request.key_in = header
            if self.config.keys is not None:
                request.key_ok = key in self.config.keys
        self.book.open(request)
        return request

    def _ask(
        self, connection: Connection, http: Http, request: Request, dialect: Dialect, body: Any, text: str
    ) -> None:
        refused = self._refusal(http, dialect, body)
        if refused is not None:
            raw = dialect.error(refused.status, refused.error)
            self._reply(connection, request, refused.status, raw, refused.headers)
            return
        ask = dialect.ask(http, body, request.number, request.marker)
        request.rule, behaviour = self.script.pick(text, ask.model, dialect.key(http)[1])
        if self.config.cache:
            behaviour = replace(behaviour, **self._services.counted(http, body, self.config))
        self._act(connection, request, dialect, behaviour, ask)

    def _refusal(self, http: Http, dialect: Dialect, body: Any) -> Refusal | None:
        if self.config.state is not servers.State.READY:
            return Refusal(503)
        return dialect.refuse(http, body, self.config) or self._services.refuse(body)

    def _serve(
        self, connection: Connection, http: Http, request: Request, dialect: Dialect, body: Any
    ) -> None:
        """What is no question: models, embeddings, files and the rest."""
        request.rule, behaviour = self.script.pick_path(http.path)
        if behaviour is not None:
            ask = wire.Ask(request.number, "", "", stream=False, include_usage=True, prompt_tokens=1, body={})
            self._act(connection, request, dialect, behaviour, ask)
            return

        def line(asked: Any) -> tuple[int, Any]:
            return self._line(http, dialect, asked)

        got = self._services.answer(http, body, self.config, line)
        if isinstance(got, Refusal):
            raw = dialect.error(got.status, got.error)
            self._reply(connection, request, got.status, raw, got.headers)
        else:
            self._reply(connection, request, got.status, _raw(got.body), got.headers)

    def _line(self, http: Http, dialect: Dialect, body: Any) -> tuple[int, Any]:
        """The answer to one request of a batch, by the same script."""
        refused = dialect.refuse(http, body, self.config)
        if refused is not None:
            return refused.status, json.loads(dialect.error(refused.status, refused.error))
        ask = dialect.ask(http, body, self.book.total, "")
        _, behaviour = self.script.pick(dialect.user_text(body), ask.model, "")
        status, error = _failure(dialect, behaviour)
        if status != 200:
            return status, json.loads(dialect.error(status, error))
        return 200, json.loads(dialect.whole(behaviour, ask))

    def _act(
        self, connection: Connection, request: Request, dialect: Dialect, behaviour: Behaviour, ask: wire.Ask
    ) -> None:
        status, error = _failure(dialect, behaviour)
        if behaviour.fault is Fault.REFUSE:
            self._later(connection, request, behaviour.ttft, lambda: connection.drop(reset=True))
        elif behaviour.fault is Fault.CLOSE:
            self._later(connection, request, behaviour.ttft, lambda: connection.drop(reset=False))
        elif behaviour.fault is Fault.SILENT:
            self._later(connection, request, None, lambda: None)
        elif status != 200 or behaviour.body is not None:
            raw = dialect.error(status, error) if behaviour.body is None else _body(behaviour)
            self._send_later(connection, request, behaviour, status, raw)
        elif ask.stream:
            self._play(connection, request, dialect, behaviour, ask)
        else:
            self._send_later(connection, request, behaviour, 200, dialect.whole(behaviour, ask))

    def _send_later(
        self, connection: Connection, request: Request, behaviour: Behaviour, status: int, raw: bytes
    ) -> None:
        words = max(0, behaviour.count - 1) if status == 200 else 0
        self._later(
            connection,
            request,
            behaviour.ttft + behaviour.gap * words,
            lambda: self._send(connection, request, status, raw, behaviour.headers),
        )

    def _play(
        self, connection: Connection, request: Request, dialect: Dialect, behaviour: Behaviour, ask: wire.Ask
    ) -> None:
        player = Player(
            connection,
            request,
            behaviour,
            wire.stream(behaviour, ask, dialect.lines(behaviour, ask)),
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


def _failure(dialect: Dialect, behaviour: Behaviour) -> tuple[int, Mapping[str, Any]]:
    """The status that the script asks for, and the fields of its error."""
    if behaviour.problem is None:
        return behaviour.status, behaviour.error or {}
    refused = dialect.problem(Problem(behaviour.problem))
    return refused.status, dict(refused.error) | dict(behaviour.error or {})


def _body(behaviour: Behaviour) -> bytes:
    return (behaviour.body or "").encode("utf-8", "surrogateescape") * behaviour.body_repeat


def _raw(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()
