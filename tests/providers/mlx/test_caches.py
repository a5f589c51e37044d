"""What was read once is not read again: equal beginnings, turns, prompts read ahead; and drafts, which must not show."""

from __future__ import annotations

import asyncio
import json
import shutil
from importlib import import_module
from pathlib import Path

import pytest

from providers.base import CompletionRequest, PromptMessage, Role, TextDelta, WarmsPrompts
from providers.mlx_disk import read_shape
from tests.providers.ask import ask
from tests.providers.mlx import tiny
from tests.providers.mlx.ask import RULES, answer, asked, usage, user
from tests.providers.mlx.conftest import NOBODY, Opened, spec


async def test_a_conversation_reads_only_what_is_new(opened: Opened) -> None:
    """Turn after turn nine tenths of the prompt come from the cache, the model's own answers among them."""
    provider = opened()
    messages: tuple[PromptMessage, ...] = (RULES,)
    for turn in range(4):
        messages = (*messages, user(f"question {turn}"))
        heard = await answer(provider, asked(*messages))
        counted = usage(heard)
        assert (
            counted.cached_tokens == 0 if turn == 0 else counted.cached_tokens >= 0.9 * counted.input_tokens
        )
        messages = (*messages, PromptMessage(Role.ASSISTANT, heard.text))


async def test_what_is_remembered_changes_no_word(opened: Opened) -> None:
    """Also where the remembered prompt went on differently and is cut."""
    fresh, used = opened(), opened()
    await answer(used, asked(RULES, user("something else, at length, that is cut off again"), tokens=20))
    request = asked(RULES, user("hello"), tokens=20)
    again, plain = await answer(used, request), await answer(fresh, request)
    assert usage(again).cached_tokens > 100
    assert usage(plain).cached_tokens == 0
    assert again.text == plain.text


async def test_conversations_share_the_rules_that_they_begin_with(opened: Opened) -> None:
    provider = opened()
    await answer(provider, asked(RULES, user("I am Ann")))
    assert usage(await answer(provider, asked(RULES, user("I am Bob")))).cached_tokens > 100


async def test_an_answer_that_was_given_up_was_not_read_in_vain(opened: Opened) -> None:
    provider = opened()
    async with provider.stream(spec("random"), asked(RULES, user("hi"), tokens=2000), NOBODY) as events:
        await anext(event async for event in events if isinstance(event, TextDelta))
    assert usage(await answer(provider, asked(RULES, user("hi")))).cached_tokens > 100


@pytest.mark.parametrize(
    "bounds",
    [{"promptCaches": 0}, {"promptCacheMemory": 0}, {"promptCaches": 1}],
    ids=["none", "no room", "one"],
)
async def test_the_oldest_prompt_is_forgotten_when_the_bounds_are_reached(
    opened: Opened, bounds: dict[str, int]
) -> None:
    provider = opened(**bounds)
    await answer(provider, asked(RULES, user("hi")))
    await answer(provider, asked(user("entirely different, and long enough to be kept in its place")))
    assert usage(await answer(provider, asked(RULES, user("hi")))).cached_tokens == 0


async def test_stable_messages_are_read_ahead_of_need(opened: Opened) -> None:
    """Nothing is said meanwhile, and the next request with this beginning reads only its own end."""
    provider = opened()
    assert isinstance(provider, WarmsPrompts)
    request = asked(RULES, user("hello"), stable=1)
    warmed = await provider.warm_prompt(spec("random"), request, NOBODY)
    assert warmed.output_tokens == 0
    assert warmed.cache_write_tokens == warmed.input_tokens > 100
    assert provider.tally.said == 0
    counted = usage(await answer(provider, request))
    assert counted.cached_tokens == warmed.input_tokens
    again = await provider.warm_prompt(spec("random"), request, NOBODY)
    assert again.cache_write_tokens == 1  # the last token of a prompt is always read


async def test_a_request_without_stable_messages_warms_nothing(opened: Opened) -> None:
    provider = opened()
    nothing = await provider.warm_prompt(spec("random"), CompletionRequest((user("hi"),)), NOBODY)
    assert nothing.input_tokens == 0


async def test_warming_can_be_given_up(opened: Opened) -> None:
    provider = opened(prefillStep=16, maxContext=50_000)
    long = CompletionRequest((user("the lazy dog " * 1500), user("hi")), stable=1)
    task = asyncio.create_task(provider.warm_prompt(spec("endless"), long, NOBODY))
    async with asyncio.timeout(20):
        while not provider.tally.asked:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while not provider.tally.dropped:
            await asyncio.sleep(0)


