"""All commands together."""

from __future__ import annotations

from bot.commands import about, access, budget, models, rollout, talk, thinking, tools
from bot.commands.registry import Table, build_table


def all_commands() -> Table:
    """The table of every command of this daemon."""
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
    specs = [command.spec for command in rest]
    helpers = about.help_command(specs), about.commands_command(specs)
    return build_table((*helpers, *rest))
