"""`firstword data`: what is kept of a person, handed out or forgotten."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.cli.context import OK, WARNING, CommandError, Context
from bot.cli.keeper import change_store, person_named, read_store
from bot.cli.parser import Verbs
from bot.cli.quiet import silent

if TYPE_CHECKING:
    from bot.store.people import Person
    from bot.store.sqlite import SqliteStore


_IS_THAT_THEM = "is that CHANNEL:ACCOUNT:ID, the id as /whoami shows it?"


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add("data", "what is kept of a person")
    below = verbs.under(parser)
    export = below.add("export", "print everything that is kept of a person, as JSON", _export)
    export.add_argument("--out", metavar="FILE", help="write it there instead, readable by you alone")
    forget = below.add("forget", "take a person out of store and logs, for good", _forget)
    forget.add_argument(
        "--copies", action="store_true", help="delete backups and older copies of the store too"
    )
    for verb in (export, forget):
        verb.add_argument("person", metavar="PERSON", help="CHANNEL:ACCOUNT:ID, the id as /whoami shows it")


def _export(arguments: argparse.Namespace, context: Context) -> int:
    from bot.store import access, people

    person = person_named(arguments.person)
    found = read_store(
        context, lambda store: {**people.export(store, person), "access": access.export(store, person)}
    )
    if arguments.out is None:
        context.say(found, [json.dumps(found, indent=2, ensure_ascii=False)])
        return OK if _is_known(found) else _unknown(person, context)
    from bot.files import write_private

    out = Path(arguments.out).expanduser().absolute()
    if out.exists():
        raise CommandError(f"{out} exists already; name another file", kind="exists")
    write_private(out, json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    counts = f"{len(found['lines'])} lines, {len(found['messages'])} messages"
    context.say({"file": str(out), "person": str(person)}, [f"{counts}: {out}"])
    return OK if _is_known(found) else _unknown(person, context)


def _is_known(found: Mapping[str, Any]) -> bool:
    """Whether an export holds anything but their name."""
    access, talks = found["access"], found["conversations"]
    return any((found["lines"], found["messages"], found["costs"], *access.values(), *talks.values()))


def _unknown(person: Person, context: Context) -> int:
    context.warn(f"nothing is kept of {person}: {_IS_THAT_THEM}")
    return WARNING


def _forget(arguments: argparse.Namespace, context: Context) -> int:
    from bot.masking import mask_files
    from bot.store.chores import forget_person

    person = person_named(arguments.person)

    async def alone(store: SqliteStore) -> dict[str, Any]:
        return asdict(await forget_person(store, person))

    with silent():
        done, _ = change_store(context, "data.forget", {"person": str(person)}, alone)
    logs = sorted(context.home.logs.glob(f"{context.home.log_file.name}*"))
    # A program's id is its account's name, which stands in lines that are not about it.
    names = [] if person.sender == person.account else [person.sender]
    masked = mask_files(logs, [*names, *done["own"]])
    was_known = any((masked, *done.values()))
    if was_known:
        _typed(context, person).unlink(missing_ok=True)
    copies = _copies(context)
    if arguments.copies:
        for path in copies:
            path.unlink(missing_ok=True)
    left = [] if arguments.copies else [str(path) for path in copies]
    named = [str(path) for name in names for path in _files_that_name(context, name)]
    data = {
        "person": str(person),
        **done,
        "log_entries": masked,
        "copies_deleted": [str(path) for path in copies] if arguments.copies else [],
        "copies_left": left,
        "still_named_in": named,
    }
    said = (
        f"{done['lines']} lines, {done['messages']} messages, {done['turns']} turns; {masked} places in logs"
    )
    deleted = [f"deleted: {path}" for path in data["copies_deleted"]]
    head = f"{person} is forgotten: {said}" if was_known else f"nothing was kept of {person}"
    context.say(data, [head, *deleted])
    if not (was_known or deleted):
        context.warn(_IS_THAT_THEM)
    for each in left:
        context.warn(f"{each} may still hold them; delete it, or run this again with --copies")
    for each in named:
        context.warn(f"{each} still names them")
    return WARNING if left or named or not (was_known or deleted) else OK


def _typed(context: Context, person: Person) -> Path:
    """What people typed where they sit at this machine (channels.base.Host.folder)."""
    return context.home.account(person.channel, person.account) / "history"


def _copies(context: Context) -> Sequence[Path]:
    """Every older copy of the store that lies in the home."""
    name = context.home.database.name
    beside = [
        path
        for pattern in (f"{name}.schema-*", f"{name}.before-restore-*", f"{name}.restoring*")
        for path in context.home.data.glob(pattern)
    ]
    return sorted([*beside, *context.home.backups.glob("*.db"), *context.home.backups.glob(".*.unfinished")])


def _files_that_name(context: Context, sender: str) -> Sequence[Path]:
    """The owner's own files in which the id is a value, such as an allow-list."""
    found = []
    for path in sorted(context.config_file.parent.glob(f"{context.config_file.name}*")):
        try:
            values = json.loads(path.read_text(encoding="utf-8", errors="replace"))
        except (OSError, ValueError):
            continue
        if _holds(values, sender):
            found.append(path)
    return found


def _holds(values: Any, sender: str) -> bool:
    """Whether it stands somewhere in them, as text or as a number; keys are ours."""
    if isinstance(values, dict):
        return any(_holds(each, sender) for each in values.values())
    if isinstance(values, list):
        return any(_holds(each, sender) for each in values)
    return str(values) == sender
