"""The table of forged, stale, packed and misplaced requests, for every webhook that there is.

`VECTORS` holds one row a kind: what is done to a request that is as it should be, and which statuses are an answer to
it. A channel gives its way of proving (`Prover`); rows that its proof has nothing of (a platform that signs no body
cannot notice a changed one) stand in its `without`, with the reason.
"""

from __future__ import annotations

import base64
import gzip
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol
from urllib.parse import urlencode

import aiohttp

CAP = 1_048_576
Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Post:
    """One request. `path` is added to the listener's address."""

    path: str
    body: bytes
    headers: Headers
    method: str = "POST"
    is_chunked: bool = False

    def with_header(self, name: str, value: str) -> Post:
        """With this header alone under its name."""
        kept = tuple((each, said) for each, said in self.headers if each.lower() != name.lower())
        return replace(self, headers=(*kept, (name, value)))

    def without(self, *names: str) -> Post:
        """Without these headers."""
        lower = {name.lower() for name in names}
        return replace(self, headers=tuple(each for each in self.headers if each[0].lower() not in lower))

    def header(self, name: str) -> str:
        """The value of a header."""
        return next(value for each, value in self.headers if each.lower() == name.lower())

    async def send(self, session: aiohttp.ClientSession, address: str) -> int:
        """Send it; returns the status, 0 where the connection was closed instead."""

        async def pieces() -> object:  # an async generator makes aiohttp send chunks
            for start in range(0, len(self.body), 65536):
                yield self.body[start : start + 65536]

        try:
            async with session.request(
                self.method,
                f"{address}{self.path}",
                data=pieces() if self.is_chunked else io.BytesIO(self.body),
                headers=self.headers,
                allow_redirects=False,
                skip_auto_headers=("Content-Type",),
            ) as response:
                await response.read()
                return response.status
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            return 0


class Prover(Protocol):
    """How a platform proves that a request is its own."""

    @property
    def proof(self) -> str:
        """The header that carries the proof."""

    @property
    def other_path(self) -> str:
        """The path of another account of ours."""

    @property
    def without(self) -> Mapping[str, str]:
        """Rows that say nothing of this platform -> why."""

    def sign(self, post: Post, *, secret: str | None = None, age: float = 0.0) -> Post:
        """`post` with its proof, made with another account's `secret`, or so many seconds ago."""

    @property
    def other_secret(self) -> str:
        """The secret of another account."""


@dataclass(frozen=True, slots=True)
class Vector:
    """A way to spoil a request. `statuses`: what it may be answered with."""

    name: str
    spoil: Callable[[Post, Prover], Post]
    statuses: frozenset[int] = field(default=frozenset({401}))


def flip(data: bytes, place: int) -> bytes:
    """`data` with one bit turned."""
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def _proof(change: Callable[[str], str]) -> Callable[[Post, Prover], Post]:
    return lambda post, prover: post.with_header(prover.proof, change(post.header(prover.proof)))


def _elsewhere(name: str, text: str) -> Callable[[Post, Prover], Post]:
    """The right proof, where nobody looks for it."""

    def spoil(post: Post, prover: Prover) -> Post:
        proof = post.header(prover.proof)
        return post.without(prover.proof).with_header(name, text.format(proof))

    return spoil


def _query(post: Post, prover: Prover) -> Post:
    proof = post.header(prover.proof)
    query = urlencode(dict.fromkeys(("token", "secret", "secret_token", "signature", prover.proof), proof))
    return replace(post.without(prover.proof), path=f"{post.path}?{query}")


def _over(post: Post, prover: Prover, *, is_chunked: bool) -> Post:
    large = replace(post, body=post.body + b" " * CAP, is_chunked=is_chunked)
    return prover.sign(large)


def _packed(post: Post, prover: Prover, *, signs_packed: bool) -> Post:
    packed = replace(post, body=gzip.compress(post.body))
    signed = prover.sign(packed) if signs_packed else replace(prover.sign(post), body=packed.body)
    return signed.with_header("Content-Encoding", "gzip")


def _one(*statuses: int) -> frozenset[int]:
    return frozenset(statuses)


