"""The parser of the command line: argparse, with global options at any place and errors as exceptions."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from bot.cli.context import USAGE, CommandError, Context

Handler = Callable[[argparse.Namespace, Context], int]
LEVELS = ("debug", "info", "warning", "error")


class Parser(argparse.ArgumentParser):
    """Raises CommandError (exit code 2) instead of leaving, and names the nearest verb."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where help is."""
        from bot.redact import Redactor

        # What was typed by mistake may be a key.
        text = Redactor().text(f"{message}{self._meant(message)}; see: {self.prog} --help")
        raise CommandError(text, kind="usage", code=USAGE)

    def _meant(self, message: str) -> str:
        given = message.rpartition("invalid choice: ")[2].split("'")
        if "invalid choice" not in message or len(given) < 2:
            return ""
        verbs = [name for action in self._actions if action.choices for name in action.choices]
        close = difflib.get_close_matches(given[1], [str(verb) for verb in verbs], n=1)
        return f" - did you mean {close[0]}?" if close else ""


class Verbs:
    """Adds verbs to a parser; each takes the global options too."""

    def __init__(self, parser: Parser, common: Parser, *, title: str = "commands") -> None:
        self._common = common
        self._rows: Any = parser.add_subparsers(title=title, metavar="COMMAND", parser_class=Parser)

    def add(
        self, name: str, summary: str, handler: Handler | None = None, *, aliases: Sequence[str] = ()
    ) -> Parser:
        """A verb. Without `handler` it only holds further verbs."""
        parser: Parser = self._rows.add_parser(
            name, help=summary, description=summary, parents=[self._common], aliases=list(aliases)
        )
        parser.set_defaults(handler=handler, parser=parser)
        return parser

    def under(self, parser: Parser) -> Verbs:
        """The verbs below a verb."""
        return Verbs(parser, self._common)


def common_options() -> Parser:
    """What every verb takes. Unset values stay out, so that an option before the verb is not undone after it."""
    parser = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    options = parser.add_argument_group("everywhere")
    options.add_argument(
        "--home", metavar="DIR", help="folder of config, data and logs (FIRSTWORD_HOME, ~/.firstword)"
    )
    options.add_argument(
        "--config", metavar="FILE", help="configuration file (FIRSTWORD_CONFIG, HOME/config.json)"
    )
    options.add_argument("--json", action="store_true", help="print one JSON object; errors too")
    options.add_argument("--no-color", action="store_true", help="no colours (NO_COLOR)")
    options.add_argument(
        "--log-level", choices=LEVELS, help="least that is logged, in place of logging.level"
    )
    return parser
