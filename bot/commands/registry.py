"""Command, and the table of all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bot import words
from bot.access import is_shared
from bot.accounts import Account
from bot.choices import WiderChoices
from bot.conversations import Conversations, Talk
from bot.feedback import Feedback
from bot.grants import Grants
from bot.lanes import Lanes, Turn
from bot.rollout import Rolling
from bot.spending import Spending
from bot.store.base import Store
from bot.tools import NoTools, ToolBox
from channels.commands import CommandSpec, Role, index_commands, parse_command
from routing.catalog import Catalog
from routing.health import Health


@dataclass(frozen=True, slots=True)
class Desk:
    """What a command may look at and change. `clock` is monotonic, `started_at` on it. `accounts`: all that run."""

    store: Store
    lanes: Lanes
    conversations: Conversations
    choices: WiderChoices
    catalog: Callable[[str | None], Catalog]
    health: Health
    clock: Callable[[], float]
    started_at: float
    version: str
    model_origin: Callable[[], str]
    spending: Spending
    rolling: Rolling
    feedback: Feedback
    grants: Grants
    tools: ToolBox = field(default_factory=NoTools)
    accounts: dict[tuple[str, str], Account] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One command being answered. `index`: all commands as they are here, by their names."""

    turn: Turn
    argument: str
    desk: Desk
    index: Mapping[str, CommandSpec] = field(default_factory=dict)

    def lacks(self, name: str) -> Role | None:
        """The role that another command needs and this person has not: nothing goes round it by a side way."""
        spec = self.index.get(name)
        return spec.role if spec is not None and spec.role > self.turn.role else None

    def catalog(self) -> Catalog:
        """The models of the agent that answers here."""
        return self.desk.catalog(self.turn.account.agent)

    async def talk(self) -> Talk:
        """The conversation that it was said in."""
        return await self.desk.conversations.get(self.turn.key)


@dataclass(frozen=True, slots=True)
class Ask:
    """The command is a question for a model. `model`: asked this once; `text` "": the message's own text.

    `consent`: it allows (or forbids) the calls that a model waits for.
    """

    text: str = ""
    model: str | None = None
    is_retry: bool = False
    consent: bool | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """`run` gives the text to answer with; None where `asks` always finds a question.

    `asks`, pure: the question in the argument, None to `run` instead.
    """

    spec: CommandSpec
    run: Callable[[Call], Awaitable[str]] | None
    asks: Callable[[str], Ask | None] | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """All commands: `by_name` for dispatch, `specs` for menus, `index` for parsing (names and aliases)."""

    by_name: Mapping[str, Command]
    specs: Sequence[CommandSpec]
    index: Mapping[str, CommandSpec]


def build_table(commands: Sequence[Command]) -> Table:
    """The table. Raises ValueError when two commands claim one name."""
    specs = [command.spec for command in commands]
    return Table({command.spec.name: command for command in commands}, specs, index_commands(specs))


async def answer_command(turn: Turn, table: Table, desk: Desk) -> str:
    """What to say to a turn that is a command."""
    parsed = parse_command(turn.message.text, table.index)
    if parsed is None:
        return words.EMPTY_MESSAGE
    if turn.role < parsed.spec.role:
        return words.too_low(parsed.spec.role)
    if parsed.spec.is_private and is_shared(turn.message.address) and not turn.account.policy.is_local:
        return words.IN_PRIVATE
    run = table.by_name[parsed.spec.name].run
    call = Call(turn, parsed.argument, desk, table.index)
    return await run(call) if run is not None else words.EMPTY_MESSAGE
