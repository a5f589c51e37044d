"""One target under atheris, in a process of its own: `python -m tests.fuzz.harness TARGET SECONDS FOLDER`.

Inputs that look like findings go to FOLDER, one of each kind, and the search goes on; whether a slow one is one is
decided afterwards, without instruments (tests/fuzz/__main__.py).
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from pathlib import Path
from random import Random

from tests.fuzz import judge, shapes
from tests.fuzz.targets import TARGETS

MAX_BYTES = 4_096
SHAPED = 0.7
"""The share of changes that leave JSON what it is."""


def main(name: str, seconds: str, folder: str) -> None:
    """Search until the time is over; libFuzzer then ends the process and prints how often it tried."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["bot", "channels", "providers"]):
        run, seeds = TARGETS[name]()
    found, corpus = Path(folder), Path(folder) / "corpus"
    corpus.mkdir(parents=True)
    known = judge.FINDINGS / name
    for number, seed in enumerate([*seeds, *(each.read_bytes() for each in known.glob("*"))]):
        (corpus / f"seed-{number}").write_bytes(seed)
    kinds: set[str] = set()

    def once(data: bytes) -> None:
        kind = judge.raised(run, data) or ("slow" if "slow" not in kinds and judge.slow(run, data) else "")
        if kind and kind not in kinds:
            kinds.add(kind)
            (found / hashlib.sha256(data).hexdigest()[:12]).write_bytes(data)
            print(f"{kind}: {data[:200]!r}", flush=True)

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        chance = Random(seed)
        made = shapes.altered(data, chance) if chance.random() < SHAPED else None
        whole: bytes = made if made is not None and len(made) <= most else atheris.Mutate(data, most)
        return whole

    flags = (f"-max_total_time={seconds}", f"-max_len={MAX_BYTES}", "-timeout=60", "-print_final_stats=1")
    atheris.Setup(
        [sys.argv[0], *flags, f"-artifact_prefix={found}/", str(corpus)], once, custom_mutator=mutate
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
