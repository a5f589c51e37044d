"""`firstword`: find the verb, run it, turn every error into a sentence and an exit code.

Exit codes: 0 done, 1 fault, 2 wrong usage, 3 done with warnings, 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from bot.cli.context import INTERRUPTED, OK, USAGE, CommandError, Context
from bot.cli.parser import Parser, Verbs, common_options
from bot.errors import BotError
from bot.home import CONFIG_VARIABLE, find_config, find_home

_VERBS = {
    "run": ("run",),
    "chat": ("chat",),
    "message": ("message",),
    "status": ("status", "gateway"),
    "doctor": ("doctor",),
    "models": ("models",),
    "channels": ("channels",),
    "config": ("config",),
    "auth": ("auth",),
    "batch": ("batch",),
    "route": ("route",),
    "deadletters": ("deadletters",),
    "backup": ("backup",),
    "data": ("data",),
    "pairing": ("pairing",),
    "usage": ("usage",),
    "security": ("security",),
}
"""The file of bot.cli and the verbs that it adds, in the order of the help."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code. Never raises but for bugs."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    context = _early_context(arguments)
    try:
        parsed = build_parser(arguments[0] if arguments else "").parse_args(arguments)
        context = _context(parsed)
        handler = parsed.handler
        if handler is None:
            parsed.parser.print_help(context.err)
            return USAGE
        code: int = handler(parsed, context)
        sys.stdout.flush()
    except BotError as error:
        return context.fail(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read us has left; Python must not complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else OK
    except Exception as error:  # a bug is said in a line too; the traceback is there for whoever wants it
        if context.log_level == "debug":
            raise
        return context.fail(_plain(error))
    return code


_OF_THE_DISK = frozenset({errno.EACCES, errno.EDQUOT, errno.EIO, errno.ENOSPC, errno.EPERM, errno.EROFS})
"""What is no bug of ours, but for whoever owns the machine to mend."""


def _plain(error: BaseException) -> BotError:
    """The error that a person can do something about; task groups wrap theirs."""
    while isinstance(error, BaseExceptionGroup):
        known = error.subgroup(BotError)
        error = (known or error).exceptions[0]
    if isinstance(error, BotError):
        return error
    if isinstance(error, OSError) and error.errno in _OF_THE_DISK and error.filename is not None:
        return CommandError(f"{error.filename} cannot be used: {error.strerror}", kind="disk")
    from bot.redact import Redactor

    said = Redactor().text(f"{type(error).__name__}: {error}")[:300]
    text = f"unexpected: {said}; for the traceback run it again with --log-level debug"
    return CommandError(text, kind="bug")


def build_parser(verb: str = "") -> Parser:
    """The whole command line; where it is known to begin with `verb`, that one alone."""
    common = common_options()
    parser = Parser(
        prog="firstword",
        description="A chat-bot daemon measured by the time to the first visible word.",
        epilog="exit codes: 0 done, 1 fault, 2 wrong usage, 3 done with warnings",
        parents=[common],
    )
    parser.add_argument("-V", "--version", action=_Version, nargs=0, help="print the version and leave")
    parser.set_defaults(handler=None, parser=parser)
    verbs = Verbs(parser, common)
    for name in [name for name, own in _VERBS.items() if verb in own] or _VERBS:
        import_module(f"bot.cli.{name}").add(verbs)
    return parser


class _Version(argparse.Action):
    """Reads the version only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        from importlib.metadata import version

        print(f"firstword {version('firstword')}")
        parser.exit()


def _early_context(arguments: Sequence[str]) -> Context:
    """Enough to say an error before the arguments were understood."""
    home = find_home(None, {})
    return Context(home, home.config, {}, Path(), is_json="--json" in arguments)


def _context(parsed: argparse.Namespace) -> Context:
    environ = dict(os.environ)
    home = find_home(getattr(parsed, "home", None), environ)
    no_color = getattr(parsed, "no_color", False) or bool(environ.get("NO_COLOR"))
    try:
        folder = Path.cwd()
    except OSError as error:
        raise CommandError("the working folder is gone; change to one that exists") from error
    return Context(
        home=home,
        config_file=find_config(getattr(parsed, "config", None), home, environ),
        environ=environ,
        folder=folder,
        is_json=getattr(parsed, "json", False),
        has_color=not no_color and sys.stderr.isatty(),
        log_level=getattr(parsed, "log_level", None),
        is_config_named=bool(getattr(parsed, "config", None) or environ.get(CONFIG_VARIABLE)),
    )


if __name__ == "__main__":
    sys.exit(main())
