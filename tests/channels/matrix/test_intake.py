"""Whole syncs of any shape, without a homeserver: the way in takes what makes sense and lives on."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from channels.matrix import MatrixSettings
from channels.matrix.account import Account
from channels.matrix.gaps import Gaps
from channels.matrix.intake import Intake
from channels.matrix.invites import Inviter
from channels.matrix.limits import Offers
from channels.matrix.receipts import Receipts
from channels.matrix.rooms import JOINED, Rooms
from channels.matrix.timing import Timing
from channels.matrix.unread import Unread
from channels.matrix.wire import Wire
from tests.channels.matrix.events import ALICE, BOT, ME, ROOM, said
from tests.channels.matrix.hosts import KeepingHost
from tests.generated import generated

_GIVEN = {"homeserver": "http://127.0.0.1:9", "userId": BOT, "accessToken": "t", "backfillMessages": 0}


class Way:
    """One account's way in, and what came out of it."""

    def __init__(self, host: KeepingHost) -> None:
        self.host = host
        settings = MatrixSettings.model_validate(_GIVEN)
        wire = Wire(settings.homeserver)
        self.account = Account(settings, host, wire, Timing(), ME, Offers(settings), Rooms(BOT))
        chance = random.Random(1).random
        self.inviter = Inviter(self.account, chance)
        gaps = Gaps(self.account, lambda: 0.0, chance)
        unread = Unread(host, lambda: 0.0, 600.0, 15.0)
        self.intake = Intake(self.account, gaps, unread, Receipts(self.account).read)

    async def take(self, sync: dict[str, Any]) -> None:
        await self.intake.take(sync, "since")
        self.inviter.take(sync)


@pytest_asyncio.fixture
async def way(tmp_path: Path) -> AsyncIterator[Way]:
    yield Way(KeepingHost(tmp_path))


def joined(*events: Any) -> dict[str, Any]:
    """A sync with these events in one room."""
    return {"next_batch": "s1", "rooms": {"join": {ROOM: {"timeline": {"events": list(events)}}}}}


async def test_one_odd_room_costs_the_others_nothing(way: Way) -> None:
    way.account.rooms.room(ROOM).own = JOINED
    sync = joined("odd", said("Hello"), {"type": 5})
    sync["rooms"]["join"] |= {
        "!odd:x": "odd",
        "!odder:x": {"timeline": [], "state": {"events": 7}},
        "!o:x": {},
    }
    await way.take(sync)
    assert [message.text for message in way.host.messages] == ["Hello"]


async def test_what_cannot_be_read_is_counted_and_remembered(way: Way) -> None:
    way.account.rooms.room(ROOM).own = JOINED
    locked = said("") | {"type": "m.room.encrypted", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
    await way.take(joined(locked, locked | {"sender": BOT, "event_id": "$mine"}))
    assert way.host.signals == {"undecryptable": 1, "self_message": 1}
    await way.intake.unread.keep()
    assert await way.intake.unread.kept() == [(ROOM, "$event")]


_LEAVES = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=10) | st.sampled_from([ALICE, BOT, ROOM])
)
_KEYS = st.sampled_from(
    "events timeline state summary ephemeral invite_state account_data limited prev_batch content type state_key sender"
    " event_id membership user_ids m.joined_member_count is_direct displayname replacement_room".split()
)
_TYPES = st.sampled_from(
    "m.typing m.direct m.room.member m.room.encrypted m.room.encryption m.room.tombstone m.room.message invite join".split()
)
_ANY = st.recursive(
    _LEAVES | _TYPES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=12,
)
_EVENTS = st.lists(
    _ANY
    | st.fixed_dictionaries(
        {"type": _TYPES, "sender": st.sampled_from([ALICE, BOT]), "event_id": st.sampled_from(["$a", "$b"])},
        optional={
            "content": _ANY,
            "state_key": st.sampled_from([BOT, ""]),
            "origin_server_ts": st.integers(),
        },
    ),
    max_size=4,
)
_SECTION = st.fixed_dictionaries(
    {"events": _EVENTS}, optional={"limited": st.booleans(), "prev_batch": _LEAVES}
)
_PARTS = _ANY | st.dictionaries(
    st.sampled_from(["timeline", "state", "ephemeral", "invite_state", "summary"]),
    _SECTION | _ANY,
    max_size=4,
)
_ROOMS = _ANY | st.dictionaries(st.sampled_from([ROOM, "!other:x", ""]), _PARTS, max_size=2)


@generated
@given(
    _ANY | st.fixed_dictionaries({}, optional={"join": _ROOMS, "leave": _ROOMS, "invite": _ROOMS}),
    _SECTION | _ANY,
)
async def test_no_sync_is_odd_enough_to_raise(way: Way, rooms: Any, account_data: Any) -> None:
    await way.take({"next_batch": "s1", "rooms": rooms, "account_data": account_data})
