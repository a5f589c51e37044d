"""The half of the channel kit about people: what they say, press, attach, change and take back, and what goes wrong.

`channels.conformance.ChannelConformance` inherits it. What a capability declares is exercised: a peer that cannot
show it is a gap in the test and fails.
"""

# ruff: noqa: S101 - a test kit asserts

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from typing import NoReturn, cast

import pytest
import pytest_asyncio

from channels import base
from channels.base import Channel
from channels.capabilities import Streaming
from channels.conformance_peers import (
    AttachingPeer,
    ClosingPeer,
    HangingUpPeer,
    ModeratingPeer,
    Peer,
    PressingPeer,
    ReactingPeer,
    RewritingPeer,
    SignedPeer,
    UnsayingPeer,
)
from channels.delivery import Delivery, open_reply
from channels.errors import Gone, GoneWhat, NotAuthorized, RateLimited, Refused, TooLong
from channels.events import Action, AnswerNote, MessageDeleted, MessageEdited, Pressed, Reaction
from channels.fake_daemon import PATIENCE, MemoryJournal, RecordingHost
from channels.markup import words
from channels.pacing import Budgets
from channels.signs import put_sign

STOP = Action("stop", "Stop")
RETRY = Action("retry", "Retry")
_EYES = "\U0001f440"


