"""The fake gateway: what it tells whom, what it replays, and when it closes."""

from __future__ import annotations

import zlib
from typing import Any

import aiohttp
import orjson
import pytest

from tests.channels.discord.peer.client import Peer
from tests.channels.discord.peer.raw import Raw

GUILDS, MEMBERS, MESSAGES, DMS, CONTENT = 1, 2, 1 << 9, 1 << 12, 1 << 15
ALL = GUILDS | MEMBERS | MESSAGES | DMS | CONTENT | 1 << 10 | 1 << 11


async def test_a_bot_is_greeted_told_its_guilds_and_hears_a_message(peer: Peer, raw: Raw) -> None:
    socket = await raw.socket()
    assert socket.hello["heartbeat_interval"] == 41_250
    await (await socket.identify(ALL)).until_ready()
    assert socket.ready["user"]["id"] == peer.bot.id
    assert socket.ready["guilds"] == [{"id": peer.guild, "unavailable": True}]
    assert socket.ready["resume_gateway_url"].endswith("/resume")
    guild = await socket.until("GUILD_CREATE")
    assert [one["id"] for one in guild["channels"]] == [peer.channel]
    said = await peer.say(f"hi {peer.mention()}")
    message = await socket.until("MESSAGE_CREATE")
    assert (message["id"], message["content"], message["guild_id"]) == (
        said,
        f"hi <@{peer.bot.id}>",
        peer.guild,
    )
    assert [one["id"] for one in message["mentions"]] == [peer.bot.id]
    assert message["member"]["joined_at"]


async def test_every_heartbeat_is_acknowledged(peer: Peer, raw: Raw) -> None:
    socket = await raw.socket()
    await socket.send(1, None)
    assert (await socket.receive())["op"] == 11


async def test_with_zlib_stream_one_context_serves_the_whole_connection(peer: Peer, raw: Raw) -> None:
    url = f"{peer.gateway_url}?v=10&encoding=json&compress=zlib-stream"
    async with raw.session.ws_connect(url) as ws:
        inflate = zlib.decompressobj()
        for expected in (10, 11):
            data = await ws.receive_bytes(timeout=10)
            assert data.endswith(b"\x00\x00\xff\xff")
            assert orjson.loads(inflate.decompress(data))["op"] == expected
            await ws.send_str('{"op":1,"d":null}')


@pytest.mark.parametrize(
    ("intents", "is_read"), [(GUILDS | MESSAGES, False), (GUILDS | MESSAGES | CONTENT, True)]
)
async def test_without_the_content_intent_only_mentions_replies_and_dms_can_be_read(
    peer: Peer, raw: Raw, intents: int, is_read: bool
) -> None:
    own = await raw.send("mine")
    socket = await (await (await raw.socket()).identify(intents | DMS)).until_ready()
    await peer.say("plain")
    await peer.say(f"{peer.mention()} named")
    await peer.say("answer", reply_to=own["id"])
    await peer.say("quiet answer", reply_to=own["id"], ping=False)
    await peer.say("private", channel=peer.bot.dm)
    texts = [(await socket.until("MESSAGE_CREATE"))["content"] for _ in range(5)]
    assert texts == [
        "plain" if is_read else "",
        f"<@{peer.bot.id}> named",
        "answer",
        "quiet answer" if is_read else "",
        "private",
    ]


async def test_only_what_the_intents_ask_for_is_dispatched(peer: Peer, raw: Raw) -> None:
    socket = await (await (await raw.socket()).identify(DMS | CONTENT)).until_ready()
    await peer.say("in the guild")
    await peer.typing(channel=peer.bot.dm)
    await peer.say("in the DM", channel=peer.bot.dm)
    assert (await socket.receive())["d"]["content"] == "in the DM"


async def test_a_resume_replays_what_was_missed_in_order_and_once(peer: Peer, raw: Raw) -> None:
    first = await (await (await raw.socket()).identify(ALL)).until_ready()
    await peer.say("seen")
    await first.until("MESSAGE_CREATE")
    await peer.socket("drop")
    await peer.wait(connected=False)
    for number in range(3):
        await peer.say(f"missed {number}")
    again = await (await raw.socket("/resume")).resume(first.session, first.seq)
    texts = [(await again.until("MESSAGE_CREATE"))["content"] for _ in range(3)]
    assert texts == ["missed 0", "missed 1", "missed 2"]
    assert (await again.receive())["t"] == "RESUMED"
    await peer.say("live")
    assert (await again.until("MESSAGE_CREATE"))["content"] == "live"
    counts = await peer.counts()
    assert (counts["resume"], counts["resume_url"], counts["resumed"]) == (1, 1, 1)


