"""The tables of bot/README.md, made from the code: settings, verbs, metrics.

`python -m tests.docs.reference` writes them anew; the test compares.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from pathlib import Path

from bot import metrics
from bot.cli.main import build_parser
from bot.cli.parser import Parser
from bot.plugins import DISTRIBUTION, discover
from bot.settings.shapes import Shape, leaves, model_shape
from bot.settings.sources import variable_name
from bot.settings.tree import Tree

GUIDE = Path(__file__).parents[2] / "bot" / "README.md"
_BLOCK = re.compile(
    r"<!-- (?P<name>[a-z]+): made by tests/docs/reference\.py -->\n(?P<body>.*?)<!-- end -->", re.DOTALL
)


def blocks() -> dict[str, str]:
    """Every table by its name."""
    return {
        "room": _table(("File", "What it is for"), _room_rows()),
        "settings": _table(("Key", "Takes", "Default", "What it means"), _setting_rows(model_shape(Tree))),
        "adapters": "\n".join(_adapters()),
        "verbs": _table(("Command", "What it does"), _verb_rows(build_parser())),
        "metrics": _table(("Metric", "What it counts"), sorted(_metric_rows())),
        "signals": ", ".join(f"`{name}`" for name in sorted(metrics.SIGNALS)) + "\n",
    }


def written(text: str) -> dict[str, str]:
    """The tables that stand in a guide."""
    return {match["name"]: match["body"] for match in _BLOCK.finditer(text)}


def renewed(text: str) -> str:
    """The guide with its tables made anew."""
    made = blocks()

    def replace(match: re.Match[str]) -> str:
        head = match.group(0).split("\n", 1)[0]
        return f"{head}\n{made[match['name']]}<!-- end -->"

    return _BLOCK.sub(replace, text)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |\n" for line in lines)


def _room_rows() -> list[tuple[str, ...]]:
    room = GUIDE.parent
    files = [*room.glob("*.py"), *room.glob("*/__init__.py")]
    rows = [(path.name if path.parent == room else f"{path.parent.name}/", path) for path in files]
    return [(f"`{name}`", _first_sentence(path)) for name, path in sorted(rows) if name != "__init__.py"]


def _first_sentence(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return " ".join(text.split("\n\n")[0].split())


def _setting_rows(shape: Shape, prefix: str = "") -> list[tuple[str, ...]]:
    return [
        (f"`{prefix}{path}`", each.allowed, f"`{each.default}`" if each.default else "", each.description)
        for path, each in leaves(shape)
    ]


def _adapters() -> Iterator[str]:
    plugins = discover()
    for name, listed in sorted(plugins.channels.items()):
        if listed.distribution == DISTRIBUTION:
            spec = plugins.channel(name)
            yield f"#### {spec.title}: `channels.{name}.accounts.ACCOUNT`\n"
            if spec.environment:
                usual = ", ".join(f"`{variable}` (`{field}`)" for variable, field in spec.environment.items())
                yield f"Usual variables of the account `main`: {usual}.\n"
            yield _own_rows(model_shape(spec.settings))
    for name, listed in sorted(plugins.providers.items()):
        if listed.distribution == DISTRIBUTION:
            provider = plugins.provider(name)
            yield f"#### {provider.title}: `models.providers.NAME`\n"
            yield _own_rows(model_shape(provider.settings))


def _own_rows(shape: Shape) -> str:
    rows = [(key.removeprefix("`"), *rest) for key, *rest in _setting_rows(shape)]
    return (
        _table(("Key", "Takes", "Default", "What it means"), [("`" + row[0], *row[1:]) for row in rows])
        if rows
        else "No keys of its own.\n"
    )


def _verb_rows(parser: Parser) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for verb, summary, below in _verbs(parser):
        if below.get_default("handler") is not None:
            rows.append((f"`{_usage(below)}`", summary))
        if verb:
            rows += _verb_rows(below)
    return rows


def _verbs(parser: Parser) -> Iterator[tuple[str, str, Parser]]:
    for action in parser._actions:  # noqa: SLF001 - argparse tells its verbs in no other way
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
            summaries = {each.dest: each.help or "" for each in action._choices_actions}  # noqa: SLF001 - as above
            for name, below in action.choices.items():
                yield name, summaries.get(name, ""), below


def _usage(parser: Parser) -> str:
    """The command with its own arguments; the options that every verb takes stand apart."""
    own = Parser(prog=parser.prog, add_help=False)
    common = {"home", "config", "json", "no_color", "log_level", "help"}
    own._actions = [action for action in parser._actions if action.dest not in common]  # noqa: SLF001 - as above
    own._mutually_exclusive_groups = []  # noqa: SLF001 - as above
    return " ".join(own.format_usage().removeprefix("usage: ").split())


def _metric_rows() -> list[tuple[str, str]]:
    return [(f"`{name}`", meaning) for name, meaning in metrics.names().items()]


def variables_shown(text: str) -> set[str]:
    """The FIRSTWORD_A__B variables that a guide names."""
    return set(re.findall(r"FIRSTWORD_[A-Z]+__[A-Z_]+", text))


def variables_known() -> set[str]:
    """The same, of every setting without free names in its path."""
    return {
        variable_name(tuple(path.split(".")))
        for path, _ in leaves(model_shape(Tree))
        if path == path.strip("[]")
    }


if __name__ == "__main__":
    GUIDE.write_text(renewed(GUIDE.read_text()))
