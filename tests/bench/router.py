"""The row of the router: how well it tells what a message needs, and how long that takes. No daemon runs.

The rows to judge by are not part of the project (their sources: routing/README.md). They are looked for in the folder that
FIRSTWORD_ROUTING_DATA names, else in any `*/data/routing` beside the project; without them only the time is measured.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from random import Random

from routing.complexity import assess
from routing.evaluate import calibration, quality
from routing.examples import Example, parse_lines
from routing.own_words import own_words
from routing.prior import heuristic
from routing.weights import shipped
from tests.bench.rig import Kind
from tests.bench.rows import Found, Scale
from tests.bench.talk import quantile

FOLDER = "FIRSTWORD_ROUTING_DATA"
ROOT = Path(__file__).parents[2]
FILES = {"exam": "route_exam_dev.jsonl", "whole": "route_multi_train.jsonl"}
CHAT = (
    "hi",
    "why is the sky blue?",
    "write a python function that sorts a list of records by two of their fields",
    "can you plan three days in a city by the sea for us? we like food, museums and long walks",
    "take the names out of the following text and return them as json: Bob met Alice in Paris",
)
HUGE = 100_000
HOSTILE = (
    *(
        "a",
        " ",
        "`",
        "`a",
        "```\n",
        "> > ",
        "@",
        "<@",
        "a@a.",
        "http://",
        ":a",
        "\n",
        "A. \n",
        "1 + ",
        "the ",
        "a[",
    ),
    *(
        "; ",
        ".",
        "a'",
        "def ",
        "what is the reason ",
        "a = ",
        "(",
        "không ",
        "漢",
        "😀",
        "\0",
        "On a wrote:",
        "\t",
        "_",
    ),
    *("The Cat And Dog of which, A1 ", "\tA.", "1. ", "- a\n", "why > not < x = y ^ z; "),
)


async def routing(kind: Kind, scale: Scale) -> Found:
    """Quality on the examinations and on whole tasks that were left out of training; CPU time on chat and worse."""
    if kind is not Kind.FIRSTWORD:
        return {}
    weights = shipped()
    found: Found = {}
    folder = _folder()
    if folder is not None:
        for name, file in FILES.items():
            rows = _rows(folder / file, weights.made["left_out"] if name == "whole" else ())
            found |= _quality(f"routing.{name}", rows[:: 10 if scale.quick else 1])
    else:
        print(f"routing: no data; name its folder in {FOLDER}", file=sys.stderr)
    chat = [_cpu_ms(partial(assess, text, weights)) for text in CHAT * scale.of(1_000)]
    hostile = [
        min(_cpu_ms(partial(assess, text, weights)) for _ in range(5))
        for text in (piece * (HUGE // len(piece)) for piece in HOSTILE)
    ]
    found["routing.chat.p50"] = quantile(chat, 0.5)
    found["routing.chat.p99"] = quantile(chat, 0.99)
    found["routing.hostile"] = max(hostile)
    return found


def _folder() -> Path | None:
    named = os.environ.get(FOLDER)
    places: Iterable[Path] = [Path(named)] if named else sorted(ROOT.parent.glob("*/data/routing"))
    return next((place for place in places if all((place / file).is_file() for file in FILES.values())), None)


def _rows(path: Path, tasks: Sequence[str]) -> list[Example]:
    with path.open(encoding="utf-8") as lines:
        return [each for each in parse_lines(lines) if not tasks or each.group in tasks]


def _quality(key: str, rows: list[Example]) -> Found:
    assessed = [assess(each.prompt, shipped()) for each in rows]
    gains = [each.gain for each in rows]
    chance = Random(1)
    ours = quality([0.5 if each.score is None else each.score for each in assessed], gains, chance)
    known = [(each.gain, gain) for each, gain in zip(assessed, gains, strict=True) if each.gain is not None]
    others = {
        "random": [chance.random() for _ in rows],
        "length": [float(len(each.prompt)) for each in rows],
        "rules": [heuristic(own_words(each.prompt)) for each in rows],
    }
    return {
        f"{key}.apgr": ours.apgr,
        f"{key}.low": ours.low,
        f"{key}.high": ours.high,
        f"{key}.cpt50": _percent(ours.cpt50),
        f"{key}.cpt80": _percent(ours.cpt80),
        f"{key}.auc": ours.auc,
        f"{key}.off": calibration([one for one, _ in known], [gain for _, gain in known])[1],
        **{f"{key}.{name}": quality(ranking, gains).apgr for name, ranking in others.items()},
    }


def _percent(share: float | None) -> float | None:
    return None if share is None else share * 100


def _cpu_ms(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return (time.thread_time() - began) * 1000
