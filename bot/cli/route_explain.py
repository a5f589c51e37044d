"""`firstword route explain` and `replay`: what would be chosen for a text and why, and what was, once more."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.cli.context import FAULT, OK, USAGE, CommandError, Context, reason
from bot.cli.loop import run_async
from bot.cli.parser import Verbs
from bot.cli.telling import ask_daemon
from bot.errors import BotError

if TYPE_CHECKING:
    from routing.strategy import Row

_MOST = 500
_KINDS = ("command", "dm", "thread")
_SEEN = ("ended_at", "conversation", "latency_class", "attempts", "usage", "outcome")


def add(below: Verbs) -> None:
    """Add both verbs."""
    explain = below.add(
        "explain", "say which models would be asked for a text, and why; sends nothing", _explain
    )
    explain.add_argument("text", metavar="TEXT", help="the question; - reads it from standard input")
    explain.add_argument(
        "--channel",
        default="C2",
        metavar="KIND",
        help="a kind of channel, by its name or row (C1 to C16); C2, a direct chat",
    )
    explain.add_argument("--kind", default="", metavar="WHERE", help=f"where in it: {', '.join(_KINDS)}")
    explain.add_argument("--model", metavar="NAME", help="as if this model had been asked for")
    explain.add_argument("--tokens", type=int, metavar="N", help="of the whole prompt, history included")
    explain.add_argument("--policy", choices=("smart", "static"), default="smart", help="how to order; smart")
    again = below.add("replay", "decide recorded decisions once more and compare byte for byte", _replay)
    again.add_argument("turn", nargs="?", metavar="TURN_ID", help="none: the last one")
    again.add_argument("--all", action="store_true", help=f"the last {_MOST}")
    again.add_argument("--file", metavar="FILE", help="JSONL of turns, as --json prints them")


def _explain(arguments: argparse.Namespace, context: Context) -> int:
    import sys

    row = _row(arguments.channel, arguments.kind)
    if arguments.tokens is not None and arguments.tokens < 1:
        raise CommandError(f"--tokens is {arguments.tokens}; allowed: 1 or more", kind="usage", code=USAGE)
    text = sys.stdin.read() if arguments.text == "-" else arguments.text
    params = {
        "text": text,
        "kind": row.kind,
        "model": arguments.model,
        "tokens": arguments.tokens,
        "policy": arguments.policy,
    }
    try:
        said = ask_daemon(context, "explain", params)
    except BotError as error:
        raise _unknown(str(error)) from error
    source = "the running daemon's figures"
    if said is None:
        said, source = (
            run_async(_without_daemon(context, params, row)),
            "no daemon runs: figures of the last one",
        )

    from bot.explaining import lines

    context.say({**said, "source": source}, [*lines(said), f"({source})"])
    return OK if said["ladder"] else FAULT


def _row(channel: str, kind: str) -> Row:
    from routing.strategy import row, rows

    for name in (f"{channel}-{kind}", channel) if kind else (channel,):
        if (found := row(name)) is not None:
            if kind and kind not in _KINDS:
                text = f"--kind is {kind!r}; allowed: {', '.join(_KINDS)}"
                raise CommandError(text, kind="usage", code=USAGE)
            return found
    near = [each for each in rows() if each.kind.startswith(f"{channel.lower()}-")]
    if near and not kind:
        return near[0]
    known = ", ".join(each.kind for each in near or rows())
    raise CommandError(
        f"--channel: no kind of channel is called {channel!r}; there are: {known}", kind="usage", code=USAGE
    )


async def _without_daemon(context: Context, params: Mapping[str, Any], row: Row) -> Mapping[str, Any]:
    from bot.baselines import baselines_path, expectations, read_baselines
    from bot.difficulty import table
    from bot.explaining import Asked, explain
    from bot.priors import priors_path, read_priors
    from bot.sources import look_at_models
    from bot.words import unknown_model
    from routing.errors import UnknownModel
    from routing.health import Health
    from routing.rollout import Policy

    settings = context.settings()
    models = await look_at_models(settings)
    health = Health(time.time(), expectations(read_priors(priors_path(settings.home))))
    read_baselines(baselines_path(settings.home), health)
    asked = Asked(str(params["text"]), row, params["model"], params["tokens"], Policy(params["policy"]))
    try:
        return explain(asked, models.catalog(), health, table(), 0.0)
    except UnknownModel as error:
        raise _unknown(unknown_model(error.name, error.nearest)) from error


def _unknown(said: str) -> CommandError:
    """The words of a chat, with the command of this place."""
    return CommandError(said.replace("/models", "firstword models list"), kind="usage", code=USAGE)


def _replay(arguments: argparse.Namespace, context: Context) -> int:
    rows = _from_file(arguments.file) if arguments.file else _recorded(arguments, context)
    if not rows:
        raise CommandError("there is no recorded decision; ask something first, or name another turn")
    results = [_again(row) for row in rows]
    same = sum(each["same"] for each in results)
    lines = [_line(each) for each in results if len(results) == 1 or not each["same"]]
    lines.append(f"{same} of {len(results)} come out the same, byte for byte")
    if len(results) == 1 and arguments.turn is None and not arguments.file and not context.is_json:
        lines.insert(0, f"the last decision, {results[0]['turn_id']}:")
    context.say({"turns": results, "same": same}, lines)
    return OK if same == len(results) else FAULT


def _recorded(arguments: argparse.Namespace, context: Context) -> list[dict[str, Any]]:
    limit = _MOST if arguments.all else 1
    rows = ask_daemon(context, "decisions", {"turn_id": arguments.turn, "limit": limit})
    return list(rows) if rows is not None else _stored(context, arguments.turn, limit)


def _stored(context: Context, turn_id: str | None, limit: int) -> list[dict[str, Any]]:
    """What the store knows, read without the home's lock."""
    if not context.home.database.is_file():
        return []
    from bot.decisions import is_decided, plain
    from bot.store import turns
    from bot.store.connection import connect

    connection = connect(context.home.database)
    try:
        rows = turns.turns(connection, None, _MOST)
    finally:
        connection.close()
    wanted = [row for row in rows if (turn_id is None or row.turn_id == turn_id) and is_decided(row)]
    return [plain(row) for row in wanted[:limit]]


