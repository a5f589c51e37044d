"""Delivery over channels drawn by chance: every way of streaming, every limit, faults at every call."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest

from channels.capabilities import (
    Capabilities,
    LatencyClass,
    LengthUnit,
    Operation,
    SendKey,
    Streaming,
    WriteBudget,
)
from channels.errors import ChannelError, RateLimited, Unavailable
from channels.fake import FakeChannel
from channels.fake_daemon import MemoryJournal
from channels.markup import words
from channels.pacing import Budgets
from channels.steps import Past
from tests.channels.replies import opened
from tests.virtual_time import run

WORDS = "alpha beta **bold** gamma `code` delta [link](http://h/x) _it_ eps \U0001f469\u200d\U0001f467 zeta".split()


def draw_text(chance: random.Random) -> str:
    """Markdown with every kind of block."""
    blocks = []
    for _ in range(chance.randint(1, 12)):
        line = " ".join(
            f"{chance.choice(WORDS)} w{chance.randint(0, 9999)}" for _ in range(chance.randint(1, 40))
        )
        kind = chance.randint(0, 6)
        if kind == 0:
            code = "\n".join(f"x{n} = {chance.randint(0, 99)}" for n in range(chance.randint(1, 60)))
            line = f"```python\n{code}\n```"
        elif kind == 1:
            line = "\n".join(f"- item {n} {chance.choice(WORDS)}" for n in range(chance.randint(1, 10)))
        elif kind == 2:
            line = "| a | b |\n| --- | --- |\n" + "\n".join(
                f"| {n} | v{n} |" for n in range(chance.randint(1, 8))
            )
        elif kind == 3:
            line = f"## Heading {chance.randint(0, 99)}"
        blocks.append(line)
    return "\n\n".join(blocks)


def draw_capabilities(chance: random.Random) -> Capabilities:
    """Any declaration that makes sense."""
    streaming = chance.choice(list(Streaming))
    operations = frozenset({Operation.SEND, Operation.EDIT, Operation.STREAM})
    budgets = [WriteBudget("chat", operations, chance.choice([0.3, 1, 5, 20]), chance.randint(1, 6))]
    if chance.random() < 0.5:
        budgets.append(WriteBudget("token", operations | {Operation.TYPING}, 30, 5))
    native = streaming is Streaming.NATIVE
    return Capabilities(
        LatencyClass.SEMI_SYNC,
        streaming,
        max_text=chance.choice([120, 400, 2000]),
        unit=chance.choice(list(LengthUnit)),
        budgets=tuple(budgets) if chance.random() < 0.8 else (),
        max_edits=chance.choice([None, None, 1, 4]),
        edit_window=chance.choice([None, None, 20.0]),
        typing_ttl=chance.choice([None, 5.0]),
        preview=native and chance.random() < 0.5,
        stream_lifetime=chance.choice([None, 15.0]) if native else None,
        replaceable=not native or chance.random() < 0.7,
        deletes=chance.random() < 0.5,
        send_key=chance.choice(list(SendKey)),
    )


async def scenario(seed: int, *, with_faults: bool) -> None:
    chance = random.Random(seed)
    declared = draw_capabilities(chance)
    edits = True if declared.streaming is Streaming.EDIT else chance.random() < 0.5
    channel = FakeChannel(
        declared, edits=edits, latency=chance.choice([0.0, 0.05, 0.4]), echoes=chance.random() < 0.3
    )
    text = draw_text(chance)
    journal = MemoryJournal()
    start = 0
    async with opened(channel, journal, Budgets()) as reply:
        await asyncio.sleep(chance.random())
        while start < len(text):
            size = chance.choice([1, 3, 10, 200])
            reply.write(text[start : start + size])
            start += size
            if with_faults and chance.random() < 0.02:
                draw_fault(chance, channel)
            await asyncio.sleep(chance.choice([0, 0.02, 0.1]))
        delivery = await reply.finish(closing=chance.choice(["", "(note)"]))
    seen = words(" ".join(channel.visible()))
    wanted = words(delivery.text)
    state = f"seed {seed} {declared}"
    assert channel.violations == [], state
    assert len(channel.repeated) <= delivery.maybe_doubled, state
    assert journal.finals == [delivery.text], state
    if not delivery.maybe_doubled:
        assert without_infos(seen) == without_infos(wanted), state
    if not with_faults:
        assert not [call for call in channel.calls if call.error], state
        shown = [message.id for message in channel.messages if not message.is_deleted]
        assert list(delivery.message_ids) == shown, state


def without_infos(text: str) -> str:
    return text.replace("python", "")


def draw_fault(chance: random.Random, channel: FakeChannel) -> None:
    call = chance.choice(["send", "edit", "start_stream", "update_stream", "finish_stream", "typing"])
    errors: list[ChannelError] = [RateLimited(chance.choice([0.5, 5.0]), "chat"), Unavailable("down")]
    channel.fail_next(call, chance.choice(errors))
    if chance.random() < 0.3:
        channel.fail_next(call, Unavailable("lost", maybe_sent=True), late=True)


@pytest.mark.parametrize("seed", range(150))
def test_every_answer_ends_whole_and_once_without_a_refusal(seed: int) -> None:
    run(scenario(seed, with_faults=False))


@pytest.mark.parametrize("seed", range(150))
def test_every_answer_ends_whole_and_once_after_faults(seed: int) -> None:
    run(scenario(seed, with_faults=True))


async def crash(seed: int) -> None:
    """A process dies in the middle of an answer; another one answers anew in the same messages."""
    chance = random.Random(seed)
    declared = draw_capabilities(chance)
    declared = replace(declared, max_edits=None, edit_window=None, stream_lifetime=None)
    channel = FakeChannel(
        declared, edits=True, latency=chance.choice([0.05, 0.4]), echoes=chance.random() < 0.3
    )
    text = draw_text(chance)
    first_life = MemoryJournal()
    living = asyncio.create_task(live(channel, text, first_life, random.Random(seed)))
    await asyncio.sleep(chance.uniform(0.0, 1 + len(text) / 400))
    in_flight = set(channel.in_flight)
    living.cancel()
    await asyncio.wait({living})
    if living.done() and not living.cancelled():
        return
    await asyncio.sleep(chance.uniform(1, 30))
    told = {m.id: m.states[chance.choice([0, -1])][1] for m in channel.messages if chance.random() < 0.5}
    journal = first_life.after_crash(told)
    text = text if chance.random() < 0.3 else draw_text(chance)
    standing = max(first_life.saved, key=len, default="")
    async with opened(channel, journal, Budgets(), past=Past(is_resumed=True, text=standing)) as reply:
        for start in range(0, len(text), 100):
            reply.write(text[start : start + 100])
            await asyncio.sleep(0.05)
        delivery = await reply.finish()
    state = f"seed {seed} in flight {in_flight} {declared}"
    # A send in flight may stand unknown; a key finds it again unless the new answer does not get that far.
    is_found = declared.send_key is not SendKey.NONE and len(delivery.message_ids) > len(first_life.sents)
    orphans = int(not is_found and bool(in_flight & {"send", "start_stream", "finish_stream"}))
    mine = [message for message in channel.messages if message.id in delivery.message_ids]
    others = [m for m in channel.messages if m not in mine and not m.is_deleted and m.text != "\u2013"]
    assert len(others) <= orphans, state
    assert without_infos(words(" ".join(m.text for m in mine))) == without_infos(words(delivery.text)), state


async def live(channel: FakeChannel, text: str, journal: MemoryJournal, chance: random.Random) -> None:
    async with opened(channel, journal, Budgets()) as reply:
        for start in range(0, len(text), 30):
            reply.write(text[start : start + 30])
            await asyncio.sleep(chance.choice([0, 0.1]))
        await reply.finish()


@pytest.mark.parametrize("seed", range(150))
def test_a_new_process_answers_in_the_same_messages(seed: int) -> None:
    run(crash(seed))