@pytest.fixture(scope="session")
def pairs(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`random` with a draft that errs, one that is the model itself, and one of another vocabulary."""
    folder = tmp_path_factory.mktemp("pairs")
    for name in ("random", "draft"):
        shutil.copytree(shelf / name, folder / name)
    tiny.write(folder / "other", script=("Some", " more", " words"))
    return folder


@pytest.mark.parametrize(("draft", "guessed"), [("draft", 0), ("random", 15)], ids=["errs", "knows"])
async def test_a_draft_changes_no_word(opened: Opened, pairs: Path, draft: str, guessed: int) -> None:
    """Whatever it guesses, every word is the model's own, and there are as many as asked for."""
    plain, fast = opened(directory=str(pairs)), opened(directory=str(pairs), drafts={"random": draft})
    for tokens in (1, 2, 3, 4, 25):
        request = asked(RULES, user("hello"), tokens=tokens)
        slow, quick = await answer(plain, request), await answer(fast, request)
        assert quick.text == slow.text
        assert usage(quick).output_tokens == usage(slow).output_tokens == tokens
    assert plain.tally.drafted == 0
    assert fast.tally.drafted >= guessed


async def test_a_draft_has_a_memory_too(opened: Opened, pairs: Path) -> None:
    plain, fast = opened(directory=str(pairs)), opened(directory=str(pairs), drafts={"random": "random"})
    messages: tuple[PromptMessage, ...] = (RULES, user("hello"))
    for turn in range(3):
        heard = await answer(fast, asked(*messages))
        assert heard.text == (await answer(plain, asked(*messages))).text
        assert (usage(heard).cached_tokens > 100) == (turn > 0)
        messages = (*messages, PromptMessage(Role.ASSISTANT, heard.text), user(f"and {turn}?"))


async def test_answers_beside_one_with_a_draft_are_made_in_a_batch(opened: Opened, pairs: Path) -> None:
    provider = opened(directory=str(pairs), drafts={"random": "draft"})
    heard = await asyncio.gather(*(answer(provider, asked(user(f"{n}"), tokens=20)) for n in range(4)))
    assert [usage(each).output_tokens for each in heard] == [20] * 4
    assert provider.tally.at_once == 4


async def test_an_answer_with_a_draft_can_be_given_up_and_its_prompt_is_kept(
    opened: Opened, pairs: Path
) -> None:
    provider = opened(directory=str(pairs), drafts={"random": "random"})
    async with provider.stream(spec("random"), asked(RULES, user("hi"), tokens=3000), NOBODY) as events:
        await anext(event async for event in events if isinstance(event, TextDelta))
    plain = await answer(opened(directory=str(pairs)), asked(RULES, user("hi")))
    again = await answer(provider, asked(RULES, user("hi")))
    assert provider.tally.dropped == 1
    assert again.text == plain.text
    assert usage(again).cached_tokens > 100


async def test_a_draft_of_another_vocabulary_is_refused(opened: Opened, pairs: Path) -> None:
    provider = opened(directory=str(pairs), drafts={"random": "other"})
    heard = await ask(provider, asked(user("hi")), spec("random"), NOBODY)
    assert heard.error is not None
    assert heard.error.detail == "other cannot guess for random: they have different vocabularies"


async def test_a_model_that_changed_on_disk_is_loaded_anew(opened: Opened, tmp_path: Path) -> None:
    """A newer snapshot lies in another folder; what was remembered of the older one is not its memory."""
    tiny.require_mlx()
    for name, word in (("old", "Old"), ("new", "New")):
        tiny.write(tmp_path / name, script=(word,))
    link = tmp_path / "m"
    provider = opened(directory=str(tmp_path))
    for name, word in (("old", "Old"), ("new", "New")):
        link.unlink(missing_ok=True)
        link.symlink_to(tmp_path / name)
        heard = await answer(provider, asked(RULES, user("hi")), "m")
        assert heard.text == word
        assert usage(heard).cached_tokens == 0


async def test_a_quantised_model_speaks_and_is_counted_as_what_it_is(
    opened: Opened, shelf: Path, tmp_path: Path
) -> None:
    """Made by mlx-lm's own converter, as a person makes one."""
    made = tmp_path / "random-4bit"
    import_module("mlx_lm.convert").convert(
        str(shelf / "random"), mlx_path=str(made), quantize=True, q_bits=4, q_group_size=64
    )
    assert json.loads((made / "config.json").read_text())["quantization"]["bits"] == 4
    full, quarter = read_shape(shelf / "random"), read_shape(made)
    assert quarter.parameters == full.parameters
    assert quarter.weights < 0.2 * full.weights
    heard = await answer(opened(directory=str(tmp_path)), asked(user("hello"), tokens=9), "random-4bit")
    assert usage(heard).output_tokens == 9
