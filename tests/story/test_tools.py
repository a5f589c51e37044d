"""What happens when a model wants to call something: called, held back for consent, refused, remembered."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bot import words
from bot.access import Policy
from bot.calls import MAX_CALLS, MAX_HELD, MAX_KEPT
from bot.exchange import MAX_MEMO
from bot.recovery import resume
from bot.store.base import Outcome
from bot.tools import MAX_STEPS
from channels.capabilities import Capabilities, LatencyClass, Streaming
from channels.commands import Role as Speaker
from channels.events import MessageEdited, Pressed, Sender
from providers.base import (
    Finished,
    FinishReason,
    Memo,
    ModelSpec,
    ReasoningDelta,
    Role,
    Started,
    TextDelta,
    ToolCallDelta,
)
from providers.errors import ErrorKind, ProviderError
from providers.fake import FakeProvider, answer
from providers.profile import ModelProfile
from tests.story.inside import Inside, address, inside, message
from tests.story.toolbox import Box, calling

BUTTONS = Capabilities(LatencyClass.SYNC, Streaming.EDIT, deletes=True, buttons=True)
KNOWN = Policy(allow=frozenset({"ann", "bob"}))
NOW = ("clock__now", "{}")
WRITE = ("notes__write", '{"text": "milk"}')
PLAIN = ModelSpec("two", "plain", profile=ModelProfile(tools=False))
LOG = ("notes__log", '{"line": "x"}')


async def told(world: Inside, text: str, number: int = 1, *, sender: str = "ann") -> str:
    """What stands there when all is quiet."""
    await world.say(text, number, sender=sender)
    await world.quiet()
    return world.channel.visible()[-1]


async def test_a_model_calls_a_tool_and_answers_with_its_result_in_the_same_message(tmp_path: Path) -> None:
    box, provider = Box(), FakeProvider("one", calling(NOW, text="Let me look."), answer("It is noon."))
    async with inside(tmp_path, provider, box=box, policy=KNOWN) as world:
        assert await told(world, "what time is it?") == "Let me look.\n\nIt is noon."
        assert len(world.channel.messages) == 1
        assert box.calls == [("clock__now", {})]
        first, second = (asked.request for asked in provider.asked)
        assert [tool.name for tool in first.tools] == [
            "clock__now",
            "door__wait",
            "notes__log",
            "notes__write",
        ]
        assert second.tools == first.tools
        assert second.messages[: len(first.messages)] == first.messages
        made, result = second.messages[len(first.messages) :]
        assert (made.role, made.text, [call.name for call in made.calls]) == (
            "assistant",
            "Let me look.",
            ["clock__now"],
        )
        assert (result.role, result.text, result.call_id) == (Role.TOOL, "12:00", made.calls[0].id)


async def test_what_was_called_stays_in_the_conversation_and_its_prefix_stays_equal(tmp_path: Path) -> None:
    provider = FakeProvider(
        "one",
        (*calling(NOW)[:-1], Memo("thoughts"), Finished(FinishReason.TOOL_CALLS)),
        answer("Noon."),
        answer("Still noon."),
    )
    async with inside(tmp_path, provider, box=Box(), policy=KNOWN) as world:
        await told(world, "time?")
        await told(world, "and now?", 2)
        second, third = provider.asked[1].request, provider.asked[2].request
        assert third.messages[: len(second.messages)] == second.messages
        assert third.messages[-2].text == "Noon."
        assert second.messages[-2].memo == "thoughts"
    provider = FakeProvider("one", answer("After the restart."))
    async with inside(tmp_path, provider, box=Box(), policy=KNOWN) as world:
        await told(world, "again?", 3)
        assert provider.asked[0].request.messages[: len(third.messages)] == third.messages


async def test_long_thoughts_go_back_while_the_answer_is_under_way_and_are_not_kept(tmp_path: Path) -> None:
    memo = "t" * (MAX_MEMO + 1)
    thinking = (*calling(NOW)[:-1], Memo(memo), Finished(FinishReason.TOOL_CALLS))
    provider = FakeProvider("one", thinking, answer("Noon."), answer("Still."))
    async with inside(tmp_path, provider, box=Box(), policy=KNOWN) as world:
        await told(world, "time?")
        await told(world, "and now?", 2)
    memos = [[each.memo for each in asked.request.messages if each.calls] for asked in provider.asked[1:]]
    assert memos == [[memo], [""]]


async def test_no_two_calls_of_a_conversation_have_one_id(tmp_path: Path) -> None:
    """Some servers count from the beginning in each answer; Anthropic refuses a conversation in which one comes twice."""
    provider = FakeProvider("one", *[calling(NOW), answer("noon")] * 3)
    async with inside(tmp_path, provider, box=Box(), policy=KNOWN) as world:
        for number in (1, 2, 3):
            await told(world, "time?", number)
    messages = provider.asked[-1].request.messages
    ids = [call.id for each in messages for call in each.calls]
    assert len(ids) == len(set(ids)) == 3
    assert ids == [each.call_id for each in messages if each.role is Role.TOOL]


async def test_calls_of_one_answer_run_side_by_side(tmp_path: Path) -> None:
    """Each waits for the other: one after the other they would never end."""
    box = Box(together=asyncio.Barrier(2))
    provider = FakeProvider("one", calling(NOW, NOW), answer("both"))
    async with inside(tmp_path, provider, box=box, policy=KNOWN) as world:
        assert await told(world, "twice") == "both"
        ids = [each.call_id for each in provider.asked[1].request.messages if each.role is Role.TOOL]
        assert len(set(ids)) == 2


async def test_at_the_last_step_a_model_has_to_answer(tmp_path: Path) -> None:
    provider = FakeProvider("one", *[calling(NOW)] * (MAX_STEPS - 1), answer("enough"))
    async with inside(tmp_path, provider, box=Box(), policy=KNOWN) as world:
        assert await told(world, "loop") == "enough"
        assert [asked.request.tool_choice for asked in provider.asked] == [None] * (MAX_STEPS - 1) + ["none"]


async def test_a_model_that_only_ever_calls_is_stopped_in_words(tmp_path: Path) -> None:
    box, provider = Box(), FakeProvider("one", *[calling(NOW)] * (MAX_STEPS + 2))
    async with inside(tmp_path, provider, box=box, policy=KNOWN) as world:
        assert await told(world, "loop") == words.EMPTY
        assert len(box.calls) == MAX_STEPS - 1
        assert len(provider.asked) == MAX_STEPS


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (("nobody__knows", "{}"), "there is no tool"),
        (("clock__now", '{"half": '), "not a JSON object"),
        (("clock__now", "[1]"), "not a JSON object (a list)"),
        (("clock__now", '{"x": "' + "y" * 70_000 + '"}'), "longer than 65,536"),
    ],
)
async def test_a_call_that_cannot_be_made_is_told_to_the_model(
    tmp_path: Path, call: tuple[str, str], reason: str
) -> None:
    box, provider = Box(), FakeProvider("one", calling(call), answer("sorry"))
    async with inside(tmp_path, provider, box=box, policy=KNOWN) as world:
        assert await told(world, "do it") == "sorry"
        assert box.calls == []
        said = provider.asked[1].request.messages[-1].text
        assert said.startswith("Error: ") and reason in said


async def test_a_name_that_a_model_made_up_does_not_spoil_the_conversation(tmp_path: Path) -> None:
    """Vendors answer 400 to every later request that holds it."""
    odd = [("multi_tool_use.parallel", "{}"), ("", "{}"), ("ä" * 100, "{}")]
    box, provider = Box(), FakeProvider("one", calling(*odd), answer("sorry"))
    async with inside(tmp_path, provider, box=box, policy=KNOWN) as world:
        assert await told(world, "do it") == "sorry"
        asked = provider.asked[1].request.messages
        names = [call.name for each in asked for call in each.calls]
        assert names == ["multi_tool_use_parallel", "unnamed", "_" * 64]
        assert all("there is no tool" in each.text for each in asked if each.role is Role.TOOL)


async def test_results_of_one_turn_are_bounded(tmp_path: Path) -> None:
    box, provider = Box(result="x" * 16_000), FakeProvider("one", calling(*[NOW] * 8), answer("much"))
    async with inside(tmp_path, provider, box=box, policy=KNOWN) as world:
        await told(world, "all")
        results = [each.text for each in provider.asked[1].request.messages if each.role is Role.TOOL]
        assert sum(len(text) for text in results) < 70_000
        assert "left out" in results[-1]


async def test_somebody_who_was_let_in_without_a_name_is_offered_nothing(tmp_path: Path) -> None:
    box, provider = Box(), FakeProvider("one", calling(NOW), answer("no tools"))
    async with inside(tmp_path, provider, box=box) as world:
        assert await told(world, "time?") == "no tools"
        assert provider.asked[0].request.tools == ()
        assert box.calls == []


async def test_a_tool_with_effects_waits_for_the_person_who_asked(tmp_path: Path) -> None:
    box, provider = Box(), FakeProvider("one", calling(NOW, WRITE), answer("Written."))
    async with inside(tmp_path, provider, BUTTONS, box=box, policy=KNOWN) as world:
        shown = await told(world, "note milk")
        assert '`notes__write {"text": "milk"}`' in shown
        assert [name for name, _ in box.calls] == ["clock__now"]
        asked = world.channel.messages[-1]
        assert [action.id for action in asked.actions] == ["allow", "deny"]
        await world.accept(Pressed("p0", asked.id, address(), Sender("bob"), "allow"))
        await world.quiet()
        assert world.channel.visible()[-1] == words.NOT_YOURS_TO_ALLOW
        await world.accept(Pressed("p1", asked.id, address(), Sender("ann"), "allow"))
        await world.quiet()
        assert world.channel.visible()[-1] == "Written."
        assert box.calls[1:] == [("notes__write", {"text": "milk"})]
        last = provider.asked[1].request.messages
        assert [each.text for each in last[-3:]] == [words.ALLOWED, "", "12:00"]
        await world.accept(Pressed("p2", asked.id, address(), Sender("ann"), "allow"))
        await world.quiet()
        assert world.channel.visible()[-1] == words.NO_CONSENT_WANTED
        assert len(box.calls) == 2


async def test_without_buttons_the_words_do_it_and_a_no_is_told_to_the_model(tmp_path: Path) -> None:
    box, provider = Box(), FakeProvider("one", calling(WRITE), answer("Then not."))
    async with inside(tmp_path, provider, box=box, policy=KNOWN) as world:
        assert "/allow lets me, /deny does not" in await told(world, "note milk")
        assert await told(world, "/deny", 2) == "Then not."
        assert box.calls == []
        assert "does not allow" in provider.asked[1].request.messages[-1].text


async def test_what_was_asked_before_a_new_question_can_no_longer_be_allowed(tmp_path: Path) -> None:
    box, provider = Box(), FakeProvider("one", calling(WRITE), answer("hello"))
    async with inside(tmp_path, provider, box=box, policy=KNOWN) as world:
        await told(world, "note milk")
        assert await told(world, "hi", 2) == "hello"
        roles = [each.role for each in provider.asked[1].request.messages]
        assert roles == [Role.USER, Role.ASSISTANT, Role.TOOL, Role.ASSISTANT, Role.USER]
        assert await told(world, "/allow", 3) == words.NO_CONSENT_WANTED
        assert box.calls == []


async def test_words_that_came_before_the_question_was_shown_allow_nothing(tmp_path: Path) -> None:
    other = ("notes__write", '{"text": "beer"}')
    box, provider = Box(), FakeProvider("one", calling(WRITE), calling(other))
    async with inside(tmp_path, provider, box=box, policy=KNOWN) as world:
        await told(world, "note milk")
        await world.say("/allow", 2)
        await world.say("/allow", 3)  # meant the same; the second question is not there yet
        await world.quiet()
        assert box.calls == [("notes__write", {"text": "milk"})]
        assert world.channel.visible()[-1] == words.NO_CONSENT_WANTED
        assert await told(world, "/allow", 4) != words.NO_CONSENT_WANTED
        assert box.calls[1:] == [("notes__write", {"text": "beer"})]


async def test_a_person_is_shown_every_call_that_waits(tmp_path: Path) -> None:
    """What a person cannot look at is not asked about, and what is written as something else is shown as it is."""
    hidden = ("notes__write", '{"text": "\\u0072m\u202e", "text": "' + "x" * 400 + '"}')
    turned = ("notes__write", '{"text": "\\u0072m \u202e"}')
    box = Box()
    provider = FakeProvider("one", calling(hidden, turned, *[WRITE] * 98), answer("Done."))
    async with inside(tmp_path, provider, BUTTONS, box=box, policy=KNOWN) as world:
        shown = await told(world, "write all that")
        assert [line for line in shown.splitlines() if line.startswith("- ")][1] == (
            r'- `notes__write {"text": "rm \u202e"}`'
        )
        assert shown.count("\n- `") == MAX_HELD
        assert "characters more" in shown
        assert await told(world, "/allow", 2) == "Done."
        assert len(box.calls) == MAX_HELD
        results = [each.text for each in provider.asked[1].request.messages if each.role is Role.TOOL]
        assert len(results) == MAX_KEPT + MAX_HELD  # the other calls were never there
        assert sum("that a person has to allow" in text for text in results) == MAX_CALLS - MAX_HELD


async def test_a_question_for_consent_survives_a_restart(tmp_path: Path) -> None:
    async with inside(tmp_path, FakeProvider("one", calling(WRITE)), box=Box(), policy=KNOWN) as world:
        await told(world, "note milk")
    box, provider = Box(), FakeProvider("one", answer("Written."))
    async with inside(tmp_path, provider, box=box, policy=KNOWN) as world:
        assert await told(world, "/allow", 2) == "Written."
        assert box.calls == [("notes__write", {"text": "milk"})]


async def test_a_call_with_effects_is_not_made_again_when_its_turn_is_taken_up_after_a_kill(
    tmp_path: Path,
) -> None:
    """The process died between the call and the end of the turn: the same turn comes again."""
    box = Box()
    async with inside(
        tmp_path, FakeProvider("one", calling(LOG, LOG), answer("x")), box=box, policy=KNOWN
    ) as world:
        turn = world.app.inbox._turn(world.account, message("log"), Speaker.GUEST)  # noqa: SLF001 - a turn, twice
        turn.committed.set_result(True)
        await world.app.inbox.dispatch(turn)
        await world.quiet()
        assert len(box.calls) == 2
    provider = FakeProvider("one", calling(LOG, LOG, LOG), answer("y"))
    async with inside(tmp_path, provider, box=box, policy=KNOWN) as world:
        again = world.app.inbox._turn(world.account, message("log"), Speaker.GUEST)  # noqa: SLF001 - as above
        again.turn_id = turn.turn_id
        again.committed.set_result(True)
        await world.app.inbox.dispatch(again)
        await world.quiet()
        assert len(box.calls) == 3  # the third was not made before
        results = [each.text for each in provider.asked[1].request.messages if each.role is Role.TOOL]
        assert ["made before" in text for text in results[-3:]] == [True, True, False]


async def _ended_in_an_allowed_call(folder: Path) -> Box:
    """A life that ends while the one call of its box, which the person allowed, is under way."""
    box = Box(together=asyncio.Barrier(2))  # nobody else comes
    async with inside(folder, FakeProvider("one", calling(WRITE)), box=box, policy=KNOWN) as world:
        await told(world, "note milk")
        await world.say("/allow", 2)
        await asyncio.wait_for(box.begun.wait(), 30)
    return box


async def test_an_allowed_call_is_not_made_again_when_its_turn_is_taken_up(tmp_path: Path) -> None:
    """The process ended while the call was under way; whether it took effect is not known."""
    box = await _ended_in_an_allowed_call(tmp_path)
    again, provider = Box(), FakeProvider("one", answer("Please look whether it is there."))
    async with inside(tmp_path, provider, box=again, policy=KNOWN) as world:
        app = world.app
        assert await resume(app.store, app.accounts, app.inbox, app.clock, time.time) == 1
        await world.quiet()
        assert world.channel.visible() == ["Please look whether it is there."]
        assert "made before" in provider.asked[0].request.messages[-1].text
        assert await told(world, "/allow", 3) == words.NO_CONSENT_WANTED
    assert (len(box.calls), again.calls) == (1, [])


async def test_a_call_that_was_allowed_is_not_made_again_when_it_is_allowed_again(tmp_path: Path) -> None:
    """The process ended while it was under way, and nobody took up what had allowed it."""
    box = await _ended_in_an_allowed_call(tmp_path)
    again, provider = Box(), FakeProvider("one", answer("Please look whether it is there."))
    async with inside(tmp_path, provider, box=again, policy=KNOWN) as world:
        assert await told(world, "/allow", 3) == "Please look whether it is there."
        assert "made before" in provider.asked[0].request.messages[-1].text
    assert (len(box.calls), again.calls) == (1, [])


@pytest.mark.parametrize("made", [1, 0], ids=["under the question", "elsewhere"])
async def test_a_button_is_one_after_a_restart_too(tmp_path: Path, made: int) -> None:
    """It answers what it stands under and nothing else, however late the clock says that this was asked."""
    async with inside(
        tmp_path, FakeProvider("one", calling(WRITE)), BUTTONS, box=Box(), policy=KNOWN
    ) as world:
        await told(world, "note milk")
        asked = world.channel.messages[-1].id
        at = time.time() + (-60 if made else 60)
        under = asked if made else f"not {asked}"
        press = replace(message("/allow", 2), message_id=under, is_press=True)
        await world.app.store.add_message(press, "t2", at)
    box = Box()
    async with inside(
        tmp_path, FakeProvider("one", answer("Written.")), BUTTONS, box=box, policy=KNOWN
    ) as world:
        app = world.app
        await resume(app.store, app.accounts, app.inbox, app.clock, time.time)
        await world.quiet()
        assert world.channel.visible() == ["Written." if made else words.NO_CONSENT_WANTED]
        assert len(box.calls) == made


async def test_stop_ends_a_call_and_the_model_hears_of_it_later(tmp_path: Path) -> None:
    box, provider = Box(), FakeProvider("one", calling(("door__wait", "{}")), answer("later"))
    async with inside(tmp_path, provider, box=box, policy=KNOWN) as world:
        await world.say("wait for the door")
        await asyncio.wait_for(box.begun.wait(), 30)
        await world.say("/stop", 2)
        await world.quiet()
        await told(world, "what happened?", 3)
        heard = [each for each in provider.asked[1].request.messages if each.role is Role.TOOL]
        assert ["stopped before it had ended" in each.text for each in heard] == [True]
        (_, row) = (await world.app.store.turns(None, 10))[:2]
        assert row.outcome in {Outcome.STOPPED, Outcome.DONE}


async def test_after_an_effect_neither_a_second_line_nor_an_edit_begins_the_answer_again(
    tmp_path: Path,
) -> None:
    box, provider = (
        Box(),
        FakeProvider("one", calling(("door__wait", "{}")), answer("first"), answer("second")),
    )
    async with inside(tmp_path, provider, box=box, policy=KNOWN) as world:
        await world.say("wait")
        await asyncio.wait_for(box.begun.wait(), 30)
        await world.say("and more", 2)
        edit = message("wait longer")
        await world.accept(
            MessageEdited("e1", edit.message_id, edit.address, edit.sender, edit.text, edit.sent_at)
        )
        box.opened.set()
        await world.quiet()
        assert world.channel.visible() == ["first", "second"]
        assert len(box.calls) == 1


async def test_a_model_that_fails_in_the_middle_is_followed_by_the_next_which_goes_on(tmp_path: Path) -> None:
    """What was called is not called again; the next rung is given the results."""
    box = Box()
    one = FakeProvider("one", calling(LOG), (Started(), ProviderError(ErrorKind.OVERLOADED)))
    two = FakeProvider("two", answer("from two"))
    async with inside(tmp_path, one, box=box, policy=KNOWN, two=two) as world:
        assert await told(world, "log") == "from two"
        assert len(box.calls) == 1
        assert [each.role for each in two.asked[0].request.messages] == [Role.USER, Role.ASSISTANT, Role.TOOL]


async def test_a_model_without_tools_that_takes_over_in_the_middle_is_told_the_results(
    tmp_path: Path,
) -> None:
    box = Box()
    one = FakeProvider(
        "one", calling(NOW, text="Let me look."), (Started(), ProviderError(ErrorKind.OVERLOADED))
    )
    two = FakeProvider("two", answer("Noon."), models=(PLAIN,))
    async with inside(tmp_path, one, box=box, policy=KNOWN, two=two) as world:
        assert await told(world, "time?") == "Let me look.\n\nNoon."
        asked = two.asked[0].request
        assert [each.role for each in asked.messages] == [Role.USER, Role.USER]
        assert "clock__now {}\n12:00" in asked.messages[1].text
        assert asked.stable == 1
        assert asked.tools == ()


async def test_within_the_loop_the_rung_that_answered_stays(tmp_path: Path) -> None:
    """The first model was overloaded once; the second one makes the calls and gives the answer."""
    one = FakeProvider("one", (Started(), ProviderError(ErrorKind.OVERLOADED)), answer("from one"))
    two = FakeProvider("two", calling(NOW), answer("from two"))
    async with inside(tmp_path, one, box=Box(), policy=KNOWN, two=two) as world:
        assert await told(world, "time?") == "from two"
        assert len(one.asked) == 1


async def test_what_a_broken_first_attempt_called_is_forgotten(tmp_path: Path) -> None:
    box = Box()
    half = (
        Started(),
        ToolCallDelta(0, id="c0", name="notes__log", arguments='{"a'),
        ProviderError(ErrorKind.SERVER),
    )
    one, two = FakeProvider("one", half, half, half), FakeProvider("two", calling(NOW), answer("whole"))
    async with inside(tmp_path, one, box=box, policy=KNOWN, two=two) as world:
        assert await told(world, "time?") == "whole"
        assert [name for name, _ in box.calls] == ["clock__now"]


async def test_thoughts_before_a_call_leave_the_screen_when_the_answer_comes(tmp_path: Path) -> None:
    first = (Started(), ReasoningDelta("I should look."), *calling(NOW)[1:])
    second = (Started(), ReasoningDelta("Noon it is."), TextDelta("Noon."), Finished(FinishReason.STOP))
    async with inside(tmp_path, FakeProvider("one", first, second), box=Box(), policy=KNOWN) as world:
        await told(world, "/reasoning stream")
        assert await told(world, "time?", 2) == "> Noon it is.\n\nNoon."


async def test_what_was_said_before_a_call_is_part_of_the_answer_beside_thoughts(tmp_path: Path) -> None:
    """Also where the model that goes on has to begin again."""
    first = (Started(), ReasoningDelta("Hm."), *calling(NOW, text="Let me look.")[1:])
    broken = (Started(), TextDelta("It is"), ProviderError(ErrorKind.SERVER))
    anew = ModelSpec("one", "m", profile=ModelProfile(prefill=False))
    provider = FakeProvider("one", first, broken, answer("Noon."), models=(anew,))
    async with inside(tmp_path, provider, box=Box(), policy=KNOWN) as world:
        await told(world, "/reasoning on")
        assert await told(world, "time?", 2) == "> Hm.\n\nLet me look.\n\nNoon."
        talk = await world.app.conversations.get(str(address().key))
        assert talk.lines[-1].text == "Let me look.\n\nNoon."


async def test_the_books_hold_every_request_of_a_turn_that_called_tools(tmp_path: Path) -> None:
    async with inside(
        tmp_path, FakeProvider("one", calling(NOW), answer("x")), box=Box(), policy=KNOWN
    ) as world:
        await told(world, "time?")
        (row,) = await world.app.store.turns(None, 1)
        assert len(row.detail["attempts"]) == 2


async def test_a_model_without_tools_is_sent_neither_tools_nor_old_calls(tmp_path: Path) -> None:
    one = FakeProvider("one", calling(NOW), answer("Noon."))
    two = FakeProvider("two", answer("plainly"), models=(PLAIN,))
    async with inside(tmp_path, one, box=Box(), policy=KNOWN, two=two) as world:
        await told(world, "time?")
        assert await told(world, "/deep and now?", 2) == "plainly"
        request = two.asked[0].request
        assert request.tools == ()
        assert [each.role for each in request.messages] == [Role.USER, Role.ASSISTANT, Role.USER]
