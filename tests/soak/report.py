"""What a soak found, as lines. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tests.soak.crowd import Question
from tests.soak.life import Soak
from tests.soak.slopes import WARM_UP, quantile, slope

MB = 1024 * 1024
ROWS = (("RSS", "rss", MB, "MB"), ("tasks", "tasks", 1, ""), ("descriptors", "descriptors", 1, ""))


def is_bad(seen: Soak) -> bool:
    """Whether something was lost, or said more often than the daemon counted while sends were cut off on their way."""
    return bool(seen.crowd.lost or seen.crowd.unexplained)


def lines(seen: Soak, warm_up: float = WARM_UP) -> Sequence[str]:
    """The report."""
    crowd = seen.crowd
    asked = len(crowd.questions)
    whole = sum(each.whole > 0 for each in crowd.questions)
    found = [
        f"{asked} messages, {crowd.twice} of them twice, {crowd.crowded} not sent as everybody waited",
        f"{whole} answered, {asked - whole - len(crowd.lost)} told why not, {len(crowd.lost)} lost",
        f"{len(crowd.doubled)} doubled, {sum(each.in_doubt for each in crowd.doubled)} of them cut off on their way",
        f"{len(crowd.doubts)} sends counted as doubtful; {len(crowd.unexplained)} doubled that this does not explain",
        f"faults: {', '.join(f'{name} {times}' for name, times in Counter(seen.faults).items())}",
    ]
    for title, name, unit, of in (*ROWS, ("store", "store", MB, "MB")):
        last = seen.samples[-1].values.get(name, 0.0) / unit if seen.samples else 0.0
        grows = slope(seen.samples, name, warm_up)
        slant = "too short to tell" if grows is None else f"{grows / unit:+.2f} {of}/h".replace(" /", " /")
        found.append(f"{title:12} {last:9.1f} {of:2} at the end, {slant}")
    found.append("RSS by minute, MB: " + " ".join(_by_minute(seen)))
    late = quantile(seen.lag, 0.99)
    found.append(
        f"loop lag p99 {'unknown' if late is None else f'at most {late * 1000:g} ms'} (last process)"
    )
    return [
        *found,
        *_named("lost", crowd.lost),
        *_named("doubled", crowd.doubled),
        *_named("not explained", crowd.unexplained),
    ]


def _by_minute(seen: Soak) -> Sequence[str]:
    """The first sample of each minute; a stroke where another process began."""
    found: list[str] = []
    minute, life = -1, 0
    for each in seen.samples:
        now = int((each.at - seen.samples[0].at) // 60)
        if now != minute:
            found += ["|"] * (each.life != life) + [f"{each.values['rss'] / MB:.1f}"]
            minute, life = now, each.life
    return found


def _named(word: str, questions: Sequence[Question]) -> Sequence[str]:
    return [f"{word}: {each.marker} in chat {each.chat}" for each in questions[:20]]
