"""`firstword route train` and `eval`: make the table of how much a message needs a strong model, and judge it."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.cli.context import OK, USAGE, CommandError, Context, reason
from bot.cli.parser import Parser, Verbs

if TYPE_CHECKING:
    from routing.examples import Example
    from routing.weights import Weights

MAX_FILE_BYTES = 500 * 1024 * 1024
"""A file above this is not even read."""


def add(below: Verbs) -> None:
    """Add both verbs."""
    _add_train(below)
    _add_eval(below)


def _add_train(below: Verbs) -> None:
    train = below.add("train", "make the weights that tell how much a message needs a strong model", _train)
    _data(
        train,
        "DATA[:WEIGHT]",
        "JSONL: prompt with weak_ok and strong_ok, or with scores by model; a row's weight",
    )
    train.add_argument("--out", required=True, metavar="FILE", help="where the weights go")
    train.add_argument(
        "--leave-out", default="", metavar="TASK,...", help="tasks that are not learnt from, to judge by"
    )
    train.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="FILE",
        help="JSONL of prompts that are not learnt from",
    )


def _add_eval(below: Verbs) -> None:
    judge = below.add("eval", "judge the weights: APGR, CPT50, CPT80, AUC, calibration, time", _eval)
    _data(judge, "DATA", "JSONL as for train")
    judge.add_argument("--weights", metavar="FILE", help="in place of those that come with the product")
    judge.add_argument("--tasks", default="", metavar="TASK,...", help="only rows of these tasks")
    judge.add_argument("--left-out", action="store_true", help="only rows of tasks that were not learnt from")
    judge.add_argument("--seed", type=int, default=1, metavar="N", help="of the intervals' draws; 1")


def _data(parser: Parser, metavar: str, summary: str) -> None:
    parser.add_argument("data", nargs="+", metavar=metavar, help=summary)
    parser.add_argument("--weak", metavar="NAME", help="field or model that the weak scores stand under")
    parser.add_argument("--strong", metavar="NAME", help="the same of the strong ones")


def _train(arguments: argparse.Namespace, context: Context) -> int:
    from routing.examples import question
    from routing.train import TrainingError, train
    from routing.weights import dump

    left_out = set(_names(arguments.leave_out))
    out = Path(arguments.out)
    if not out.parent.is_dir():
        raise CommandError(f"{out.parent}: there is no such folder", kind="usage", code=USAGE)
    given = [_file_and_weight(name) for name in arguments.data]
    read = [(path, share, _examples(path, arguments)) for path, share in given]
    seen = {each.group for _, _, examples in read for each in examples}
    if unknown := sorted(left_out - seen):
        known = ", ".join(sorted(seen - {""})) or "none"
        raise CommandError(
            f"--leave-out: no row is of task {unknown[0]!r}; there are: {known}", kind="usage", code=USAGE
        )
    # A question that is judged by is not learnt from under another task either.
    hidden = {question(text) for name in arguments.without for text in _prompts(name)}
    hidden |= {question(each.prompt) for _, _, rows in read for each in rows if each.group in left_out}
    rows = [
        (each, share)
        for _, share, examples in read
        for each in examples
        if each.group not in left_out and question(each.prompt) not in hidden
    ]
    made = {
        "on": datetime.now(UTC).date().isoformat(),
        "data": [
            {"file": path.name, "rows": len(examples), "weight": share} for path, share, examples in read
        ],
        "rows": len(rows),
        "left_out": sorted(left_out),
        "without": [Path(name).name for name in arguments.without],
    }
    began = time.monotonic()
    try:
        weights = train(rows, made=made, tell=_teller(context))
    except TrainingError as error:
        raise CommandError(str(error), kind="usage", code=USAGE) from error
    text = dump(weights)
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{out}: cannot be written ({reason(error)})") from error
    seconds = time.monotonic() - began
    line = f"{out}: {len(weights.words)} words, {len(text) / 1000:.0f} kB, from {len(rows)} rows in {seconds:.0f} s"
    context.say({"file": str(out), "bytes": len(text), "words": len(weights.words), **made}, [line])
    return OK


def _teller(context: Context) -> Any:
    return (lambda _: None) if context.is_json else (lambda text: print(text, file=context.err, flush=True))


def _eval(arguments: argparse.Namespace, context: Context) -> int:
    weights = _weights(arguments.weights)
    wanted = set(_names(arguments.tasks))
    if arguments.left_out:
        wanted |= set(weights.made.get("left_out", ()))
        if not wanted:
            raise CommandError(
                "these weights were made from all tasks; none was left out", kind="usage", code=USAGE
            )
    found: dict[str, Any] = {}
    lines: list[str] = []
    for name in arguments.data:
        path = Path(name)
        examples = [each for each in _examples(path, arguments) if not wanted or each.group in wanted]
        if not examples:
            raise CommandError(f"{path}: holds no row to judge by", kind="usage", code=USAGE)
        judged = judge(examples, weights, arguments.seed)
        found[path.name] = judged
        lines += [*_lines(path.name, judged), ""]
    context.say({"weights": dict(weights.made), "files": found}, lines[:-1])
    return OK


def judge(examples: Sequence[Example], weights: Weights, seed: int = 1) -> dict[str, Any]:
    """Everything that is measured of these weights on these rows, beside what simpler rankings reach."""
    from random import Random

    from routing.complexity import assess
    from routing.evaluate import calibration, quality
    from routing.own_words import own_words
    from routing.prior import heuristic

    assessed, seconds = [], []
    for each in examples:
        began = time.thread_time()
        assessed.append(assess(each.prompt, weights))
        seconds.append(time.thread_time() - began)
    gains = [each.gain for each in examples]
    # Where nothing is known the default model answers: the middle of the ranking.
    scores = [0.5 if each.score is None else each.score for each in assessed]
    known = [(each.gain, gain) for each, gain in zip(assessed, gains, strict=True) if each.gain is not None]
    bins, distance = calibration([one for one, _ in known], [gain for _, gain in known])
    seconds.sort()
    chance = Random(seed)  # noqa: S311 - a ranking to compare with, guards nothing
    others = {
        "random": [chance.random() for _ in examples],
        "length": [float(len(each.prompt)) for each in examples],
        "rules alone": [heuristic(own_words(each.prompt)) for each in examples],
    }
    return {
        "router": asdict(quality(scores, gains, Random(seed))),  # noqa: S311 - draws the bootstrap's rows
        **{name: asdict(quality(ranking, gains)) for name, ranking in others.items()},
        "no_evidence": len(examples) - len(known),
        "calibration": [asdict(each) for each in bins],
        "calibration_error": distance,
        "ms_p50": seconds[len(seconds) // 2] * 1000,
        "ms_p99": seconds[len(seconds) * 99 // 100] * 1000,
    }


def _lines(name: str, judged: dict[str, Any]) -> list[str]:
    from bot.cli.table import table

    router = judged["router"]
    rows = [
        [title, *(_figure(judged[title][key]) for key in ("apgr", "cpt50", "cpt80", "auc"))]
        for title in ("router", "length", "rules alone", "random")
    ]
    interval = f"{_figure(router['low'])} to {_figure(router['high'])}"
    bins = " ".join(f"{each['expected']:.2f}/{each['real']:.2f}" for each in judged["calibration"])
    return [
        f"{name}: {router['rows']} rows, gap {router['gap']:.3f}, no evidence in {judged['no_evidence']}",
        *table(("", "APGR", "CPT50", "CPT80", "AUC"), rows),
        f"APGR of the router, 95 % interval: {interval}",
        f"gain expected/real by tenths: {bins}; mean distance {judged['calibration_error']:.3f}",
        f"CPU time: p50 {judged['ms_p50']:.3f} ms, p99 {judged['ms_p99']:.3f} ms",
    ]


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _weights(name: str | None) -> Weights:
    from routing.errors import WeightsError
    from routing.weights import parse, shipped

    try:
        return shipped() if name is None else parse(_bytes(Path(name)))
    except WeightsError as error:
        raise CommandError(str(error)) from error


def _examples(path: Path, arguments: argparse.Namespace) -> list[Example]:
    from routing.examples import ExamplesError, parse_lines

    if (arguments.weak is None) != (arguments.strong is None):
        raise CommandError("--weak and --strong go together", kind="usage", code=USAGE)
    try:
        return list(parse_lines(_text(path).split("\n"), arguments.weak, arguments.strong))
    except ExamplesError as error:
        raise CommandError(f"{path}: {error}", kind="usage", code=USAGE) from error


def _prompts(name: str) -> list[str]:
    from routing.examples import ExamplesError, parse_prompts

    try:
        return list(parse_prompts(_text(Path(name)).split("\n")))
    except ExamplesError as error:
        raise CommandError(f"{name}: {error}", kind="usage", code=USAGE) from error


def _text(path: Path) -> str:
    try:
        return _bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise CommandError(f"{path}: is no UTF-8 text", kind="usage", code=USAGE) from error


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise CommandError(f"{path}: larger than {MAX_FILE_BYTES} bytes", kind="usage", code=USAGE)
        return path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path}: cannot be read ({reason(error)})", kind="usage", code=USAGE) from error


def _file_and_weight(given: str) -> tuple[Path, float]:
    """`FILE` or `FILE:WEIGHT`."""
    name, _, weight = given.rpartition(":")
    if name and not Path(given).exists():
        try:
            share = float(weight)
        except ValueError:
            return Path(given), 1.0
        if not 0 < share <= 1000:
            raise CommandError(f"{given}: a weight is above 0 and at most 1000", kind="usage", code=USAGE)
        return Path(name), share
    return Path(given), 1.0


def _names(given: str) -> list[str]:
    return [name.strip() for name in given.split(",") if name.strip()]
