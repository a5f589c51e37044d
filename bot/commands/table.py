"""All commands together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bot.commands import about, access, budget, models, rollout, talk, thinking, tools
from bot.commands.registry import Command, Table, build_table
from bot.errors import SettingsError
from channels.commands import Role


def all_commands(roles: Mapping[str, Role] | None = None) -> Table:
    """The table of every command of this daemon.

    `roles`: what a command needs beyond what it does by itself. Never less: a lower role changes nothing.
    Raises SettingsError for a command that there is not; /help and /commands are everybody's.
    """
    rest = (
        *about.COMMANDS,
        *models.COMMANDS,
        *budget.COMMANDS,
        rollout.COMMAND,
        *thinking.COMMANDS,
        *tools.COMMANDS,
        *talk.COMMANDS,
        *access.COMMANDS,
    )
    wanted = dict(roles or {})
    rest = tuple(_raised(command, wanted.pop(command.spec.name, Role.GUEST)) for command in rest)
    specs = [command.spec for command in rest]
    helpers = about.help_command(specs), about.commands_command(specs)
    for name in wanted:
        known = ", ".join(spec.name for spec in specs)
        raise SettingsError(
            f"commands.roles.{name} names no command; allowed: {known}", path=f"commands.roles.{name}"
        )
    return build_table((*helpers, *rest))


def _raised(command: Command, role: Role) -> Command:
    """The command for this role and above; for what it needs by itself where that is more."""
    spec = command.spec
    return command if role <= spec.role else replace(command, spec=replace(spec, role=role))