VECTORS = (
    Vector("no proof", lambda post, prover: post.without(prover.proof)),
    Vector("a blank proof", _proof(lambda _: "")),
    Vector("a proof of spaces", _proof(lambda _: "   ")),
    Vector("the proof twice", lambda post, prover: replace(
        post, headers=(*post.headers, (prover.proof, post.header(prover.proof))))),
    Vector("a wrong proof before the right one", lambda post, prover: replace(
        post, headers=((prover.proof, "0" * 64), *post.headers))),
    Vector("one bit of the proof", _proof(lambda proof: flip(proof.encode(), len(proof) - 1).decode())),
    Vector("one bit at its beginning", _proof(lambda proof: flip(proof.encode(), 0).decode())),
    Vector("half of the proof", _proof(lambda proof: proof[: len(proof) // 2])),
    Vector("the proof and more", _proof(lambda proof: proof + "0")),
    Vector("two proofs in one", _proof(lambda proof: f"{proof}, {proof}")),
    Vector("the proof in the other case", _proof(str.swapcase)),
    Vector("the proof in Base64", _proof(lambda proof: base64.b64encode(proof.encode()).decode())),
    Vector("the proof percent-encoded", _proof(lambda proof: "".join(f"%{ord(each):02X}" for each in proof))),
    Vector("the proof with other characters", _proof(lambda proof: proof[:-1] + "\u00e9")),
    Vector("the proof in the query", _query),
    Vector("the proof as Authorization", _elsewhere("Authorization", "Bearer {}")),
    Vector("the proof as a cookie", _elsewhere("Cookie", "token={}")),
    Vector("another account's proof", lambda post, prover: prover.sign(post, secret=prover.other_secret)),
    Vector("a blank secret's proof", lambda post, prover: prover.sign(post, secret="")),
    Vector("at another account's door", lambda post, prover: replace(post, path=prover.other_path)),
    Vector("one bit of the body", lambda post, _: replace(post, body=flip(post.body, len(post.body) // 2))),
    Vector("one byte more", lambda post, _: replace(post, body=post.body + b" ")),
    Vector("an empty body", lambda post, _: replace(post, body=b"")),
    Vector("six minutes old", lambda post, prover: prover.sign(post, age=360)),
    Vector("six minutes ahead", lambda post, prover: prover.sign(post, age=-360)),
    Vector("packed", lambda post, prover: _packed(post, prover, signs_packed=True), _one(415)),
    Vector("packed after it was signed", lambda post, prover: _packed(post, prover, signs_packed=False), _one(415)),
    Vector("beyond the cap", lambda post, prover: _over(post, prover, is_chunked=False), _one(413)),
    Vector("beyond the cap in pieces", lambda post, prover: _over(post, prover, is_chunked=True), _one(413, 0)),
    Vector("GET", lambda post, _: replace(post, method="GET"), _one(405)),
    Vector("PUT", lambda post, _: replace(post, method="PUT"), _one(405)),
    Vector("DELETE", lambda post, _: replace(post, method="DELETE"), _one(405)),
    Vector("as text", lambda post, _: post.with_header("Content-Type", "text/plain"), _one(415)),
    Vector("as a page", lambda post, _: post.with_header("Content-Type", "text/html"), _one(415)),
    Vector("as parts", lambda post, _: post.with_header(
        "Content-Type", "multipart/form-data; boundary=x"), _one(415)),
    Vector("of no kind", lambda post, _: post.without("Content-Type"), _one(415)),
    Vector("at a path above", lambda post, _: replace(post, path=post.path.rpartition("/")[0]), _one(404)),
    Vector("at a path below", lambda post, _: replace(post, path=f"{post.path}/x"), _one(404)),
    Vector("at the page", lambda post, _: replace(post, path="/"), _one(404)),
    Vector("with a line too long", lambda post, _: post.with_header("X-Long", "x" * 20_000), _one(400, 431, 0)),
)  # fmt: skip
"""What has to be refused."""


async def refused(
    post: Post, prover: Prover, address: str, effects: Callable[[], object]
) -> tuple[list[str], int]:
    """Send every row; gives what was not refused, or had an effect, and how many rows were sent."""
    wrong: list[str] = []
    sent = 0
    before = effects()
    async with aiohttp.ClientSession() as session:
        for vector in VECTORS:
            if vector.name in prover.without:
                continue
            spoiled = vector.spoil(post, prover)
            status = await spoiled.send(session, address)
            sent += 1
            if status not in vector.statuses:
                wrong.append(f"{vector.name}: {status}")
            if effects() != before:
                wrong.append(f"{vector.name}: {before} became {effects()}")
                before = effects()
    return wrong, sent
