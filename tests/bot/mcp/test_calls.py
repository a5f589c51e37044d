"""What a model gets when it calls a tool of a server that is a process of its own."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from pathlib import Path

import pytest

from bot.access import Trust
from bot.mcp.lines import MAX_MESSAGE
from bot.mcp.server import MAX_TOOLS
from bot.tools import MAX_RESULT
from tests.bot.mcp.kit import bare, connected, is_running, library, names, offered, pids, serving, until

SECRET = "canary-0123456789"


async def test_a_server_of_the_library_is_called_over_its_pipes(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    async with connected(lib=library(notes)) as box:
        added = await box.call("lib__add", {"a": 2, "b": 40})
        kept = await box.call("lib__note_write", {"text": "milk"})
        image = await box.call("lib__image", {})
        failed = await box.call("lib__fail", {})
    assert (added.text, added.is_error) == ("42", False)
    assert (kept.text, notes.read_text()) == ("kept", "milk\n")
    assert image.text == "[A picture, image/png, 102 bytes: it cannot be shown here.]"
    assert failed.is_error and "fail" in failed.text


@pytest.mark.parametrize("transport", ["http", "sse"])
async def test_a_server_that_runs_already_is_called_at_its_address(tmp_path: Path, transport: str) -> None:
    notes = tmp_path / "notes"
    async with serving(transport, notes) as settings, connected(far=settings) as box:
        both = await asyncio.gather(
            box.call("far__add", {"a": 2, "b": 40}), box.call("far__note_write", {"text": "milk"})
        )
    assert [each.text for each in both] == ["42", "kept"]
    assert notes.read_text() == "milk\n"


async def test_many_calls_run_side_by_side(tmp_path: Path) -> None:
    async with connected(lib=library(tmp_path / "notes")) as box:
        results = await asyncio.gather(*(box.call("lib__add", {"a": each, "b": 1}) for each in range(50)))
    assert [each.text for each in results] == [str(each + 1) for each in range(50)]


async def test_a_long_result_is_cut_at_a_letter_and_says_so(tmp_path: Path) -> None:
    async with connected(lib=library(tmp_path / "notes")) as box:
        result = await box.call("lib__huge", {"letters": 1_000_000})
    assert len(result.text.encode()) <= MAX_RESULT
    assert result.text.startswith("ääää")
    assert result.text.endswith("\n[Cut off here: the whole result has 2,000,000 bytes.]")


@pytest.mark.parametrize("name", ["bare__flood", "bare__flood_at_the_end"])
async def test_a_result_of_a_hundred_megabytes_is_refused_and_never_held(name: str) -> None:
    async with connected(bare=bare()) as box:
        tracemalloc.start()
        try:
            result = await box.call(name, {})
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        after = await box.call("bare__structured", {})
    assert result.is_error and "longer than 4 MB" in result.text
    assert peak < 5 * MAX_MESSAGE
    assert json.loads(after.text) == {"warm": True, "degrees": 21}


async def test_a_result_over_http_is_bounded_too(tmp_path: Path) -> None:
    async with serving("http", tmp_path / "notes") as settings, connected(far=settings) as box:
        result = await box.call("far__huge", {"letters": 4_000_000})
        after = await box.call("far__add", {"a": 1, "b": 1})
    assert result.is_error
    assert after.text == "2"


async def test_a_server_that_never_stops_writing_holds_nobody_up(tmp_path: Path) -> None:
    """It fills its pipe for as long as it lives; another one is called meanwhile."""
    async with connected(bare=bare(pids=tmp_path), calm=bare()) as box:
        endless = asyncio.create_task(box.call("bare__endless", {}))
        await asyncio.sleep(0)
        calm = await box.call("calm__structured", {})
        assert not endless.done()
        endless.cancel()
        assert await asyncio.gather(endless, return_exceptions=True)
    assert "degrees" in calm.text
    assert not any(is_running(pid) for pid in pids(tmp_path, "server"))


@pytest.mark.slow  # what it says is taken slowly, and its answers come after
async def test_a_server_that_never_stops_telling_of_changes_holds_nobody_up() -> None:
    async with connected(bare=bare("chatty"), calm=bare()) as box:
        chatty = asyncio.create_task(box.call("bare__structured", {}))
        calm = [await box.call("calm__structured", {}) for _ in range(20)]
        assert (await chatty).text
    assert all("degrees" in each.text for each in calm)


@pytest.mark.slow  # the deadline of a call is ten seconds
async def test_a_call_that_hangs_ends_at_its_deadline(tmp_path: Path) -> None:
    async with connected(bare=bare()) as box:
        result = await box.call("bare__slow", {})
        after = await box.call("bare__structured", {})
    assert result.is_error
    assert result.text == (
        "The tool server “bare” did not answer within 10 seconds, and may have done something."
    )
    assert "degrees" in after.text


@pytest.mark.slow  # as above
async def test_a_server_that_stops_reading_holds_no_call_beyond_its_deadline(tmp_path: Path) -> None:
    async with connected(bare=bare("unread")) as box:
        results = await asyncio.gather(
            *(box.call("bare__structured", {"filling": "x" * 100_000}) for _ in range(8))
        )
    assert all(each.is_error for each in results)


async def test_a_server_that_ends_in_the_middle_is_an_error_and_comes_back(tmp_path: Path) -> None:
    async with connected(lib=library(tmp_path / "notes")) as box:
        result = await box.call("lib__crash", {})
        after = await box.call("lib__add", {"a": 1, "b": 1})
    assert result.is_error
    assert "ended the connection in the middle of the call, and may have done something" in result.text
    assert after.text == "2"


@pytest.mark.parametrize("faults", [("garbage",), ("loud",)])
async def test_what_is_no_message_is_passed_over(faults: tuple[str, ...]) -> None:
    async with connected(bare=bare(*faults)) as box:
        fine = await box.call("bare__structured", {})
        wrong = await box.call("bare__answer_garbage", {})
    assert json.loads(fine.text) == {"warm": True, "degrees": 21}
    assert wrong.is_error and "not of the protocol" in wrong.text


async def test_a_tool_that_nobody_has_is_an_error(tmp_path: Path) -> None:
    async with connected(bare=bare()) as box:
        result = await box.call("bare__teleport", {})
    assert (result.text, result.is_error) == ("There is no tool “bare__teleport”.", True)


async def test_a_program_gets_its_own_variables_and_none_of_our_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CEREBRAS_API_KEY", SECRET)
    async with connected(bare=bare(env={"GIVEN": "yes"})) as box:
        environment = json.loads((await box.call("bare__environment", {})).text)
    assert environment["GIVEN"] == "yes"
    assert SECRET not in environment.values()
    assert "PATH" in environment


async def test_names_are_what_models_take_and_each_leads_to_its_tool() -> None:
    odd = bare(tools=["odd*", "structured"])
    async with connected(**{"a.b": odd, "a_b": odd, "ä": odd}) as box:
        found = names(box)
        results = [await box.call(name, {}) for name in found]
    assert len(set(found)) == 6
    assert all(name.isascii() and len(name) <= 64 and set(name) <= _TAKEN for name in found)
    assert [each.is_error for each in results] == [False] * 6
    assert "a_b__structured" in found


_TAKEN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


async def test_long_descriptions_are_cut_and_long_schemas_refused() -> None:
    async with connected(bare=bare()) as box:
        described = offered(box, "bare__described_at_length").tool.description
        assert "bare__schema_too_long" not in names(box)
    assert len(described) == 1024
    assert described.endswith("…")


async def test_a_schema_is_what_every_vendor_takes() -> None:
    """One that is not would be answered with 400, whatever is asked."""
    async with connected(bare=bare()) as box:
        schemas = {each.tool.name: each.tool.parameters for each in box.offered(None, Trust.OWNER)}
    assert schemas["bare__ask"] == {"type": "object", "properties": {}}
    assert schemas["bare__takes_either"] == {"type": "object", "properties": {"a": {}, "b": {}}}
    assert schemas["bare__takes_strange"] == {"type": "object", "properties": {"plain": {}}}
    assert "bare__wants_strange" not in schemas


async def test_all_servers_together_offer_no_more_than_models_take() -> None:
    async with connected(one=bare("many"), two=bare("many")) as box:
        assert len(names(box)) == MAX_TOOLS
        assert names(box)[0].startswith("one__")
        assert names(box)[-1].startswith("two__")


async def test_a_new_tool_is_offered_once_the_server_tells_of_it(tmp_path: Path) -> None:
    async with connected(lib=library(tmp_path / "notes")) as box:
        assert "lib__learned" not in names(box)
        await box.call("lib__grow", {})
        await until(lambda: "lib__learned" in names(box))
        assert (await box.call("lib__learned", {})).text == "new"
        assert names(box) == sorted(names(box))
