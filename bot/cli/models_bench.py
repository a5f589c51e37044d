"""`firstword models bench`: how fast models are from here, on the same prompts."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.checkup import counted
from bot.cli.context import FAULT, OK, USAGE, CommandError, Context, reason
from bot.cli.loop import run_async
from bot.cli.parser import Verbs
from bot.cli.telling import tell_daemon

if TYPE_CHECKING:
    from bot.priors import Prior
    from bot.settings import Settings

_PROMPTS = (
    "In one sentence: what is a hash table?",
    "Name five rivers of Europe, one a line.",
    "Explain in about 80 words why the sky is blue.",
)
MAX_PROMPTS = 100
MAX_ROUNDS = 100


def add(below: Verbs) -> None:
    """Add the verb."""
    bench = below.add(
        "bench", "measure time to first token and tokens/s from here; costs some tokens", _bench
    )
    bench.add_argument(
        "refs", nargs="*", metavar="REF", help="none: what answers, its fallbacks and the aliases"
    )
    bench.add_argument("--n", type=int, default=3, metavar="N", help="answers of each model; 3")
    bench.add_argument("--prompt-set", metavar="FILE", help="a prompt a line, in place of the built-in ones")
    bench.add_argument(
        "--write-priors",
        action="store_true",
        help="keep the figures in the home's data folder, for the router to begin with",
    )


def _bench(arguments: argparse.Namespace, context: Context) -> int:
    if not 1 <= arguments.n <= MAX_ROUNDS:
        raise CommandError(f"--n is a whole number from 1 to {MAX_ROUNDS}", kind="usage", code=USAGE)
    prompts = _prompts(arguments.prompt_set)
    settings = context.settings()

    from bot.cli.quiet import quiet
    from bot.priors import priors_path, read_priors, write_priors

    with quiet(settings):
        rows, priors = run_async(_measure(settings, arguments.refs, prompts, arguments.n))
    if arguments.write_priors and priors:
        settings.home.prepare()
        path = priors_path(settings.home)
        write_priors(path, {**read_priors(path), **priors})
        tell_daemon(context)
    context.say(
        {"models": rows, "written": bool(arguments.write_priors and priors)}, [_line(row) for row in rows]
    )
    return OK if all(row["failed"] == 0 for row in rows) else FAULT


def _prompts(path: str | None) -> list[str]:
    if path is None:
        return list(_PROMPTS)
    try:
        lines = [line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path}: cannot be read ({reason(error)})", kind="usage", code=USAGE) from error
    prompts = [line for line in lines if line][:MAX_PROMPTS]
    if not prompts:
        raise CommandError(f"{path}: holds no prompt", kind="usage", code=USAGE)
    return prompts


async def _measure(
    settings: Settings, refs: list[str], prompts: list[str], rounds: int
) -> tuple[list[dict[str, Any]], dict[str, Prior]]:
    from bot.cli.asking import ask_one
    from bot.priors import measured
    from bot.sources import open_models

    rows: list[dict[str, Any]] = []
    priors: dict[str, Prior] = {}
    async with open_models(settings) as models:
        catalog = models.catalog()
        usual = [catalog.primary, *catalog.fallbacks, *(choices[0] for choices in catalog.aliases.values())]
        for ref in dict.fromkeys(refs or [each.model.ref for each in usual]):
            answers = [await ask_one(settings, models, ref, prompts[n % len(prompts)]) for n in range(rounds)]
            good = [each for each in answers if not each.is_cut and each.ttft is not None]
            ttfts = [each.ttft for each in good if each.ttft is not None]
            prior = measured(ttfts, [each.speed for each in good if each.speed], time.time())
            name = good[0].model if good else ref
            failures = [str(each.last_failure[1]) for each in answers if each.is_cut and each.last_failure]
            if prior is not None:
                priors[name] = prior
            rows.append(
                {
                    "model": name,
                    "answers": len(good),
                    "failed": len(answers) - len(good),
                    "reason": failures[0] if failures else None,
                    "ttft_p50": prior.ttft_p50 if prior else None,
                    "ttft_p95": prior.ttft_p95 if prior else None,
                    "tokens_per_s": prior.speed if prior else None,
                }
            )
    return rows, priors


def _line(row: dict[str, Any]) -> str:
    if row["ttft_p50"] is None:
        return f"{row['model']}: no answer ({row['reason']})"
    speed = f"{row['tokens_per_s']:.0f} tokens/s" if row["tokens_per_s"] is not None else "tokens/s unknown"
    failed = f", {row['failed']} failed ({row['reason']})" if row["failed"] else ""
    ttft = f"TTFT p50 {row['ttft_p50'] * 1000:.0f} ms, p95 {row['ttft_p95'] * 1000:.0f} ms"
    return f"{row['model']}: {ttft}, {speed}, {counted(row['answers'], 'answer')}{failed}"
