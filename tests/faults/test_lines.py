"""Lines that fail, between the daemon and a model and between it and a platform: told once, whole, and counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.faults.proxy import Trouble
from tests.faults.scene import BACK, PATIENCE, WHOLE, Scene
from tests.story.conftest import GROUP, speak

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]  # a real daemon, real deadlines

SIXTY = [f"w{number} " for number in range(60)]
LONG = "".join(SIXTY).strip()
ATTEMPTS = "firstword_provider_attempts_total"
HEDGES = "firstword_hedges_total"


@dataclass(frozen=True, slots=True)
class Case:
    """What happens to the sick one's answers, what a person reads then, and the metric that grows."""

    trouble: Trouble
    metric: str = ATTEMPTS
    labels: Mapping[str, str] = field(default_factory=dict)
    reads: str = WHOLE


def failed(kind: str) -> dict[str, str]:
    """The labels of a request to the sick one that failed so."""
    return {"provider": "sick", "kind": kind}


# The head of an answer is about 160 bytes, each of its events about 110.
CASES = {
    "half-open socket": Case(Trouble(silent_after=0), HEDGES, {"provider": "well", "outcome": "won"}),
    "accepted and never answered": Case(
        Trouble(is_mute=True), HEDGES, {"provider": "well", "outcome": "won"}
    ),
    "slow-loris provider": Case(Trouble(piece=1, gap=0.05), HEDGES, {"provider": "well", "outcome": "won"}),
    "reset mid-stream": Case(Trouble(reset_after=1500), labels=failed("incomplete")),
    "truncated answer": Case(Trouble(end_after=1500), labels=failed("incomplete")),
    "latency and jitter": Case(
        Trouble(latency=0.02, jitter=0.03), "firstword_ttft_seconds_count", {"provider": "sick"}, LONG
    ),
    "little bandwidth": Case(
        Trouble(rate=6000.0), "firstword_ttft_seconds_count", {"provider": "sick"}, LONG
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_an_answer_over_a_bad_line_is_whole_and_counted(name: str, scene: Scene) -> None:
    case = CASES[name]
    scene.model.script({"model": "s", "tokens": SIXTY, "gap": 0.01}, {"model": "w", "text": WHOLE})
    if case.trouble.is_mute:
        scene.sick.cut()
    scene.sick.trouble = case.trouble
    chat = scene.somebody()
    async with scene.counted(case.metric, **case.labels):
        await scene.answer(chat, "question", case.reads)
    await scene.said_once(chat, case.reads)


# What the server says, and the kind of error that is counted. A 429 that names no time rests the model for a minute.
SAYS: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "429 with Retry-After": ({"status": 429, "headers": {"Retry-After": "2"}}, "rate_limit"),
    "429 without": ({"status": 429}, "rate_limit"),
    "burst of 500": ({"status": 500}, "server"),
    "burst of 503": ({"status": 503}, "overloaded"),
    "an error in a 200": ({"fault": "error_event", "after": 0}, "overloaded"),
    "wrong types": ({"body": '{"choices": "none", "id": []}'}, "malformed"),
}


@pytest.mark.parametrize("name", SAYS)
async def test_a_model_that_says_nonsense_or_no_is_stood_in_for(name: str, scene: Scene) -> None:
    says, kind = SAYS[name]
    scene.model.script({"model": "s", **says}, {"model": "w", "text": WHOLE})
    chat = scene.somebody()
    async with scene.counted(ATTEMPTS, **failed(kind)):
        await scene.answer(chat, "question", WHOLE)
    await scene.said_once(chat, WHOLE)
    if name == "429 without":
        await scene.forgive()


async def test_a_model_that_refuses_connections_is_stood_in_for(scene: Scene) -> None:
    scene.well_again()
    await scene.sick.down()
    chat = scene.somebody()
    async with scene.counted(ATTEMPTS, **failed("connect")):
        await scene.answer(chat, "question", WHOLE)
    await scene.said_once(chat, WHOLE)


@pytest.mark.parametrize(
    ("trouble", "reads"),
    [
        (Trouble(twice=b'"two '), "one two two three four"),
        (Trouble(late=b'"two '), "one three two four"),
    ],
    ids=["twice", "late"],
)
async def test_an_event_that_comes_twice_or_late_ends_in_one_answer(
    scene: Scene, trouble: Trouble, reads: str
) -> None:
    """No protocol numbers its events, so the words are what came; that there is one answer, and an end, is ours."""
    scene.model.script({"model": "s", "tokens": ["one ", "two ", "three ", "four"], "gap": 0.05})
    scene.sick.trouble = trouble
    chat = scene.somebody()
    async with scene.counted(ATTEMPTS, provider="sick", outcome="done"):
        await scene.answer(chat, "question", reads)
    await scene.said_once(chat, reads)


async def test_a_platform_that_is_cut_off_again_and_again_hears_every_answer_once(scene: Scene) -> None:
    people = [scene.somebody() for _ in range(8)]
    # No answer is on its way while lines are cut: whether that one arrived, nobody could know.
    scene.model.script(default={"text": BACK, "hold": "until the last cut"})
    async with scene.counted("firstword_signals_total", channel="telegram", signal="reconnected"):
        for chat in people:
            await scene.peer.say(chat, f"question of {chat}")
            scene.telegram.cut()
        scene.model.release("until the last cut")
        for chat in people:
            await scene.shown(chat, BACK)
    for chat in people:
        await scene.said_once(chat, BACK)


async def test_a_platform_that_cannot_be_reached_for_a_while_gets_what_waited(scene: Scene) -> None:
    chat, later = scene.somebody(), scene.somebody()
    await scene.telegram.down()
    async with scene.counted("firstword_signals_total", channel="telegram", signal="poll_failed"):
        await scene.peer.say(chat, "said while it was away")
    await scene.telegram.up()
    await scene.shown(chat, BACK)
    await scene.answer(later, "and now", BACK)
    await scene.said_once(chat, BACK)


# The fault of the fake platform, how often, and the signal that is counted.
PLATFORM: Mapping[str, tuple[str, int, Mapping[str, Any], str]] = {
    "a burst of 502": ("sendMessage", 2, {"status": 502}, ""),
    "a page in place of JSON": ("sendMessage", 1, {"status": 200, "body": "<html>Sign in</html>"}, ""),
    "half of a JSON": ("getUpdates", 2, {"malformed": True}, "poll_failed"),
    "asked to wait": (
        "sendMessage",
        1,
        {"error": [429, "Too Many Requests", {"retry_after": 1}]},
        "rate_limited",
    ),
    "another poller": (
        "getUpdates",
        1,
        {"error": [409, "Conflict: terminated by other getUpdates"]},
        "conflict",
    ),
}


@pytest.mark.parametrize("name", PLATFORM)
async def test_what_a_platform_refuses_for_a_while_comes_later_and_once(name: str, scene: Scene) -> None:
    method, times, what, signal = PLATFORM[name]
    labels = {"channel": "telegram", "signal": signal}
    metric = ("firstword_signals_total", labels) if signal else ("firstword_turns_total", {"outcome": "done"})
    chat = scene.somebody()
    async with scene.counted(metric[0], **metric[1]):
        await scene.peer.fault(method, times=times, **what)
        if method == "getUpdates":
            scene.telegram.cut()  # the poll that is held is a healthy one
        await scene.answer(chat, "question", BACK)
    await scene.said_once(chat, BACK)


async def test_an_answer_that_somebody_deletes_while_it_grows_comes_once_more(scene: Scene) -> None:
    words = "It grows until it is whole."
    scene.model.script(default={"text": words, "hold": "until it is deleted", "hold_after": 3})
    await speak(scene.peer, GROUP, "tell me", scene.somebody())
    seen = await scene.peer.wait(chat=GROUP, contains="It grows")
    async with scene.counted("firstword_turns_total", outcome="done"):
        await scene.peer.control("remove", chat=GROUP, message_id=seen["messages"][-1]["id"])
        scene.model.release("until it is deleted")
        await scene.shown(GROUP, words)
    await scene.said_once(GROUP, words)


async def test_an_answer_into_a_chat_that_blocked_us_ends_and_the_next_one_comes(scene: Scene) -> None:
    chat = scene.somebody()
    scene.model.script(default={"tokens": SIXTY, "hold": "until we are blocked", "hold_after": 3})
    await scene.peer.say(chat, "tell me")
    await scene.peer.wait(chat=chat, draft="w0", timeout=PATIENCE)
    await scene.peer.control("set_chat", chat=chat, trouble="blocked")
    async with (
        scene.counted("firstword_signals_total", channel="telegram", signal="left"),
        scene.counted("firstword_turns_total", outcome="undeliverable"),
    ):
        scene.model.release("until we are blocked")
    await scene.peer.control("set_chat", chat=chat, trouble="")
    scene.all_well()
    await scene.answer(chat, "and now?", BACK)
    await scene.said_once(chat, BACK)
