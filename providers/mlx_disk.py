"""Models on this machine's disk: where they lie, what their files say, how a missing one is fetched.

Reads files, asks no network and imports nothing of mlx. Folders of the Hugging Face cache are laid out as
huggingface_hub 2.4 makes them: models--ORG--NAME/refs/main and snapshots/REVISION (2026-11).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from providers.errors import ErrorKind, ProviderError
from providers.mlx_fit import Shape, shape_of

MAX_HEADER = 100 * 2**20
"""Bytes; the limit of the safetensors format itself."""

MAX_LISTED = 200
_REPOSITORY = re.compile(r"[\w][\w.-]*/[\w][\w.-]*")
_WEIGHTS = "model*.safetensors"


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Where huggingface_hub keeps what it fetched: HF_HUB_CACHE, HF_HOME/hub, ~/.cache/huggingface/hub."""
    if own := environ.get("HF_HUB_CACHE"):
        return Path(own).expanduser()
    home = environ.get("HF_HOME") or f"{environ.get('XDG_CACHE_HOME') or '~/.cache'}/huggingface"
    return Path(home).expanduser() / "hub"


def locate(model: str, own: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The folder of a model: below `own`, a path, or a repository in the cache. None where there is none."""
    if ".." in Path(model).parts:
        return None
    places = [own / model] if own is not None and not Path(model).is_absolute() else []
    if model.startswith(("/", "~", "./")):
        places.append(Path(model).expanduser())
    if _REPOSITORY.fullmatch(model):
        places += _snapshots(cache_folder(environ) / f"models--{model.replace('/', '--')}")
    return next((place.resolve() for place in places if _is_model(place)), None)


def listed(own: Path | None, environ: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    """Ids and folders of the models that are here, at most MAX_LISTED; adapters and unfinished ones are left out."""
    found = 0
    for name, folder in (*_own(own), *_cached(cache_folder(environ))):
        if _is_model(folder):
            yield name, folder
            found += 1
            if found == MAX_LISTED:
                return


def read_config(folder: Path, name: str = "config.json") -> dict[str, Any]:
    """A JSON object of a model's folder; empty where the file is missing or no object."""
    try:
        value = orjson.loads((folder / name).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return value if isinstance(value, dict) else {}


def read_shape(folder: Path) -> Shape:
    """What a model takes, from its config and the headers of its weights. ValueError where they cannot be read."""
    return shape_of(read_config(folder), [_header(path) for path in sorted(folder.glob(_WEIGHTS))])


def missing(model: str, environ: Mapping[str, str]) -> ProviderError:
    """What to say of a model that is not here."""
    if _REPOSITORY.fullmatch(model):
        how = (
            f"fetch it with `hf download {model}`, or set models.providers.NAME.download to true; "
            f"looked in {cache_folder(environ)}"
        )
    else:
        how = "name a folder with config.json and model*.safetensors, or a Hugging Face repository ORG/NAME"
    return ProviderError(ErrorKind.MODEL_GONE, f"{model} is not on this machine: {how}")


def can_be_fetched(model: str) -> bool:
    """The id is one of a repository."""
    return _REPOSITORY.fullmatch(model) is not None


def machine_memory() -> int:
    """Bytes of this machine, or of the container that this process lives in, whichever is less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limit = int(Path(file).read_text(encoding="ascii"))
        except (OSError, ValueError):  # not Linux, or no limit ("max")
            continue
        total = min(total, limit)
    return total


def _is_model(folder: Path) -> bool:
    return (folder / "config.json").is_file() and next(folder.glob(_WEIGHTS), None) is not None


def _snapshots(repository: Path) -> list[Path]:
    try:
        revision = (repository / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        return sorted(repository.glob("snapshots/*"))
    return [repository / "snapshots" / revision]


def _own(own: Path | None) -> Iterator[tuple[str, Path]]:
    if own is None:
        return
    for file in (*sorted(own.glob("*/config.json")), *sorted(own.glob("*/*/config.json"))):
        yield file.parent.relative_to(own).as_posix(), file.parent


def _cached(cache: Path) -> Iterator[tuple[str, Path]]:
    for repository in sorted(cache.glob("models--*--*")):
        name = repository.name.removeprefix("models--").replace("--", "/", 1)
        for snapshot in _snapshots(repository)[:1]:
            yield name, snapshot


def _header(path: Path) -> dict[str, Any]:
    """The names, types and shapes in a .safetensors file: a length of eight bytes, then JSON."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if not 0 < size <= MAX_HEADER:
            raise ValueError(f"{path.name} is no .safetensors file")
        try:
            header = orjson.loads(file.read(size))
        except orjson.JSONDecodeError as error:
            raise ValueError(f"{path.name} is no .safetensors file") from error
    if not isinstance(header, dict):
        raise ValueError(f"{path.name} is no .safetensors file")  # noqa: TRY004 - the file is wrong, not a type
    return header
