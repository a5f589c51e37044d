"""`firstword batch`: many requests answered together, within a day and for less, where a provider does that."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from bot.cli.context import FAULT, OK, USAGE, WARNING, CommandError, Context, reason
from bot.cli.loop import run_async
from bot.cli.parser import Verbs

if TYPE_CHECKING:
    from bot.settings import Settings
    from providers.base import Batch, Credential, RunsBatches

MAX_FILE_BYTES = 200 * 1024 * 1024
"""A file above this is not even read; what a provider takes may be less."""

Work = Callable[["RunsBatches", "Credential"], Awaitable[Any]]


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add("batch", "have many requests answered together, within a day and for less")
    below = verbs.under(parser)
    submit = below.add("submit", "hand in a file of requests", _submit)
    submit.add_argument("file", metavar="FILE", help='JSONL: {"custom_id": ..., "body": {...}} a line')
    status = below.add("status", "show how far a batch is", _status)
    status.add_argument("id", nargs="?", metavar="ID", help="none: the newest ones")
    results = below.add("results", "fetch the answers of a batch that is over", _results)
    results.add_argument("id", metavar="ID")
    results.add_argument("--out", metavar="FILE", help="write them there; none: to standard output")
    cancel = below.add("cancel", "stop a batch", _cancel)
    cancel.add_argument("id", metavar="ID")
    for each in (submit, status, results, cancel):
        each.add_argument(
            "--provider", metavar="PROVIDER", help="none: the first with a key that runs batches"
        )


def _submit(arguments: argparse.Namespace, context: Context) -> int:
    requests = _read(arguments.file)
    batch: Batch = _with_provider(arguments, context, lambda runs, key: runs.submit_batch(requests, key))
    context.say({"batch": _row(batch)}, [_line(batch), f"look at it: firstword batch status {batch.id}"])
    return OK


def _status(arguments: argparse.Namespace, context: Context) -> int:
    if arguments.id is not None:
        one: Batch = _with_provider(arguments, context, lambda runs, key: runs.batch(arguments.id, key))
        context.say({"batch": _row(one)}, [_line(one), *(f"  {problem}" for problem in one.problems)])
        return _code(one)
    many = _with_provider(arguments, context, lambda runs, key: runs.batches(key))
    context.say({"batches": [_row(each) for each in many]}, [_line(each) for each in many] or ["no batches"])
    return OK


def _cancel(arguments: argparse.Namespace, context: Context) -> int:
    batch: Batch = _with_provider(arguments, context, lambda runs, key: runs.cancel_batch(arguments.id, key))
    context.say({"batch": _row(batch)}, [_line(batch)])
    return OK


def _results(arguments: argparse.Namespace, context: Context) -> int:
    async def fetch(runs: RunsBatches, key: Credential) -> Batch:
        batch = await runs.batch(arguments.id, key)
        if not batch.is_over:
            raise CommandError(f"{_line(batch)}; ask again later")
        if not batch.completed and not batch.failed:
            raise CommandError("; ".join((f"{_line(batch)}; it has no results", *batch.problems)))
        with _target(arguments.out) as target:
            await _copy(runs.batch_results(arguments.id, key), target)
        return batch

    if context.is_json and arguments.out is None:
        raise CommandError("with --json say where the answers go: --out FILE", kind="usage", code=USAGE)
    batch: Batch = _with_provider(arguments, context, fetch)
    if arguments.out is not None:
        context.say({"batch": _row(batch), "file": arguments.out}, [f"{_line(batch)}: {arguments.out}"])
    elif batch.failed:
        context.warn(_line(batch))
    return _code(batch)


def _code(batch: Batch) -> int:
    if batch.problems:
        return FAULT
    return WARNING if batch.failed else OK


def _row(batch: Batch) -> dict[str, Any]:
    names = ("id", "state", "is_over", "total", "completed", "failed", "problems")
    return {name: getattr(batch, name) for name in names}


def _line(batch: Batch) -> str:
    failed = f", {batch.failed} failed" if batch.failed else ""
    count = f", {batch.completed} of {batch.total} answered{failed}" if batch.total else ""
    return f"{batch.id}: {batch.state}{count}"


def _read(path: str) -> bytes:
    try:
        if Path(path).stat().st_size > MAX_FILE_BYTES:
            raise CommandError(f"{path}: larger than {MAX_FILE_BYTES} bytes; make several batches of it")
        return Path(path).read_bytes()
    except OSError as error:
        raise CommandError(f"{path}: cannot be read ({reason(error)})", kind="usage", code=USAGE) from error


@contextlib.contextmanager
def _target(path: str | None) -> Iterator[BinaryIO]:
    """Where the answers go; a file appears when it is whole."""
    if path is None:
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    part = Path(f"{path}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    except OSError as error:
        raise CommandError(f"{path}: cannot be written ({reason(error)})") from error
    finally:
        part.unlink(missing_ok=True)


async def _copy(pieces: AsyncIterator[bytes], target: BinaryIO) -> None:
    last = b"\n"
    async for piece in pieces:
        target.write(piece)
        last = piece
    if not last.endswith(b"\n"):
        target.write(b"\n")


def _with_provider(arguments: argparse.Namespace, context: Context, work: Work) -> Any:
    """What `work` gives, with the provider that runs batches; what it says wrong becomes a sentence."""
    from bot.cli.quiet import quiet
    from bot.remedies import remedy
    from providers.errors import ErrorKind, ProviderError

    settings = context.settings()
    with quiet(settings):
        try:
            return run_async(_run(settings, arguments.provider, work))
        except ProviderError as error:
            if error.kind is ErrorKind.BAD_REQUEST and error.status is None:  # found here, nothing was sent
                raise CommandError(error.detail) from error
            if error.status == 404:  # of a batch, not of a model
                raise CommandError("the provider knows no such batch, or keeps it no longer") from error
            name = arguments.provider or "the provider"
            raise CommandError(f"{remedy(error.kind, name, error.retry_after)} ({error})") from error


async def _run(settings: Settings, wanted: str | None, work: Work) -> Any:
    from providers.base import RunsBatches
    from providers.http import Pools

    async with Pools(environ=settings.environ) as pools:
        for name in _names(settings, wanted):
            credentials = settings.keys(name).credentials
            if not credentials and wanted is None:
                continue
            row = settings.provider(name)
            provider = row.spec.open(name, row.settings, pools)
            try:
                if not isinstance(provider, RunsBatches):
                    continue
                if not credentials:
                    raise CommandError(
                        f"{name} has no key; store one: firstword auth add NAME --provider {name}"
                    )
                return await work(provider, credentials[0])
            finally:
                await provider.aclose()
    if wanted is not None:
        raise CommandError(f"{wanted} does not run batches", kind="usage", code=USAGE)
    raise CommandError(
        "no provider with a key runs batches; store one: firstword auth add NAME --provider PROVIDER"
    )


def _names(settings: Settings, wanted: str | None) -> list[str]:
    from providers import presets

    known = [*(row.name for row in settings.providers), *presets.KEY_ORDER]
    return [wanted] if wanted is not None else list(dict.fromkeys(known))
