"""/new /reset /stop /retry /allow /deny /queue /usage: the conversation itself."""

from __future__ import annotations

from bot import words
from bot.commands.costs import costs_here
from bot.commands.registry import Ask, Call, Command
from bot.interrupt import StopReason
from bot.lanes import Mode
from bot.record import USAGE_COST, USAGE_FULL, USAGE_OFF, USAGE_TOKENS, end_turn
from bot.store.base import Outcome, TurnRecord
from channels.commands import CommandSpec

_USAGE = (USAGE_OFF, USAGE_TOKENS, USAGE_FULL, USAGE_COST)


async def new(call: Call) -> str:
    """Begin afresh, optionally with another model."""
    await call.desk.conversations.new_session(call.turn.key)
    if not call.argument:
        return words.NEW_SESSION
    from bot.commands.models import switch

    return f"{words.NEW_SESSION}\n{await switch(call, call.argument)}"


async def reset(call: Call) -> str:
    """Begin afresh; without "soft" the choices made here are forgotten too."""
    if call.argument.lower() not in ("", "soft"):
        return "/reset forgets what was said and chosen here; /reset soft keeps what was chosen."
    if not call.argument:
        for name in list((await call.talk()).state.choices):
            await call.desk.conversations.choose(call.turn.key, name, None)
    await call.desk.conversations.new_session(call.turn.key)
    return words.NEW_SESSION


async def stop(call: Call) -> str:
    """End the running answer and drop what waits behind it."""
    lanes = call.desk.lanes
    dropped = lanes.drop_waiting(call.turn.key)
    for turn in dropped:
        record = TurnRecord(turn.turn_id, turn.key, 0, (turn.turn_id,), Outcome.WITHDRAWN)
        end_turn(call.desk.store, record)
    was_running = lanes.stop(call.turn.key, StopReason.STOPPED)
    if not was_running and not dropped:
        # Where answers stand in threads, a person may well say it beside them.
        sender = call.turn.message.sender.id
        was_running = lanes.stop_below(call.turn.key, sender, StopReason.STOPPED)
    if call.turn.is_press:
        return ""  # the answer itself says that it was stopped
    if not was_running and not dropped:
        return words.NOTHING_TO_STOP
    waiting = f" {len(dropped)} waiting message{'s' if len(dropped) > 1 else ''} dropped." if dropped else ""
    return words.STOPPING + waiting


async def queue(call: Call) -> str:
    """What a message does that comes while an answer runs."""
    chosen = call.argument.lower()
    current = (await call.talk()).state.choices.get("queue", Mode.QUEUE)
    if not chosen:
        return f"While an answer runs, a new message does this: **{current}**. {_QUEUE_HELP}"
    if chosen == "reset":
        await call.desk.conversations.choose(call.turn.key, "queue", None)
        return f"Back to **{Mode.QUEUE}**."
    if chosen not in set(Mode):
        return f"There is no mode “{chosen}”. {_QUEUE_HELP}"
    await call.desk.conversations.choose(call.turn.key, "queue", chosen)
    return f"From now on: **{chosen}**."


_QUEUE_HELP = (
    "/queue queue: it waits. /queue collect: all that wait are answered together. "
    "/queue interrupt: it ends the running answer. /queue steer: the answer begins again with both. /queue reset."
)


async def usage(call: Call) -> str:
    """Which line stands under each answer."""
    chosen = call.argument.lower()
    current = (await call.talk()).state.choices.get("usage", USAGE_OFF)
    if not chosen:
        return f"The line under each answer: **{current}**. /usage {'|'.join(_USAGE)} changes it."
    if chosen == "reset":
        chosen = USAGE_OFF
    if chosen not in _USAGE:
        return f"There is no line “{chosen}”: /usage {'|'.join(_USAGE)}."
    await call.desk.conversations.choose(call.turn.key, "usage", None if chosen == USAGE_OFF else chosen)
    line = f"The line under each answer: **{chosen}**."
    return f"{line}\n\n{await costs_here(call)}" if chosen == USAGE_COST else line


def _asks_again(argument: str) -> Ask:
    return Ask(model=argument or None, is_retry=True)


COMMANDS = (
    Command(CommandSpec("new", "Begin a new conversation", "[model]"), new),
    Command(
        CommandSpec("reset", "Begin afresh and forget what was chosen", "[soft]", choices=("soft",)), reset
    ),
    Command(CommandSpec("stop", "Stop the running answer", aliases=("abort", "cancel")), stop),
    Command(
        CommandSpec("retry", "Ask the last question again", "[model]", takes_turn=True), None, _asks_again
    ),
    Command(
        CommandSpec("allow", "Let the model make the call that it asked for", takes_turn=True),
        None,
        lambda _: Ask(consent=True),
    ),
    Command(
        CommandSpec("deny", "Do not let the model make that call", takes_turn=True),
        None,
        lambda _: Ask(consent=False),
    ),
    Command(
        CommandSpec(
            "queue",
            "What a message does while an answer runs",
            "[queue|collect|interrupt|steer|reset]",
            choices=(*Mode, "reset"),
        ),
        queue,
    ),
    Command(
        CommandSpec(
            "usage", "The line under each answer", "[off|tokens|full|cost|reset]", choices=(*_USAGE, "reset")
        ),
        usage,
    ),
)
