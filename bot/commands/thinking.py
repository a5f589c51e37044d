"""/think /reasoning: how hard models think in this conversation, and what is shown of it."""

from __future__ import annotations

from bot.commands.registry import Call, Command
from bot.thoughts import EFFORT, OFF, ON, SHOWN, STREAM
from channels.commands import CommandSpec
from providers.base import Effort, ModelSpec
from providers.profile import ReasoningStyle
from routing.catalog import AUTO
from routing.errors import UnknownModel

DEFAULT = "default"
_EFFORTS = (*Effort, DEFAULT)
_SHOWN = (ON, OFF, STREAM)


async def think(call: Call) -> str:
    """How hard models think here; it holds for every model that has such a switch."""
    chosen = call.argument.lower()
    current = (await call.talk()).state.choices.get(EFFORT, DEFAULT)
    if not chosen:
        return f"Thinking here: **{current}**. /think {'|'.join(_EFFORTS)} changes it."
    if chosen not in _EFFORTS:
        return f"There is no “{chosen}”: /think {'|'.join(_EFFORTS)}."
    await call.desk.conversations.choose(call.turn.key, EFFORT, None if chosen == DEFAULT else chosen)
    return f"Thinking here: **{chosen}**." + (
        _remark(await _model(call), chosen) if chosen != DEFAULT else ""
    )


async def _model(call: Call) -> ModelSpec:
    catalog = call.catalog()
    name = (await call.talk()).state.choices.get("model")
    try:
        return catalog.resolve(name)[0].model if name and name != AUTO else catalog.primary.model
    except UnknownModel:
        return catalog.primary.model


def _remark(spec: ModelSpec, chosen: str) -> str:
    """What the model that answers here makes of it."""
    style = spec.profile.reasoning
    if style is ReasoningStyle.NONE:
        return f" {spec.ref} has no such switch; it holds for models that have one."
    if chosen != Effort.OFF:
        is_graded = style not in {ReasoningStyle.DISABLE, ReasoningStyle.NO_THINK}
        return "" if is_graded else f" {spec.ref} knows only on and off."
    if style in {ReasoningStyle.EFFORT, ReasoningStyle.ADAPTIVE, ReasoningStyle.BUDGET, ReasoningStyle.LEVEL}:
        lowest = spec.profile.effort_off
        return "" if lowest == "none" else f" {spec.ref} always thinks; it takes its least, {lowest}."
    return ""


async def reasoning(call: Call) -> str:
    """What is shown of the thoughts."""
    chosen = call.argument.lower()
    current = (await call.talk()).state.choices.get(SHOWN, OFF)
    if not chosen:
        return f"Thoughts are shown here: **{current}**. /reasoning on|off|stream changes it. {_HELP}"
    if chosen not in _SHOWN:
        return f"There is no “{chosen}”: /reasoning on|off|stream. {_HELP}"
    await call.desk.conversations.choose(call.turn.key, SHOWN, None if chosen == OFF else chosen)
    return f"Thoughts are shown here: **{chosen}**."


_HELP = (
    "on: quoted before the answer. stream: while the model thinks. Only what the model tells can be shown."
)

COMMANDS = (
    Command(
        CommandSpec(
            "think", "How hard models think here", f"[{'|'.join(_EFFORTS)}]", choices=_EFFORTS, aliases=("t",)
        ),
        think,
    ),
    Command(
        CommandSpec("reasoning", "Show the model's thoughts", "[on|off|stream]", choices=_SHOWN), reasoning
    ),
)
