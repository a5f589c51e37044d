"""What `models bench` measured from this machine: HOME/data/model-priors.json. Pure but for reading and writing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from bot.files import write_private
from bot.home import Home


@dataclass(frozen=True, slots=True)
class Prior:
    """One model. Seconds; `speed`: tokens a second after the first. `count`: answers measured at `at`."""

    at: float
    count: int
    ttft_p50: float
    ttft_p95: float
    speed: float | None = None


def priors_path(home: Home) -> Path:
    """Where they are kept."""
    return home.data / "model-priors.json"


def measured(ttfts: Sequence[float], speeds: Sequence[float], now: float) -> Prior | None:
    """The figures of some answers; None where no answer came."""
    if not ttfts:
        return None
    speed = quantile(speeds, 0.5) if speeds else None
    return Prior(now, len(ttfts), quantile(ttfts, 0.5), quantile(ttfts, 0.95), speed)


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which that share of the values lies; of one value, that one."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def read_priors(path: Path) -> dict[str, Prior]:
    """By ref; empty where the file is not there or cannot be understood."""
    try:
        rows = orjson.loads(path.read_bytes())["models"]
        return {
            str(ref): Prior(
                float(row["at"]),
                int(row["count"]),
                float(row["ttft_p50"]),
                float(row["ttft_p95"]),
                float(row["speed"]) if row.get("speed") is not None else None,
            )
            for ref, row in rows.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def write_priors(path: Path, priors: Mapping[str, Prior]) -> None:
    """Replace the file in one step, mode 0600. Raises SettingsError."""
    rows = {ref: asdict(prior) for ref, prior in sorted(priors.items())}
    write_private(path, orjson.dumps({"models": rows}).decode() + "\n")
