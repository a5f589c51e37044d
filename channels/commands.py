"""Slash commands as data, and how text becomes one. The commands themselves live in bot.commands."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

_COMMAND = re.compile(r"[/!]([a-z0-9_]{1,32})(?:@([A-Za-z0-9_]{1,64}))?(?::?\s+|:|$)", re.IGNORECASE)


class Role(IntEnum):
    """What somebody is to an account; a higher one may do all that a lower one may."""

    GUEST = 0  # let in without a name: everybody is, or it is somebody in a listed group
    MEMBER = 1  # named by id
    ADMIN = 2  # lets members in and keeps groups in order
    OWNER = 3  # whose bot it is

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """One command as people see it.

    `name`: a-z, 0-9 and _, at most 32 characters. `usage`: its arguments ("[fast|reason|deep]"), "" for none.
    `choices`: values that a menu may offer for the first argument. `channel_names`: channel -> name where the
    usual one is reserved there. `takes_turn`: what follows is asked of a model, so it goes the way of a
    message; other commands are answered at once beside a running answer. `role`: the least that may give it; menus
    that everybody sees leave out what is above a member's. `is_private`: it is given where nobody reads along.
    """

    name: str
    summary: str
    usage: str = ""
    aliases: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    channel_names: Mapping[str, str] = field(default_factory=dict)
    takes_turn: bool = False
    role: Role = Role.GUEST
    is_private: bool = False

    @property
    def is_for_everybody(self) -> bool:
        """Whether a menu that everybody sees may show it."""
        return self.role <= Role.MEMBER


@dataclass(frozen=True, slots=True)
class ParsedCommand:
    """A command found at the start of a message; `argument` is the rest, stripped."""

    spec: CommandSpec
    argument: str


def index_commands(commands: Sequence[CommandSpec]) -> Mapping[str, CommandSpec]:
    """Every name and alias -> its command, for `parse_command`. Raises ValueError when two claim one name."""
    table: dict[str, CommandSpec] = {}
    for spec in commands:
        for name in (spec.name, *spec.aliases, *spec.channel_names.values()):
            if table.setdefault(name, spec) is not spec:
                raise ValueError(f"two commands are called {name!r}: {table[name].name} and {spec.name}")
    return table


def parse_command(text: str, table: Mapping[str, CommandSpec]) -> ParsedCommand | None:
    """The command that `text` starts with ("/model fast", "/model: fast", "/model@bot fast", "!model").

    None for anything else; an unknown command is an ordinary message.
    """
    stripped = text.strip()
    match = _COMMAND.match(stripped)
    if match is None:
        return None
    spec = table.get(match.group(1).lower())
    return None if spec is None else ParsedCommand(spec, stripped[match.end() :].strip())
