"""/rollout: how far choosing by figures is rolled out, what was seen, and the switch that ends it."""

from __future__ import annotations

from bot.commands.registry import Call, Command
from bot.rollout import Rolling
from channels.commands import CommandSpec, Role
from routing.rollout import SHARES, Stage

_ORDERS = ("status", "next", "back", "on", "off", "shadow", "20", "50", "100", "forget")

_WHAT = {
    Stage.OFF: "off: models are asked as the settings list them",
    Stage.SHADOW: "shadow: as the settings list them; choosing by figures is only compared",
    Stage.FIFTH: "20 of 100 conversations are chosen for by figures and difficulty",
    Stage.HALF: "50 of 100 conversations are chosen for by figures and difficulty",
    Stage.ALL: "on: every conversation is chosen for by figures and difficulty",
}


async def rollout(call: Call) -> str:
    """Show or change the stage. It holds over restarts, until routing.rollout.stage is changed."""
    if call.argument.lower() == "forget":
        count = call.desk.feedback.learner.forget()
        return f"What was learnt at {count} account{'' if count == 1 else 's'} is forgotten."
    learnt = [
        f"Learnt at {group}: {found.shift:+.3f} from {found.said} reactions."
        for group, found in sorted(call.desk.feedback.learner.groups.items())
    ]
    said = change(call.desk.rolling, call.argument)
    return "\n".join([said, *learnt]) if call.argument.lower() in ("", "status") else said


def change(rolling: Rolling, argument: str) -> str:
    """Do what was asked for, and say it."""
    order = argument.lower().removeprefix("set ").strip().rstrip("%")
    match order:
        case "" | "status":
            return status(rolling)
        case "next":
            return _next(rolling)
        case "back":
            return _go(rolling, rolling.rollout.beside(-1))
        case "on":
            return _go(rolling, Stage.ALL)
        case _ if order in set(Stage):
            return _go(rolling, Stage(order))
        case _:
            return f"/rollout {'|'.join(_ORDERS)}."


def status(rolling: Rolling) -> str:
    """The stage, what was taken back, and what the next one waits for."""
    now = rolling.rollout
    lines = [f"Rollout: {_WHAT[now.stage]}."]
    lines += [f"Taken back for {latency}: {why}." for latency, why in now.held.items()]
    if now.shadows and now.decided:
        lines.append(f"Both ways decided {now.decided} questions; {now.differing} times otherwise.")
    if rolling.seconds is not None and rolling.seconds.asked:
        lines.append(
            f"Asked twice: {rolling.seconds.asked}, for ${rolling.seconds.spent_usd:.4f} today, unseen."
        )
    for latency, found in now.gates().items():
        said = "; ".join(f"{'' if gate.is_met else 'NOT '}{gate.name} ({gate.said})" for gate in found)
        lines.append(f"{latency}: {said}")
    if 0 < SHARES[now.stage] < 100 and not now.gates():
        lines.append("Nothing was answered in this stage yet.")
    if now.stage is not Stage.ALL:
        ready = "Everything is met: /rollout next." if now.may_go_on else "/rollout next waits for these."
        lines.append(ready)
    return "\n".join(lines)


def _next(rolling: Rolling) -> str:
    now = rolling.rollout
    if now.stage is Stage.ALL:
        return "There is no further stage."
    if not now.may_go_on:
        return f"Not yet. /rollout {now.beside(1)} goes on all the same.\n{status(rolling)}"
    return _go(rolling, now.beside(1))


def _go(rolling: Rolling, stage: Stage) -> str:
    rolling.go(stage)
    return f"From the next message on: {_WHAT[stage]}."


COMMAND = Command(
    CommandSpec(
        "rollout",
        "How models are chosen, and for how many",
        "[status|next|back|on|off|shadow|20|50|100|forget]",
        role=Role.OWNER,
        choices=_ORDERS,
    ),
    rollout,
)