async def test_a_session_that_is_gone_is_answered_with_an_invalid_session(peer: Peer, raw: Raw) -> None:
    first = await (await (await raw.socket()).identify(ALL)).until_ready()
    await peer.socket("drop")
    await peer.wait(connected=False)
    await peer.advance(3600)
    late = await (await raw.socket()).resume(first.session, first.seq)
    assert await late.receive() == {"op": 9, "d": False, "s": None, "t": None}
    await (await late.identify(ALL)).until_ready()


async def test_closing_with_1000_ends_the_session_and_4000_does_not(peer: Peer, raw: Raw) -> None:
    for code, op in ((4000, 0), (1000, 9)):
        first = await (await (await raw.socket()).identify(ALL)).until_ready()
        await first.ws.close(code=code)
        await peer.wait(connected=False)
        again = await (await raw.socket()).resume(first.session, first.seq)
        assert (await again.receive())["op"] == op
        await again.ws.close()
        await peer.wait(connected=False)


async def test_a_number_from_the_future_closes_with_4007(peer: Peer, raw: Raw) -> None:
    first = await (await (await raw.socket()).identify(ALL)).until_ready()
    await peer.socket("drop")
    again = await (await raw.socket()).resume(first.session, 9999)
    assert await again.closed() == 4007


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ('{"op":8,"d":{}}', 4003),
        ('{"op":99,"d":{}}', 4001),
        ("{nonsense", 4002),
        ('{"op":2,"d":{"token":"wrong","properties":{},"intents":1}}', 4004),
        ('{"op":6,"d":{"token":"wrong","session_id":"x","seq":1}}', 4004),
    ],
)
async def test_a_wrong_frame_closes_with_its_code(peer: Peer, raw: Raw, frame: str, code: int) -> None:
    socket = await raw.socket()
    await socket.ws.send_str(frame)
    assert await socket.closed() == code


async def test_an_identify_that_asks_for_too_much_closes_with_its_code(peer: Peer, raw: Raw) -> None:
    await peer.control("grant", intents=["members"])
    codes = {}
    cases: tuple[tuple[str, int, dict[str, Any]], ...] = (
        ("not granted", GUILDS | CONTENT, {}),
        ("granted", GUILDS | MEMBERS, {}),
        ("unknown bits", 1 << 30, {}),
        ("no such shard", GUILDS, {"shard": [2, 2]}),
    )
    for name, intents, more in cases:
        socket = await (await raw.socket()).identify(intents, **more)
        codes[name] = await socket.closed() if name != "granted" else (await socket.receive())["t"]
    assert codes == {"not granted": 4014, "granted": "READY", "unknown bits": 4013, "no such shard": 4010}
    await peer.settings(sharding_required=True)
    assert await (await (await raw.socket()).identify(GUILDS)).closed() == 4011
    assert await (await raw.socket(v="6")).closed() == 4012


async def test_a_second_identify_and_a_flood_of_frames_are_closed(peer: Peer, raw: Raw) -> None:
    socket = await (await (await raw.socket()).identify(ALL)).until_ready()
    await socket.identify(ALL)
    assert await socket.closed() == 4005
    socket = await raw.socket()
    for _ in range(121):
        await socket.send(1, None)
    assert await socket.closed() == 4008


async def test_a_bot_that_does_not_beat_is_closed_with_4009_and_forgotten(peer: Peer, raw: Raw) -> None:
    await peer.settings(heartbeat=0.1)
    socket = await (await (await raw.socket()).identify(ALL)).until_ready()
    assert await socket.closed() == 4009
    again = await (await raw.socket()).resume(socket.session, socket.seq)
    assert (await again.receive())["op"] == 9


async def test_identifies_of_one_slot_need_their_distance(peer: Peer, raw: Raw) -> None:
    await peer.settings(identify_interval=5.0)
    await (await (await raw.socket()).identify(GUILDS)).until_ready()
    early = await (await raw.socket()).identify(GUILDS)
    assert (await early.receive())["op"] == 9
    await peer.advance(6)
    await (await (await raw.socket()).identify(GUILDS)).until_ready()


async def test_a_silent_socket_acknowledges_but_tells_nothing_until_the_resume(peer: Peer, raw: Raw) -> None:
    socket = await (await (await raw.socket()).identify(MESSAGES | CONTENT)).until_ready()
    await peer.socket("silent")
    await peer.say("unheard")
    await socket.send(1, socket.seq)
    assert (await socket.receive())["op"] == 11
    await socket.ws.close(code=4000)
    again = await (await raw.socket()).resume(socket.session, socket.seq)
    assert (await again.receive())["d"]["content"] == "unheard"