class PeopleConformance:
    """See channels.conformance. `hang_ups`: how often the connection is cut while an answer grows."""

    offers_again = True
    hang_ups = 3

    @pytest.fixture
    def host(self, tmp_path: Path) -> RecordingHost:
        """The daemon's side."""
        return RecordingHost(tmp_path)

    @pytest_asyncio.fixture
    async def live(self, channel: Channel, host: RecordingHost) -> AsyncIterator[Channel]:
        """The channel while it runs, from when it says that it is online."""
        running = asyncio.create_task(channel.run())
        online = asyncio.create_task(host.until_online())
        try:
            await asyncio.wait({running, online}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
                pytest.fail("run() returned by itself")
            await online
            yield channel
        finally:
            for task in (running, online):
                task.cancel()
            await asyncio.wait({running, online})

    # What people say.

    async def test_what_a_person_says_is_an_event(
        self, live: Channel, peer: Peer, host: RecordingHost
    ) -> None:
        """With the key of the conversation, who and when."""
        await peer.say("hello there")
        (message,) = await host.until_messages(1)
        assert message.text == "hello there"
        assert str(message.address.key) == str(peer.address.key)
        assert message.sender.id
        assert not message.sender.is_bot
        assert message.addressed
        assert message.event_key
        assert message.sent_at.utcoffset() is not None

    async def test_every_message_has_its_own_key_and_they_keep_their_order(
        self, live: Channel, peer: Peer, host: RecordingHost
    ) -> None:
        """Two that read alike are two."""
        for text in ("same", "same", "third"):
            await peer.say(text)
        messages = await host.until_messages(3)
        assert [message.text for message in messages] == ["same", "same", "third"]
        assert len({message.event_key for message in messages}) == 3
        assert len({message.message_id for message in messages}) == 3

    async def test_an_event_without_room_is_offered_again(
        self, live: Channel, peer: Peer, host: RecordingHost
    ) -> None:
        """`accept` said False: it was not confirmed, so it comes again under the same key."""
        if not self.offers_again:
            return
        host.refuse = 1
        await peer.say("please wait")
        (message,) = await host.until_messages(1)
        assert message.event_key == host.refused[0].event_key

    async def test_a_reaction_is_an_event(self, live: Channel, peer: Peer, host: RecordingHost) -> None:
        """Capabilities.reactions: which message, which emoji, who."""
        if not live.capabilities(peer.address).reactions:
            return
        if not isinstance(peer, ReactingPeer):
            self._gap("ReactingPeer")
        delivery = await self.answer(live, peer, ["Do you like it?"])
        await peer.react(delivery.message_ids[-1], "\U0001f44d")
        event = await host.until_event(Reaction)
        assert event.message_id == delivery.message_ids[-1]
        assert (event.emoji, event.added) == ("\U0001f44d", True)
        assert event.sender.id
        assert str(event.address.key) == str(peer.address.key)

    async def test_a_sign_stands_on_what_was_said_once(
        self, live: Channel, peer: Peer, host: RecordingHost
    ) -> None:
        """Capabilities.signs: the second time it is there already, and that is no error."""
        if not live.capabilities(peer.address).signs:
            return
        if not isinstance(peer, SignedPeer):
            self._gap("SignedPeer")
        await peer.say("Will you answer?")
        (message,) = await host.until_messages(1)
        for _ in range(2):
            try:
                assert await put_sign(live, message.address, message.message_id, _EYES)
            except RateLimited as limit:
                await asyncio.sleep(limit.retry_after)
                assert await put_sign(live, message.address, message.message_id, _EYES)
        assert list(await peer.signs()) == [_EYES]

    async def test_buttons_stand_under_the_last_message_and_can_be_pressed(
        self, live: Channel, peer: Peer, host: RecordingHost
    ) -> None:
        """Capabilities.buttons: those of the growing answer go when it is whole; a press says which and where."""
        if not live.capabilities(peer.address).buttons:
            return
        if not isinstance(peer, PressingPeer):
            self._gap("PressingPeer")
        delivery = await self.answer(
            live, peer, ["An answer ", "with buttons."], pause=0.05, running=(STOP,), actions=(RETRY,)
        )
        last = delivery.message_ids[-1]
        assert list(await peer.buttons(last)) == [RETRY.id]
        await peer.press(last, RETRY.id)
        event = await host.until_event(Pressed)
        assert (event.action, event.message_id) == (RETRY.id, last)
        assert event.sender.id
        assert str(event.address.key) == str(peer.address.key)

    async def test_buttons_can_be_taken_away(self, live: Channel, peer: Peer) -> None:
        """An edit without actions leaves none."""
        if not live.capabilities(peer.address).buttons or not isinstance(live, base.Edits):
            return
        if not isinstance(peer, PressingPeer):
            self._gap("PressingPeer")
        shows = cast("base.ShowsButtons", live)
        sent = await shows.send(peer.address, "with", "buttons-0", actions=(STOP, RETRY))
        assert list(await peer.buttons(sent.id)) == [STOP.id, RETRY.id]
        await shows.edit(peer.address, sent.id, "without", actions=())
        assert list(await peer.buttons(sent.id)) == []

    async def test_a_file_can_be_opened(self, live: Channel, peer: Peer, host: RecordingHost) -> None:
        """Capabilities.attachments_in: name, kind and bytes; more than allowed is refused before it is read."""
        if not live.capabilities(peer.address).attachments_in:
            return
        if not isinstance(peer, AttachingPeer):
            self._gap("AttachingPeer")
        data = b"name,value\nanswer,42\n" * 50
        await peer.attach("table.csv", "text/csv", data)
        (message,) = await host.until_messages(1)
        (attachment,) = message.attachments
        assert attachment.name == "table.csv"
        assert isinstance(live, base.OpensAttachments)
        assert await live.open_attachment(attachment.ref, len(data)) == data
        with pytest.raises(TooLong):
            await live.open_attachment(attachment.ref, len(data) - 1)

    async def test_a_changed_question_is_an_event(
        self, live: Channel, peer: Peer, host: RecordingHost
    ) -> None:
        """It is about the same message and has a key of its own. Needs a RewritingPeer."""
        if not isinstance(peer, RewritingPeer):
            return
        await peer.say("first words")
        (message,) = await host.until_messages(1)
        await peer.rewrite("second words")
        event = await host.until_event(MessageEdited)
        assert (event.message_id, event.text) == (message.message_id, "second words")
        assert event.event_key != message.event_key
        assert str(event.address.key) == str(message.address.key)

    async def test_a_deleted_question_is_an_event(
        self, live: Channel, peer: Peer, host: RecordingHost
    ) -> None:
        """It names the message that is gone. Needs an UnsayingPeer."""
        if not isinstance(peer, UnsayingPeer):
            return
        await peer.say("never mind")
        (message,) = await host.until_messages(1)
        await peer.unsay()
        event = await host.until_event(MessageDeleted)
        assert event.message_id == message.message_id
        assert str(event.address.key) == str(message.address.key)

    # When things go wrong.

    async def test_an_answer_that_is_deleted_while_it_grows_is_sent_once_more(
        self, live: Channel, peer: Peer
    ) -> None:
        """The conversation still answers: the final stands there as one new message. Needs a ModeratingPeer."""
        declared = live.capabilities(peer.address)
        if not isinstance(peer, ModeratingPeer) or declared.streaming not in {
            Streaming.EDIT,
            Streaming.NATIVE,
        }:
            return
        if declared.preview:
            return  # nothing stands before the final
        journal = MemoryJournal(turn="removed")
        loop = asyncio.get_running_loop()
        async with open_reply(live, peer.address, journal, Budgets(), clock=loop.time) as reply:
            reply.write("The beginning ")
            async with asyncio.timeout(PATIENCE):
                while not journal.sents:  # noqa: ASYNC110 - a journal tells nobody
                    await asyncio.sleep(0.01)
            await peer.remove(journal.sents[0][2].id)
            reply.write("and the end.")
            await reply.finish()
        await self.until_seen(peer, ["The beginning and the end."])

    async def test_a_closed_conversation_ends_the_answer(self, live: Channel, peer: Peer) -> None:
        """Kicked or blocked: it is said so at once instead of trying for ever. Needs a ClosingPeer."""
        if not isinstance(peer, ClosingPeer):
            return
        await peer.close()
        with pytest.raises((Gone, Refused)) as caught:
            await self.answer(live, peer, ["Nobody hears this."])
        assert not isinstance(caught.value, NotAuthorized)
        assert not isinstance(caught.value, Gone) or caught.value.what is GoneWhat.CONVERSATION

    async def test_a_lost_connection_loses_and_doubles_nothing(
        self, live: Channel, peer: Peer, host: RecordingHost
    ) -> None:
        """Cut while an answer grows: it ends up whole and once, and what is said is heard once."""
        if not isinstance(peer, HangingUpPeer):
            return
        parts = [f"part{number} " for number in range(10 * self.hang_ups)]
        journal = MemoryJournal(turn="cut")
        loop = asyncio.get_running_loop()
        async with open_reply(live, peer.address, journal, Budgets(), clock=loop.time) as reply:
            for number, part in enumerate(parts):
                reply.write(part)
                if number % 10 == 5:
                    await peer.hang_up()
                    await peer.say(f"heard {number // 10}")
                await asyncio.sleep(0.02)
            delivery = await reply.finish()
        await self.until_seen(peer, ["".join(parts)])
        assert len(delivery.message_ids) == 1
        heard = await host.until_messages(self.hang_ups)
        assert [message.text for message in heard] == [f"heard {number}" for number in range(self.hang_ups)]
        assert len({message.event_key for message in heard}) == self.hang_ups

    # For the tests above; a channel's own tests may use them too.

    async def answer(
        self,
        channel: Channel,
        peer: Peer,
        deltas: Iterable[str],
        *,
        pause: float = 0.0,
        closing: str = "",
        note: AnswerNote | None = None,
        actions: Sequence[Action] = (),
        running: Sequence[Action] = (),
    ) -> Delivery:
        """Answer through `open_reply`, as the daemon does."""
        loop = asyncio.get_running_loop()
        self._answers = getattr(self, "_answers", 0) + 1
        journal = MemoryJournal(turn=f"answer{self._answers}")
        async with open_reply(channel, peer.address, journal, Budgets(), clock=loop.time) as reply:
            reply.offer(running)
            for delta in deltas:
                reply.write(delta)
                await asyncio.sleep(pause)
            return await reply.finish(closing=closing, note=note, actions=actions)

    async def until_seen(self, peer: Peer, texts: Sequence[str]) -> None:
        """The person sees these texts, all of them and nothing else. Fails with what there is instead."""
        wanted = "".join(words(text) for text in texts)
        await self._until(peer, lambda seen: seen == wanted, wanted)

    @staticmethod
    def _gap(ability: str) -> NoReturn:
        """What is declared has to be shown."""
        pytest.fail(f"the capability is declared, but the peer is no {ability}")

    async def until_holds(self, peer: Peer, texts: Sequence[str]) -> None:
        """The person sees each of these texts, in this order, among others."""
        await self._until(
            peer, lambda seen: _in_order([words(text) for text in texts], seen), " ".join(texts)
        )

    @staticmethod
    async def _until(peer: Peer, is_right: Callable[[str], bool], wanted: str) -> None:
        seen: Sequence[str] = ()
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    seen = await peer.seen()
                    if is_right("".join(words(text) for text in seen)):
                        return
                    await asyncio.sleep(0.02)  # a person looks again; no peer tells when its screen changes
        except TimeoutError:
            pytest.fail(f"wanted {wanted[:2000]!r}, the person sees {str(list(seen))[:2000]}")


def _in_order(wanted: Sequence[str], text: str) -> bool:
    position = 0
    for part in wanted:
        found = text.find(part, position)
        if found < 0:
            return False
        position = found + len(part)
    return True