def _from_file(name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    try:
        text = Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{name}: cannot be read ({reason(error)})", kind="usage", code=USAGE) from error
    for number, line in enumerate(text.splitlines(), 1):
        try:
            row = json.loads(line) if line.strip() else {}
        except json.JSONDecodeError as error:
            raise CommandError(f"{name}, line {number}: no JSON", kind="usage", code=USAGE) from error
        held = row.get("turns") if isinstance(row, dict) else None
        rows += held if isinstance(held, list) else [row] if isinstance(row, dict) and row else []
    return rows


def _again(row: Mapping[str, Any]) -> dict[str, Any]:
    from routing.errors import RecordError
    from routing.replay import replay, to_plain

    record = row.get("decision")
    seen = {name: row[name] for name in _SEEN if name in row}  # what a simulation needs of it
    told: dict[str, Any] = {"turn_id": row.get("turn_id", ""), "same": False, **seen}
    try:
        found = replay(record if isinstance(record, Mapping) else {})
    except RecordError as error:
        return {**told, "problem": str(error)}
    refs = [each.ref for each in found.case.candidates]
    return {
        **told,
        "same": found.is_same,
        "reason": str(found.picked.reason),
        "now": _refs(refs, found.picked.order),
        "then": _refs(refs, (record or {}).get("picked", {}).get("order", ())),
        "policy": found.policy,
        "weights": found.weights,
        "picked": to_plain(found.picked),
        "decision": record,
    }


def _refs(refs: Sequence[str], order: Sequence[int]) -> list[str]:
    return list(dict.fromkeys(refs[at] for at in order if 0 <= at < len(refs)))


def _line(each: Mapping[str, Any]) -> str:
    if "problem" in each:
        return f"{each['turn_id'] or 'a row'}: {each['problem']}"
    versions = f"policy {each['policy']}, weights {each['weights'] or 'none'}"
    said = f"{' > '.join(each['now']) or 'nobody'} ({each['reason']}; {versions})"
    if each["same"]:
        return f"{each['turn_id']}: the same: {said}"
    return f"{each['turn_id']}: OTHERWISE: now {said}; then {' > '.join(each['then']) or 'nobody'}"
