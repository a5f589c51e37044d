"""The same stories on each of the four channels: a real daemon, the channel's own server, a model that is scripted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from channels.markup import words
from tests.mock_model.client import MockModel
from tests.story.places import PLACES, Place
from tests.story.running import Daemon, config, daemon

# Each starts a daemon and a server of the channel, one to three seconds.
pytestmark = [pytest.mark.slow, pytest.mark.parametrize("channel", PLACES)]

CODE = "\n".join(f"    total_{number} = add(total_{number - 1}, {number})" for number in range(1, 201))
RICH = f"""Here is what I found.

| city | people |
| --- | --- |
| Hue | 351000 |
| Vinh | 339000 |

- first point
- second point

```python
{CODE}
```

That was **all** of it."""
PATIENCE = 40.0

Start = Callable[..., Awaitable[tuple[Daemon, Place]]]


@pytest_asyncio.fixture
async def start(
    channel: str, tmp_path: Path, mock_model: MockModel, request: pytest.FixtureRequest
) -> AsyncIterator[Start]:
    """Starts a ready daemon with one account of the channel, or with two."""
    async with AsyncExitStack() as stack:
        place = await stack.enter_async_context(PLACES[channel](request.getfixturevalue))

        async def begin(*, accounts: int = 1) -> tuple[Daemon, Place]:
            given: dict[str, Mapping[str, Any]] = {"main": place.account}
            if accounts == 2 and place.second is not None:
                given["other"] = place.second[0]
            settings = config(mock_model.base_url, **{channel: {"accounts": given}})
            return await stack.enter_async_context(daemon(tmp_path / "home", settings)), place

        yield begin


async def until(look: Callable[[], Awaitable[Sequence[str]]], is_right: Callable[[str], bool]) -> str:
    """The words that the person sees, once they are right; fails with what is there instead."""
    seen: Sequence[str] = ()
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                seen = await look()
                joined = words(" ".join(seen))
                if is_right(joined):
                    return joined
                await asyncio.sleep(0.02)  # a person looks again; a screen tells nobody that it changes
    except TimeoutError:
        pytest.fail(f"the person sees {str(list(seen))[:3000]}")


async def until_holds(place: Place, text: str) -> str:
    """The bot's messages hold these words."""
    return await until(place.visible, lambda seen: words(text) in seen)


async def test_the_commands_and_a_long_streamed_answer_work_there(
    channel: str, start: Start, mock_model: MockModel
) -> None:
    """/model, a table with a list and 200 lines of code, /why, /stop and /retry, each in the channel's own way."""
    tokens = [RICH[at : at + 40] for at in range(0, len(RICH), 40)]
    mock_model.script(
        {"match": "report", "tokens": tokens, "hold": "go", "hold_after": 30},
        {"match": "story", "tokens": ["Once ", "upon ", "a time"], "hold": "never", "hold_after": 2},
        default={"text": "something short"},
    )
    running, place = await start()
    await place.give("model", "fast")
    await until_holds(place, "fast (mock/m) answers here")

    await place.person.say("the report, please")
    await until_holds(place, "what I found")  # it grows while the model still speaks
    mock_model.release("go")
    seen = await until_holds(place, "That was all of it")
    for part in ("city", "people", "Hue", "351000", "first point", "second point"):
        assert words(part) in seen
    lines = [words(line) for line in CODE.splitlines()]
    assert [line for line in lines if line not in seen] == []

    await running.kept("turn WHERE model = 'mock/m' AND outcome = 'done'", 1)  # /why tells of what is over
    await place.give("why")
    await until_holds(place, "chosen here: fast")

    await place.person.say("a story")
    await until_holds(place, "Once")
    await place.give("stop")
    await until_holds(place, "Once upon (stopped)")
    await mock_model.wait("closed_early", count=1)

    mock_model.script(default={"text": "the same again"})
    await place.give("retry")
    await until_holds(place, "the same again")
    assert mock_model.chats()[-1]["body"]["messages"][-1]["content"] == "a story"


async def test_an_answer_survives_kill_9_in_one_message(
    channel: str, start: Start, mock_model: MockModel
) -> None:
    """The daemon is killed while the answer grows; after the restart it goes on where it stood, once."""
    tokens = [f"w{number} " for number in range(30)]
    mock_model.script(
        {"tokens": tokens, "hold": "go", "hold_after": 15, "times": 1}, default={"tokens": tokens}
    )
    running, place = await start()
    await place.person.say("count, please")
    await until_holds(place, "w3")
    await running.kept("part" if place.previews is None else "inbox", 1)
    await running.kill()
    await running.start()
    wanted = words("".join(tokens))
    await until(place.person.seen, lambda seen: seen.endswith(wanted))
    assert words("".join(await place.person.seen())).count(words("w3 w4")) == 1
    assert len(await place.ids()) == 1


async def test_two_bots_of_one_channel_run_in_one_daemon(
    channel: str, start: Start, mock_model: MockModel
) -> None:
    """Each has its own conversation; neither hears the other's."""
    mock_model.script({"match": "first", "text": "from one"}, {"match": "second", "text": "from two"})
    _, place = await start(accounts=2)
    assert place.second is not None
    other = place.second[1]
    await asyncio.gather(place.person.say("the first"), other.say("the second"))
    await until(place.person.seen, lambda seen: seen == words("from one"))
    await until(other.seen, lambda seen: seen == words("from two"))
    assert len(mock_model.chats()) == 2


async def test_twenty_lost_connections_lose_and_double_nothing(
    channel: str, start: Start, mock_model: MockModel
) -> None:
    """Cut again and again while the answer grows: it ends up whole, in one message."""
    tokens = [f"part{number} " for number in range(100)]
    mock_model.script(default={"tokens": tokens, "gap": 0.05})
    _, place = await start()
    await place.person.say("a long one")
    await until_holds(place, "part1")
    for _ in range(20):
        await place.person.hang_up()
        await asyncio.sleep(0.2)  # the pace of the trouble, not of the test
    await until(place.person.seen, lambda seen: seen == words("".join(tokens)))
    assert len(await place.ids()) == 1
    mock_model.script(default={"text": "still here"})
    await place.person.say("are you there?")
    await until_holds(place, "still here")
    assert len(mock_model.chats()) == 2
