"""The test kit of the channel contract: subclass it in a channel's own tests and say how to make one.

    class TestMyChannel(ChannelConformance):
        @pytest_asyncio.fixture
        async def peer(self) -> AsyncIterator[MyPeer]: ...      # the other end: a real server or a faithful fake
        @pytest_asyncio.fixture
        async def channel(self, peer, host) -> MyChannel: ...   # one account that talks to that peer

Everything that `Capabilities` declare is exercised; where nothing is declared, its test has nothing to show and
passes. What else a peer may be able to do stands in channels.conformance_peers. Texts are compared by their letters and
digits (channels.markup.words), so a renderer may style as it likes. Needs pytest and pytest-asyncio, which only the
modules of this kit import.
"""

# ruff: noqa: S101 - a test kit asserts

from __future__ import annotations

import asyncio
import contextlib
from inspect import signature

import pytest

from channels import base
from channels.base import Channel
from channels.capabilities import SendKey, Streaming
from channels.conformance_peers import DroppingPeer, LimitingPeer, Peer
from channels.conformance_people import PeopleConformance
from channels.errors import Gone, GoneWhat, RateLimited, Refused, TooLong, Unavailable
from channels.events import Action, AnswerNote
from channels.fake_daemon import PATIENCE, RecordingHost
from channels.markup import words
from channels.split import measure

MARKDOWN = """# Heading one

A *first* paragraph with **bold words**, `code()`, ~~struck~~ and a [link](https://example.org/a_(b)?c=d).

- item alpha
- item beta
  - nested gamma

1. first
2. second

> quoted line

```python
def answer():
    return "<b>42</b> & more"
```

| name | value |
| --- | --- |
| left | right |

Last line."""

ODD = (
    "\u00fcml\u00e4ut e\u0301clair \u0645\u0631\u062d\u0628\u0627 "
    "\u6f22\u5b57 \U0001f469\u200d\U0001f469\u200d\U0001f467 <b>tag</b> a & b @everyone <!channel> 5 > 3 \\ end"
)

# The words of it that every rendering shows, in order.
MARKDOWN_WORDS = (
    "Heading one",
    "first",
    "paragraph with",
    "bold words",
    "code()",
    "struck",
    "link",
    "item alpha",
    "item beta",
    "nested gamma",
    "first",
    "second",
    "quoted line",
    "def answer",
    "return",
    "42",
    "more",
    "left",
    "right",
    "Last line",
)
ODD_WORDS = ("\u00fcml\u00e4ut", "\u6f22\u5b57", "tag", "a", "b", "everyone", "channel", "5", "3", "end")


