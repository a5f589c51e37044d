"""Answers for programs: handed on as the model wrote them, in one message, with their end told apart."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.capabilities import Capabilities, LatencyClass, Streaming, Surface
from channels.delivery import Reply, open_reply
from channels.errors import Gone, GoneWhat
from channels.events import Action, Address, ConversationKey, Sent
from channels.fake_daemon import MemoryJournal
from channels.pacing import Budgets
from channels.programs import Conclusion, Failure, RouteTaken
from channels.wording import Wording
from tests.virtual_time import virtual_time

ADDRESS = Address(ConversationKey("programs", "main", "one"), Surface.API)
ROUTE = RouteTaken("mock/m", "default", "async", attempts=1)
WILD = ["  \n", "**half", " `md\r", "\n```py\n", "\x07\u202e", "x" * 300, "\u200b \n\n"]


class Programs:
    """A channel that notes every call. `breaks`: the connection is gone from the second text on."""

    name, account = "programs", "main"

    def __init__(self, streaming: Streaming, *, breaks: bool = False) -> None:
        self.calls: list[tuple[str, object]] = []
        self._breaks = breaks
        self._capabilities = Capabilities(
            LatencyClass.ASYNC, streaming, max_text=100, replaceable=False, durable=False, raw=True
        )

    async def run(self) -> None:
        """Nothing comes in."""

    def capabilities(self, address: Address) -> Capabilities:
        return self._capabilities

    async def send(self, address: Address, text: str, send_key: str) -> Sent:
        self.calls.append(("send", text))
        return Sent("one")

    async def start_stream(self, address: Address, text: str, send_key: str) -> str:
        self.calls.append(("start", text))
        return "one"

    async def update_stream(self, address: Address, stream_id: str, text: str, delta: str | None) -> None:
        if self._breaks:
            raise Gone(GoneWhat.CONVERSATION)
        self.calls.append(("more", delta))

    async def finish_stream(
        self, address: Address, stream_id: str, text: str, delta: str | None, send_key: str
    ) -> Sent:
        self.calls.append(("last", delta))
        return Sent("one")

    async def announce(self, address: Address, route: RouteTaken) -> None:
        self.calls.append(("route", route))

    async def conclude(self, address: Address, conclusion: Conclusion) -> None:
        self.calls.append(("end", conclusion))

    @property
    def text(self) -> str:
        return "".join(str(what) for call, what in self.calls if call in {"send", "start", "more", "last"})

    @property
    def names(self) -> list[str]:
        return [call for call, _ in self.calls]


async def written(channel: Programs, deltas: Sequence[str], conclusion: Conclusion | None = None) -> None:
    clock = asyncio.get_running_loop().time
    async with open_reply(channel, ADDRESS, MemoryJournal(), Budgets(), clock=clock) as reply:
        reply.offer((Action("stop", "Stop"),))
        reply.spoken_by(ROUTE)
        await say(reply, deltas)
        await reply.finish(closing="(a note)", actions=(Action("retry", "Retry"),), conclusion=conclusion)


async def say(reply: Reply, deltas: Sequence[str]) -> None:
    for delta in deltas:
        reply.write(delta)
        await asyncio.sleep(0.001)


@virtual_time
async def test_a_stream_is_every_delta_at_once_and_nothing_else() -> None:
    channel = Programs(Streaming.NATIVE)
    end = Conclusion(failure=Failure.SLOW)
    await written(channel, WILD, end)
    assert channel.text == "".join(WILD)
    assert channel.names == ["route", "start", *["more"] * (len(WILD) - 1), "last", "end"]
    assert channel.calls[-1] == ("end", end)


@virtual_time
async def test_a_whole_answer_is_one_message_however_long() -> None:
    channel = Programs(Streaming.NONE)
    await written(channel, WILD)
    assert channel.names == ["route", "send", "end"]
    assert channel.text == "".join(WILD)
    assert channel.calls[-1] == ("end", Conclusion())


@virtual_time
async def test_an_answer_without_text_is_its_end_alone() -> None:
    for streaming in (Streaming.NATIVE, Streaming.NONE):
        channel = Programs(streaming)
        await written(channel, [])
        assert channel.names == ["end"]


@virtual_time
async def test_when_the_connection_is_gone_nothing_more_is_tried() -> None:
    channel = Programs(Streaming.NATIVE, breaks=True)
    with pytest.raises(Gone):
        await written(channel, ["one", "two", "three"])
    assert channel.names == ["route", "start"]


@given(st.lists(st.text(max_size=9)))
def test_raw_words_are_kept_to_the_letter(deltas: list[str]) -> None:
    wording = Wording(is_raw=True)
    for delta in deltas:
        wording.write(delta)
        assert "".join(deltas).startswith(wording.text)
    wording.finish("(a note)")
    assert wording.final == "".join(deltas)


def test_halves_of_a_character_in_two_deltas_become_one() -> None:
    wording = Wording(is_raw=True)
    wording.write("a\ud83d")
    assert wording.text == "a"
    wording.write("\ude00\ud83d")
    assert wording.text == "a\U0001f600"
    wording.finish("")
    assert wording.final == "a\U0001f600\ufffd"
