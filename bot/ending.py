"""How the asking of a turn ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.exchange import Exchange
from bot.store.base import Outcome
from bot.taint import CLEAN, Taint
from channels.programs import Failure
from providers.base import ToolCall
from routing.execute import Answer, Attempt
from routing.policy import Decision


@dataclass(slots=True)
class Ending:
    """How the asking ended. `closing`: a note to put after what is visible, or the whole text where nothing is.

    `leaves`: show and record nothing; the turn is not over, or not ours. `questions`: what was asked. `said`: the
    answer without the thoughts that were shown before it, None where none were. `exchange`: what later prompts need
    of the answer beside its text. `calls`: for the program that asked to make. `failure`: why there is no whole answer.
    `shadow`: whom the policy that does not serve would have asked first, "" where it is the same.
    `cascade`: (ref, what was found) of the answers that were judged before they counted. `drafted`: the requests for
    a short take that stood there before the answer. `taint`: what the model has read.
    """

    outcome: Outcome
    closing: str = ""
    leaves: bool = False
    decision: Decision | None = None
    answer: Answer | None = None
    questions: Sequence[tuple[str, str]] = field(default_factory=tuple)
    said: str | None = None
    exchange: Exchange | None = None
    calls: Sequence[ToolCall] = ()
    failure: Failure | None = None
    shadow: str = ""
    cascade: tuple[tuple[str, str], ...] = ()
    drafted: Sequence[Attempt] = ()
    taint: Taint = CLEAN

    @property
    def asks_consent(self) -> bool:
        """Whether calls wait for the person."""
        return self.exchange is not None and bool(self.exchange.held)