class ChannelConformance(PeopleConformance):
    """Subclass it, give the fixtures `peer` and `channel`; see the module.

    `offers_again`: set it to False where the platform has no way to offer an event again that was refused.
    `wait`: the seconds that a LimitingPeer is told to ask for.
    """

    pytestmark = pytest.mark.asyncio
    offers_again = True
    wait = 1.0

    # What it says of itself.

    async def test_its_conversation_keys_carry_its_name_and_account(
        self, channel: Channel, peer: Peer
    ) -> None:
        """The first two parts of a key say whose it is."""
        assert isinstance(peer, Peer)
        assert channel.name
        assert channel.account
        assert (peer.address.key.channel, peer.address.key.account) == (channel.name, channel.account)

    async def test_what_it_declares_is_there_and_what_it_does_not_is_not(
        self, channel: Channel, peer: Peer
    ) -> None:
        """An ability is a declaration and methods; one without the other is a defect."""
        declared = channel.capabilities(peer.address)
        both = {
            base.Deletes: declared.deletes,
            base.ReadsBack: declared.send_key is SendKey.READBACK,
            base.OpensAttachments: declared.attachments_in,
            base.ShowsNotes: declared.notes,
            base.Concludes: declared.raw,
        }
        for ability, is_declared in both.items():
            has = isinstance(channel, ability)
            assert has == is_declared, (
                f"declared: {is_declared}, has the methods of {ability.__name__}: {has}"
            )
        # These may differ from one conversation to another, so methods without a declaration here are fine.
        needed = {
            base.Streams: declared.streaming is Streaming.NATIVE,
            base.Edits: declared.streaming is Streaming.EDIT,
            base.Typing: declared.typing_ttl is not None,
            base.Signs: declared.signs,
        }
        for ability, is_declared in needed.items():
            text = f"declared, but the methods of {ability.__name__} are not there"
            assert not is_declared or isinstance(channel, ability), text
        if declared.buttons:
            for call in ("send", "edit", "finish_stream"):
                method = getattr(channel, call, None)
                text = f"buttons are declared, but {call} takes no `actions`"
                assert method is None or "actions" in signature(method).parameters, text

    async def test_its_figures_make_sense(self, channel: Channel, peer: Peer) -> None:
        """Nothing is negative, no scope is declared twice, a preview is a native stream."""
        declared = channel.capabilities(peer.address)
        assert declared.max_text >= 100
        assert all(budget.rate > 0 and budget.burst >= 1 and budget.operations for budget in declared.budgets)
        assert len({budget.scope for budget in declared.budgets}) == len(declared.budgets)
        lasting = (declared.typing_ttl, declared.edit_window, declared.stream_lifetime)
        assert all(figure is None or figure > 0 for figure in lasting)
        assert declared.max_edits is None or declared.max_edits >= 0
        assert declared.streaming is Streaming.NATIVE or not declared.preview

    # What people see.

    async def test_a_short_answer_is_seen_once(self, live: Channel, peer: Peer) -> None:
        """One message, all of it."""
        delivery = await self.answer(live, peer, ["Hello, this is short."])
        await self.until_seen(peer, ["Hello, this is short."])
        assert len(delivery.message_ids) == 1

    async def test_a_growing_answer_ends_as_its_last_state(self, live: Channel, peer: Peer) -> None:
        """However it is streamed, in the end it stands there whole and once."""
        deltas = [f"word{number} " for number in range(60)]
        await self.answer(live, peer, deltas, pause=0.01)
        await self.until_seen(peer, ["".join(deltas)])

    async def test_a_closing_note_stands_under_the_answer(self, live: Channel, peer: Peer) -> None:
        """The words that the daemon adds to a stopped answer."""
        is_raw = live.capabilities(peer.address).raw  # a program is told how it ended, not in the text
        await self.answer(live, peer, ["Half an answer"], closing="(stopped)")
        await self.until_seen(peer, ["Half an answer" if is_raw else "Half an answer (stopped)"])

    async def test_an_answer_longer_than_a_message_loses_nothing(self, live: Channel, peer: Peer) -> None:
        """It is split; joined, the messages are the answer."""
        declared = live.capabilities(peer.address)
        text = " ".join(f"w{number}" for number in range(declared.max_text // 3))
        delivery = await self.answer(live, peer, [text])
        assert len(delivery.message_ids) == delivery.splits + 1
        assert (len(delivery.message_ids) == 1) == declared.raw
        await self.until_seen(peer, [text])

    async def test_an_empty_answer_is_not_sent(self, live: Channel, peer: Peer) -> None:
        """Nor is one of white space, where people read it."""
        is_raw = live.capabilities(peer.address).raw
        delivery = await self.answer(live, peer, [] if is_raw else ["  \n", "\u200b"])
        assert delivery.message_ids == ()
        await self.answer(live, peer, ["after it"])
        await self.until_seen(peer, ["after it"])

    async def test_markdown_keeps_its_words(self, live: Channel, peer: Peer) -> None:
        """Headings, emphasis, lists, quotes, code, tables and links: nothing that was said is dropped."""
        await self.answer(live, peer, [MARKDOWN])
        await self.until_holds(peer, MARKDOWN_WORDS)

    async def test_half_written_markdown_is_taken(self, live: Channel, peer: Peer) -> None:
        """The same, while it comes in pieces of three characters."""
        deltas = [MARKDOWN[start : start + 3] for start in range(0, len(MARKDOWN), 3)]
        await self.answer(live, peer, deltas, pause=0.002)
        await self.until_holds(peer, MARKDOWN_WORDS)

    async def test_odd_characters_arrive(self, live: Channel, peer: Peer) -> None:
        """Emoji, marks, right to left, and what a careless renderer takes for tags."""
        await self.answer(live, peer, [ODD])
        await self.until_holds(peer, ODD_WORDS)

    async def test_a_program_reads_what_the_model_wrote(self, live: Channel, peer: Peer) -> None:
        """Capabilities.raw: every character of it, half Markdown, controls and blanks at both ends included."""
        if not live.capabilities(peer.address).raw:
            return
        text = f"\n {MARKDOWN}\r\n```py\n**half \x07 \u202e{ODD} \U0001f469 \t\n\n"
        await self.answer(live, peer, [text[at : at + 5] for at in range(0, len(text), 5)], pause=0.001)
        async with asyncio.timeout(PATIENCE):
            while list(await peer.seen()) != [text]:  # noqa: ASYNC110 - a program tells nobody
                await asyncio.sleep(0.01)

    # The calls themselves.

    async def test_a_message_of_the_full_length_is_taken(self, live: Channel, peer: Peer) -> None:
        """`max_text` is what it says, and more is refused rather than cut."""
        declared = live.capabilities(peer.address)
        text = ("abcdefghi " * (declared.max_text // 10 + 1))[: declared.max_text - 1] + "z"
        assert measure(text, declared.unit) == declared.max_text
        await live.send(peer.address, text, "full-0")
        await self.until_seen(peer, [text])
        with contextlib.suppress(TooLong):
            await live.send(peer.address, text * 2, "full-1")
            await self.until_seen(peer, [text, text * 2])

    async def test_the_same_key_shows_a_message_once(self, live: Channel, peer: Peer) -> None:
        """SendKey.KEY."""
        if live.capabilities(peer.address).send_key is not SendKey.KEY:
            return
        first = await live.send(peer.address, "only once", "once-0")
        again = await live.send(peer.address, "only once", "once-0")
        assert first.id == again.id
        await live.send(peer.address, "and another", "once-1")
        await self.until_seen(peer, ["only once", "and another"])

    async def test_a_message_is_found_by_its_key(self, live: Channel, peer: Peer) -> None:
        """SendKey.READBACK."""
        if not isinstance(live, base.ReadsBack):
            return
        sent = await live.send(peer.address, "look for me", "look-0")
        found = await live.read_back(peer.address, "look-0")
        assert found is not None
        assert found.id == sent.id
        assert await live.read_back(peer.address, "look-1") is None

    async def test_an_edit_replaces_the_text_and_may_be_repeated(self, live: Channel, peer: Peer) -> None:
        """Edits: the same text again is no error."""
        if not isinstance(live, base.Edits):
            return
        sent = await live.send(peer.address, "before", "edit-0")
        for _ in range(2):
            await live.edit(peer.address, sent.id, "**after**")
        await self.until_seen(peer, ["after"])

    async def test_a_deleted_message_is_gone(self, live: Channel, peer: Peer) -> None:
        """Deletes: twice is no error, and an edit afterwards says that the message is gone."""
        if not isinstance(live, base.Deletes):
            return
        sent = await live.send(peer.address, "short-lived", "delete-0")
        for _ in range(2):
            await live.delete(peer.address, sent.id)
        await self.until_seen(peer, [])
        if isinstance(live, base.Edits):
            with pytest.raises(Gone) as caught:
                await live.edit(peer.address, sent.id, "too late")
            assert caught.value.what is GoneWhat.MESSAGE

    async def test_typing_shows_and_hides_nothing_else(self, live: Channel, peer: Peer) -> None:
        """Typing leaves no message."""
        if not isinstance(live, base.Typing):
            return
        for is_on in (True, True, False, False):
            await live.typing(peer.address, is_on=is_on)
        assert await peer.seen() == []

    async def test_a_native_stream_ends_as_one_message(self, live: Channel, peer: Peer) -> None:
        """Streams: start, more, finish; what `finish_stream` returns is the message that stays."""
        if live.capabilities(peer.address).streaming is not Streaming.NATIVE:
            return
        assert isinstance(live, base.Streams)
        stream = await live.start_stream(peer.address, "one", "stream-0")
        await live.update_stream(peer.address, stream, "one two", " two")
        sent = await live.finish_stream(peer.address, stream, "one two three", " three", "stream-0")
        await self.until_seen(peer, ["one two three"])
        assert sent.id
        assert live.capabilities(peer.address).preview or sent.id == stream

    async def test_a_native_stream_is_refused_where_none_is_declared(self, live: Channel, peer: Peer) -> None:
        """Streams that only some places have: elsewhere it is refused and shows nothing."""
        declared = live.capabilities(peer.address)
        if declared.streaming is Streaming.NATIVE or not isinstance(live, base.Streams):
            return
        with pytest.raises(Refused):
            await live.start_stream(peer.address, "not here", "refused-0")
        await self.answer(live, peer, ["but so"])
        await self.until_seen(peer, ["but so"])

    async def test_notes_and_buttons_leave_the_answer_alone(self, live: Channel, peer: Peer) -> None:
        """ShowsNotes and ShowsButtons: what is said is what was answered."""
        declared = live.capabilities(peer.address)
        if not (declared.notes or declared.buttons):
            return
        note = AnswerNote("Model", "reason", first_visible=0.4)
        await self.answer(live, peer, ["The answer."], note=note, actions=(Action("again", "Again"),))
        assert words("The answer.") in words(" ".join(await peer.seen()))

    # When things go wrong.

    async def test_a_wait_that_the_channel_asks_for_is_passed_on(self, live: Channel, peer: Peer) -> None:
        """RateLimited carries the seconds; the answer comes all the same. Needs a LimitingPeer."""
        if not isinstance(peer, LimitingPeer):
            return
        peer.limit_next(self.wait)
        with pytest.raises(RateLimited) as caught:
            await live.send(peer.address, "too fast", "limit-0")
        assert 0 < caught.value.retry_after <= self.wait + 1
        await asyncio.sleep(caught.value.retry_after)
        peer.limit_next(self.wait)
        await self.answer(live, peer, ["in the end"])
        await self.until_seen(peer, ["in the end"])

    async def test_a_lost_confirmation_is_told(self, live: Channel, peer: Peer) -> None:
        """Unavailable says that the message may stand; with a key it is not shown twice. Needs a DroppingPeer."""
        if not isinstance(peer, DroppingPeer):
            return
        peer.drop_next()
        with pytest.raises(Unavailable) as caught:
            await live.send(peer.address, "was it there?", "drop-0")
        assert caught.value.maybe_sent
        if live.capabilities(peer.address).send_key is SendKey.KEY:
            await live.send(peer.address, "was it there?", "drop-0")
            await self.until_seen(peer, ["was it there?"])

    # What it hears.

    async def test_its_own_messages_are_no_events(
        self, live: Channel, peer: Peer, host: RecordingHost
    ) -> None:
        """A bot that hears itself talks for ever."""
        await self.answer(live, peer, ["my own words"])
        await self.until_seen(peer, ["my own words"])
        await peer.say("now you")
        messages = await host.until_messages(1)
        assert [message.text for message in messages] == ["now you"]

    async def test_commands_can_be_registered_again(self, live: Channel, host: RecordingHost) -> None:
        """RegistersCommands does nothing when they are there already."""
        if not isinstance(live, base.RegistersCommands):
            return
        for _ in range(2):
            await live.register_commands(host.commands())


__all__ = ["ChannelConformance", "DroppingPeer", "LimitingPeer", "Peer", "RecordingHost"]