async def test_a_silent_socket_that_wakes_tells_what_it_held_back(peer: Peer, raw: Raw) -> None:
    socket = await (await (await raw.socket()).identify(MESSAGES | CONTENT)).until_ready()
    await peer.socket("silent")
    await peer.say("held back")
    await peer.socket("silent", off=True)
    await peer.say("live")
    assert [(await socket.receive())["d"]["content"] for _ in range(2)] == ["held back", "live"]


async def test_a_resume_may_be_ignored(peer: Peer, raw: Raw) -> None:
    socket = await (await (await raw.socket()).identify(ALL)).until_ready()
    await peer.socket("drop")
    await peer.control("next_socket", ignore_resume=1)
    deaf = await (await raw.socket()).resume(socket.session, socket.seq)
    await deaf.send(1, None)
    assert (await deaf.receive())["op"] == 11
    second = await (await raw.socket()).resume(socket.session, socket.seq)
    assert await second.until("RESUMED") is not None


async def test_reconnect_and_invalid_session_can_be_ordered(peer: Peer, raw: Raw) -> None:
    socket = await (await (await raw.socket()).identify(MESSAGES)).until_ready()
    assert await peer.socket("reconnect") == 1
    assert (await socket.receive())["op"] == 7
    await peer.socket("invalid", resumable=True)
    assert (await socket.receive())["d"] is True
    await peer.socket("no_acks")
    await socket.send(1, None)
    await peer.socket("raw", text="{half")
    assert (await socket.ws.receive(10)).data == "{half"


async def test_each_shard_hears_of_its_own_guilds_and_the_first_of_dms(peer: Peer, raw: Raw) -> None:
    others = {number: str((int(peer.guild) >> 22) + number << 22) for number in range(2)}
    for guild in others.values():
        await peer.add_guild("one more", id=guild)
    heard: dict[int, set[str]] = {}
    for shard in (0, 1):
        socket = await (await raw.socket()).identify(ALL, shard=[shard, 2])
        await socket.until_ready()
        heard[shard] = {one["id"] for one in socket.ready["guilds"]}
    assert all((int(guild) >> 22) % 2 == shard for shard, there in heard.items() for guild in there)
    assert heard[0] | heard[1] == {peer.guild, *others.values()}
    await peer.settings(shards=2, max_concurrency=16)
    found = await raw.result("GET", "/gateway/bot")
    assert (found["shards"], found["session_start_limit"]["max_concurrency"]) == (2, 16)
    assert found["session_start_limit"]["remaining"] == 998


async def test_two_bots_hear_the_same_channel_and_their_own_dms(peer: Peer, raw: Raw) -> None:
    sockets = [
        await (await (await raw.socket()).identify(MESSAGES | DMS | CONTENT, bot=bot)).until_ready()
        for bot in peer.bots
    ]
    await peer.say("for both")
    for bot in peer.bots:
        await peer.say(f"for {bot.id}", channel=bot.dm)
    for socket, bot in zip(sockets, peer.bots, strict=True):
        assert (await socket.receive())["d"]["content"] == "for both"
        assert (await socket.receive())["d"]["content"] == f"for {bot.id}"


async def test_a_revoked_token_closes_the_socket_and_every_call(peer: Peer, raw: Raw) -> None:
    socket = await (await (await raw.socket()).identify(ALL)).until_ready()
    await peer.control("revoke")
    assert await socket.closed() == 4004
    assert (await raw.refused("GET", "/users/@me"))[:2] == (401, 0)
    assert await (await (await raw.socket()).identify(ALL)).closed() == 4004


async def test_too_many_starts_cost_the_token(peer: Peer, raw: Raw) -> None:
    await peer.settings(session_starts=1)
    await (await (await raw.socket()).identify(ALL)).until_ready()
    assert (await raw.result("GET", "/gateway/bot"))["session_start_limit"]["remaining"] == 0
    assert await (await (await raw.socket()).identify(ALL)).closed() == 4004
    assert (await raw.refused("GET", "/users/@me"))[0] == 401


async def test_members_are_listed_on_request(peer: Peer, raw: Raw) -> None:
    socket = await (await (await raw.socket()).identify(ALL)).until_ready()
    await socket.send(8, {"guild_id": peer.guild, "query": "", "limit": 0, "nonce": "n"})
    chunk = await socket.until("GUILD_MEMBERS_CHUNK")
    assert {one["user"]["id"] for one in chunk["members"]} == {peer.person, *(bot.id for bot in peer.bots)}
    assert (chunk["nonce"], chunk["chunk_count"]) == ("n", 1)


async def test_a_reset_cuts_every_socket(peer: Peer, raw: Raw) -> None:
    socket = await (await (await raw.socket()).identify(ALL)).until_ready()
    await peer.reset()
    assert await socket.closed() is None
    assert isinstance(socket.ws, aiohttp.ClientWebSocketResponse)
