"""`firstword message send`: one question to a model, the answer as it streams, then how fast it was."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from bot.cli.context import OK, USAGE, WARNING, CommandError, Context
from bot.cli.loop import run_async
from bot.cli.parser import Verbs


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add("message", "ask a model from the command line")
    send = verbs.under(parser).add(
        "send", "print the answer as it comes, then TTFT, tokens/s and tokens", _send
    )
    send.add_argument("text", nargs="?", metavar="TEXT", help="the question; none, or -: standard input")
    send.add_argument("--model", metavar="REF", help="provider/model or an alias; none: the configured one")


def _send(arguments: argparse.Namespace, context: Context) -> int:
    text = arguments.text
    if text is None or text == "-":
        text = "" if text is None and sys.stdin.isatty() else sys.stdin.read()
    if not text.strip():
        raise CommandError('there is no text; write: firstword message send "TEXT"', kind="usage", code=USAGE)
    settings = context.settings(model_override(arguments.model))

    from bot.cli.asking import ask
    from bot.cli.quiet import quiet

    def show(part: str) -> None:
        if not context.is_json:
            context.put(part, end="")

    with quiet(settings):
        asked = run_async(ask(settings, text, show))
    if not context.is_json and asked.text:
        print(file=context.out)
    if asked.is_cut:
        raise failure(asked)
    context.say({"text": asked.text, **asked.figures()}, [asked.summary()])
    for each in asked.failures:
        context.warn(f"{each.rung.model.ref} did not answer: {each.kind}")
    return WARNING if asked.failures else OK


def model_override(ref: str | None) -> dict[str, Any]:
    """What puts a model before the configured one."""
    if ref is None:
        return {}
    if not ref.strip() or any(char.isspace() for char in ref):
        text = f"--model {ref!r} is not allowed; allowed: provider/model, or an alias"
        raise CommandError(text, kind="usage", code=USAGE)
    return {"agents": {"defaults": {"model": {"primary": ref}}}}


def failure(asked: Any) -> CommandError:
    """The error of a question that nobody answered whole."""
    last = asked.last_failure
    if last is None:
        return CommandError("no model can take this text; see: firstword models status", kind="no_model")
    _, kind, detail = last
    what = "broke off" if asked.text else "did not answer"
    said = f" ({detail})" if detail else ""
    return CommandError(f"{asked.model} {what}: {kind}{said}; {asked.remedy}", kind=str(kind))
