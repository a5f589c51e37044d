"""/help /commands /start /status /whoami /ping: what this is and how it is doing."""

from __future__ import annotations

from collections.abc import Sequence

from bot import words
from bot.commands import why
from bot.commands.registry import Call, Command
from channels.commands import CommandSpec
from providers.errors import ErrorKind
from routing.budgets import BUDGETS
from routing.health import Breaker
from routing.policy import NO_CREDENTIAL

_SHORT = ("model", "fast", "reason", "deep", "new", "stop", "retry", "why", "status")
_PAGE = 20


def help_command(specs: Sequence[CommandSpec]) -> Command:
    """/help over a finished table."""

    async def run(call: Call) -> str:
        name = call.argument.lstrip("/!").lower()
        if name:
            own = [spec for spec in specs if call.turn.role >= spec.role]
            found = next((spec for spec in own if name in (spec.name, *spec.aliases)), None)
            return (
                _line(found) if found is not None else f"There is no command “{name}”. /commands lists all."
            )
        chosen = [
            spec for short in _SHORT for spec in specs if spec.name == short and call.turn.role >= spec.role
        ]
        return "\n".join([*(_line(spec) for spec in chosen), "/commands lists all of them."])

    return Command(CommandSpec("help", "Short help", "[command]"), run)


def commands_command(specs: Sequence[CommandSpec]) -> Command:
    """/commands over a finished table."""

    async def run(call: Call) -> str:
        shown = [spec for spec in specs if call.turn.role >= spec.role]
        pages = (len(shown) + _PAGE - 1) // _PAGE
        page = int(call.argument) if call.argument.isdecimal() else 1
        page = max(1, min(page, pages))
        lines = [_line(spec) for spec in shown[(page - 1) * _PAGE : page * _PAGE]]
        return "\n".join(lines + ([f"Page {page} of {pages}."] if pages > 1 else []))

    return Command(CommandSpec("commands", "All commands", "[page]"), run)


def _line(spec: CommandSpec) -> str:
    also = f" (also {', '.join('/' + alias for alias in spec.aliases)})" if spec.aliases else ""
    usage = f" `{spec.usage}`" if spec.usage else ""
    return f"/{spec.name}{usage}: {spec.summary}{also}"


async def start(call: Call) -> str:
    """The greeting."""
    ref = call.catalog().primary.model.ref
    return f"Hello. Write to me and **{ref}** answers. /model switches models, /help shows the rest."


async def whoami(call: Call) -> str:
    """Ids and roles, for allow-lists."""
    message = call.turn.message
    key = message.address.key
    latency = call.turn.account.channel.capabilities(message.address).latency
    place = f" in `{key.space}`" + (f", thread `{key.thread}`" if key.thread else "")
    who = f"`{message.sender.id}` ({call.turn.role})"
    return f"You are {who} on {key.channel}, account {key.account}{place}; class {latency}."


async def ping(call: Call) -> str:
    """How long the way from the channel to this answer took inside the daemon."""
    took = (call.desk.clock() - call.turn.accepted_at) * 1000
    return f"pong, {took:.1f} ms inside me."


async def status(call: Call) -> str:
    """Model, class, times, queue, uptime."""
    desk = call.desk
    talk = await call.talk()
    latency = call.turn.account.channel.capabilities(call.turn.message.address).latency
    catalog = call.catalog()
    chosen = talk.state.choices.get("model")
    lines = [
        f"Firstword {desk.version}, up {_duration(desk.clock() - desk.started_at)}",
        f"Model: {chosen or 'default'} ({catalog.primary.model.ref} is the default; {desk.model_origin()})",
        f"Class: {latency}, first word aimed at {BUDGETS[latency].target:g} s",
        f"You are {words.role(call.turn.role)} here.",
    ]
    if (last := await why.last_asked(call)) is not None:
        lines.append(why.times(last.detail))
    for spec in (catalog.primary.model, *(choice.model for choice in catalog.fallbacks)):
        credential = (catalog.credentials.get(spec.provider) or (NO_CREDENTIAL,))[0]
        key = (spec.provider, spec.model, credential)
        breaker = desk.health.breaker(key, desk.clock())
        p50, p95 = desk.health.ttft(key, 0.5), desk.health.ttft(key, 0.95)
        measured = f", first token p50 {p50 * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms" if p50 and p95 else ""
        reason = desk.health.reason(key) if breaker is not Breaker.CLOSED else ""
        said = f" ({reason})" if reason else ""
        lines.append(f"{spec.ref}: {words.breaker(breaker)}{said}{measured}")
        if call.turn.is_owner and reason in set(ErrorKind):
            lines.append(f"- {why.todo(reason, spec.ref, credential)}")
    lines.append(f"Running: {desk.lanes.running}, waiting: {desk.lanes.waiting}")
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    days, rest = divmod(int(seconds), 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count)[:20] or "0 s"


COMMANDS = (
    Command(CommandSpec("start", "Greeting"), start),
    Command(CommandSpec("status", "Model, times, health", channel_names={"slack": "agentstatus"}), status),
    Command(CommandSpec("whoami", "Your id and role", aliases=("id", "sid")), whoami),
    why.COMMAND,
    Command(CommandSpec("ping", "Round trip"), ping),
)
