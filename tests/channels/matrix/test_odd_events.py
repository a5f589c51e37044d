"""Events of a shape that no client sends: they cost nothing but themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from channels.matrix.memory import Memory
from tests.channels.matrix.events import event, read, said
from tests.channels.matrix.hosts import KeepingHost, running
from tests.channels.matrix.peer.home import Account
from tests.channels.matrix.peer.person import Person
from tests.channels.matrix.peer.relay import Relay
from tests.channels.matrix.test_receiving import together

MEGOLM = {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "AwgA"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("m.sticker", {"msgtype": [], "body": "x", "url": "mxc://a/b"}),
        ("m.sticker", {"msgtype": {}, "body": "x", "url": "mxc://a/b"}),
        ("m.room.encrypted", {**MEGOLM, "session_id": "nobody knows it"}),
        ("m.room.encrypted", {**MEGOLM, "session_id": "", "sender_key": ""}),
    ],
    ids=["kind is a list", "kind is an object", "no sender's key", "empty session"],
)
async def test_an_odd_event_does_not_end_the_account(
    relay: Relay, bot: Account, alice: Person, tmp_path: Path, kind: str, content: dict[str, Any]
) -> None:
    """Raised, it would come again with every sync, as the token is not stored before it was taken."""
    host = KeepingHost(tmp_path)
    async with running(bot, relay, host):
        room = await together(alice, bot)
        await alice.send(room, kind, content)
        await alice.say(room, "after")
        await host.until(lambda: any(one.text == "after" for one in host.messages))


@pytest.mark.parametrize("odd", ["\ud800", "$" + "x" * 300, "$a\nb", ""])
@pytest.mark.parametrize("kind", ["m.thread", "m.replace", "m.annotation", None])
def test_a_relation_that_names_no_event_makes_no_conversation(kind: str | None, odd: str) -> None:
    """Inside an encrypted event no server has looked at it."""
    related = {"rel_type": kind, "event_id": odd, "m.in_reply_to": {"event_id": odd}}
    content = said("hi", **{"m.relates_to": related})["content"]
    for found in (event(content), event({**content, "key": "x"}, kind="m.reaction")):
        for one in read(found, memory=Memory()).events:
            assert str(one.address.key) == "matrix:main:%21room%3Aexample.org"
