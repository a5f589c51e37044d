"""The tables of the rows `providers` and `streams1000`, and under each which aim is reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.bench.askers import CLIENTS, Client

Figures = Mapping[str, float | None]

OVER_MS = 3.0
"""Aim: how much later a first text may come than with bare httpx, one stream."""

CPU_RATIO = 2.0
"""Aim: CPU of a request over bare httpx's, 32 streams."""

P99_MS = 100.0
"""Aim: the first text at 32 streams."""

WIDTH = 32
"""Streams that are asked for at once."""

OPEN_RATIO = 1.25
"""Aim: CPU of a request beside 1,000 open streams over the same with none; what rounds differ by is inside."""

_PROVIDERS = (
    ("", ""),
    ("1: p50", "alone.p50"),
    ("p99", "alone.p99"),
    ("over bare", "alone.over"),
    ("CPU", "alone.cpu"),
    ("32: p50", "many.p50"),
    ("p99", "many.p99"),
    ("worst", "many.worst"),
    ("CPU", "cpu"),
    ("of bare", "cpu.library"),
    ("of pool", "cpu.pool"),
    ("waited", "waited"),
    ("MB", "memory"),
)
_OPEN = (
    ("", ""),
    ("none: p50", "none.p50"),
    ("CPU", "none.cpu"),
    ("beside: p50", "open.p50"),
    ("CPU", "open.cpu"),
    ("ratio", "ratio"),
    ("CPU to open one", "opening"),
    ("KB each", "memory"),
)
_RATIOS = frozenset({"cpu.library", "cpu.pool", "ratio"})
_WHOLE = frozenset({"memory"})


def tables(found: Figures) -> str:
    """What of the two rows was measured; "" for nothing."""
    parts = []
    if found.get("providers.load.least") is not None:
        load = f"{found['providers.load.least']:.1f} to {found['providers.load.most']:.1f}"
        parts.append(
            f"First text of a request and its CPU, ms; 1 stream, then 32 asked at once; load meanwhile {load}"
        )
        parts.append(_grid("providers", _PROVIDERS, found))
        parts += [*_aims(found), *_disturbed(found)]
    if found.get("streams1000.open") is not None:
        parts.append(f"\nThe next request beside {found['streams1000.open']:,.0f} open streams, ms")
        parts.append(_grid("streams1000", _OPEN, found))
        parts.append(
            _aim(
                found,
                "streams1000",
                "ratio",
                OPEN_RATIO,
                f"open streams do not raise it (CPU <= {OPEN_RATIO}x)",
            )
        )
    return "\n".join(parts)


def _grid(row: str, columns: Sequence[tuple[str, str]], found: Figures) -> str:
    lines = [tuple(title for title, _ in columns)]
    for client in CLIENTS:
        if f"{row}.{client.key}.{columns[1][1]}" in found:
            cells = (_cell(name, found.get(f"{row}.{client.key}.{name}")) for _, name in columns[1:])
            lines.append((client.title, *cells))
    widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
    return "\n".join(
        "  ".join(
            [
                line[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)),
            ]
        )
        for line in lines
    )


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return ""
    if name in _RATIOS:
        return f"{value:.2f}x"
    return f"{value:.0f}" if name in _WHOLE else f"{value:.2f}"


def _aims(found: Figures) -> list[str]:
    return [
        _aim(
            found,
            "providers",
            "alone.over",
            OVER_MS,
            f"first text over bare httpx, 1 stream p50 <= {OVER_MS:.0f} ms",
        ),
        _aim(
            found,
            "providers",
            "cpu.library",
            CPU_RATIO,
            f"CPU over bare httpx, 32 streams <= {CPU_RATIO:.0f}x",
        ),
        _aim(
            found,
            "providers",
            "cpu.pool",
            CPU_RATIO,
            f"CPU over the same bytes over our pool <= {CPU_RATIO:.0f}x",
        ),
        _aim(found, "providers", "many.p99", P99_MS, f"first text, 32 streams p99 <= {P99_MS:.0f} ms"),
        _loaded(found),
    ]


def _disturbed(found: Figures) -> list[str]:
    """Where other work took the core, latencies are its doing: a request waits for its 31 neighbours' waiting too."""
    waited = [found.get(f"providers.{one.key}.waited") or 0.0 for one in CLIENTS if _is_measured(one)]
    if not waited or max(waited) * WIDTH < P99_MS / 10:
        return []
    together = f"{max(waited) * WIDTH:.0f} ms together"
    return [
        f"busy  32 requests stood without the core for up to {together}: latencies are upper bounds, CPU is not"
    ]


def _loaded(found: Figures) -> str:
    count = found.get("providers.loaded") or 0
    words = "`import bot` and `firstword --help` load no SDK and no HTTP client (held by tests/architecture/test_start.py)"
    return f"MISS  {words}: {count:.0f}" if count else f"met   {words}"


def _aim(found: Figures, row: str, name: str, aim: float, words: str) -> str:
    """One aim: met by all, or who misses it; the worst of them either way."""
    got = {
        one.title: value
        for one in CLIENTS
        if _is_measured(one) and (value := found.get(f"{row}.{one.key}.{name}")) is not None
    }
    if not got:
        return f"not measured  {words}"
    shown = {title: f"{title} {_cell(name, value)}" for title, value in got.items()}
    if missed := [shown[title] for title, value in got.items() if value > aim]:
        return f"MISS  {words}: {'; '.join(missed)}"
    return f"met   {words}: at most {shown[max(got, key=lambda title: got[title])]}"


def _is_measured(client: Client) -> bool:
    """What is promised is promised of a provider over a connection."""
    return not client.bare and bool(client.kind)
