"""What people do after an answer: reactions, /retry, another model. Kept with the turn; counted by the rollout."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from zlib import crc32

from bot import metrics
from bot.ending import Ending
from bot.lanes import Turn
from bot.learning import Learner
from bot.rollout import Rolling
from bot.store.base import Store
from channels.delivery import Delivery
from channels.events import Address, Reaction, Sender
from routing.rollout import Policy
from routing.strategy import Difficulty

KEPT_ANSWERS = 5_000
SWITCH_WITHIN = 600.0
"""Seconds after an answer in which another model is chosen because of it."""

MAX_SAID = 50
"""Of one answer: in a large group nobody counts further."""


class Said(StrEnum):
    """What it means; the words stand in /why."""

    GOOD = "good"
    BAD = "bad"
    AGAIN = "asked again"
    SWITCHED = "chose another model"


BAD = frozenset({Said.BAD, Said.AGAIN, Said.SWITCHED})
REWARDS = {Said.GOOD: 1.0, Said.BAD: -1.0, Said.AGAIN: -0.5, Said.SWITCHED: -0.5}
"""What is learnt from it, -1 to 1: a second try or another model may have other reasons."""

_SIGNS = {
    Said.GOOD: "👍 ❤ 🎉 👏 🔥 💯 🙏 😍 🥰 +1 thumbsup heart tada clap fire 100 pray heart_eyes",
    Said.BAD: "👎 💩 😡 🤬 🤮 😠 -1 thumbsdown hankey poop rage angry face_vomiting",
}
"""Signs as channels hand them over: the character itself, or its short name."""

_MEANT = {sign: said for said, signs in _SIGNS.items() for sign in signs.split()}
_DRESS = re.compile("[\U0001f3fb-\U0001f3ff\ufe0e\ufe0f]|::skin-tone-\\d|^:|:$")


def meaning(emoji: str) -> Said | None:
    """What a reaction says of an answer; None for one that says nothing clear. Skin tones do not matter."""
    return _MEANT.get(_DRESS.sub("", emoji))


@dataclass(slots=True)
class _Answer:
    turn_id: str
    at: float
    latency: str
    policy: Policy
    group: str
    difficulty: Difficulty | None
    said: dict[str, Said] = field(default_factory=dict)


@dataclass(slots=True)
class Feedback:
    """Knows the latest answers by the messages in which they stand. `wall`: seconds since the epoch."""

    store: Store
    rolling: Rolling
    learner: Learner
    wall: Callable[[], float]
    _by_message: OrderedDict[str, _Answer] = field(default_factory=OrderedDict)
    _latest: OrderedDict[str, _Answer] = field(default_factory=OrderedDict)

    def answered(self, turn: Turn, ending: Ending, delivery: Delivery) -> None:
        """A turn is over: what is said of its answer belongs to it."""
        if ending.decision is None or ending.decision.case is None or not delivery.message_ids:
            return
        case = ending.decision.case
        # Who named a model, or is served in the settings' order, judges no difficulty.
        teaches = case.wanted is None and case.policy is Policy.SMART
        answer = _Answer(
            turn.turn_id,
            self.wall(),
            str(case.latency),
            case.policy,
            turn.account.scope,
            case.difficulty if teaches else None,
        )
        for message_id in delivery.message_ids:
            _keep(self._by_message, _place(turn.message.address, message_id), answer)
        _keep(self._latest, turn.key, answer)

    def asked_again(self, turn: Turn) -> None:
        """/retry, typed or pressed under an answer."""
        pressed = self._by_message.get(_place(turn.message.address, turn.message.message_id))
        answer = pressed if turn.is_press else self._latest.get(turn.key)
        if answer is not None:
            self._say(answer, "again", turn.message.sender, Said.AGAIN)

    def switched(self, turn: Turn) -> None:
        """/model: another model, soon after an answer."""
        answer = self._latest.get(turn.key)
        if answer is not None and self.wall() - answer.at <= SWITCH_WITHIN:
            self._say(answer, "model", turn.message.sender, Said.SWITCHED)

    def reacted(self, event: Reaction) -> None:
        """A reaction was put on a message, or taken off. One that is no answer of ours is passed over."""
        said = meaning(event.emoji)
        answer = self._by_message.get(_place(event.address, event.message_id))
        if said is not None and answer is not None:
            self._say(answer, str(said), event.sender, said if event.added else None)

    def _say(self, answer: _Answer, kind: str, sender: Sender, said: Said | None) -> None:
        """Keep it once a person and kind, however often it comes; a person counts as displeased once."""
        who = f"{crc32(sender.id.encode(errors='replace')):08x}"
        name = f"{kind}_{who}"
        was_bad = _is_bad(answer, who)
        if said is None:
            if answer.said.pop(name, None) is None:
                return
        elif name in answer.said or len(answer.said) >= MAX_SAID:
            return
        else:
            answer.said[name] = said
            metrics.feedback(str(said))
            if answer.difficulty is not None:
                self.learner.told(answer.group, answer.difficulty, REWARDS[said])
        self.store.note_feedback(answer.turn_id, name, str(said) if said is not None else None)
        change = int(_is_bad(answer, who)) - int(was_bad)
        if change:
            self.rolling.disliked(answer.latency, answer.policy, change)


def _is_bad(answer: _Answer, who: str) -> bool:
    return any(said in BAD for name, said in answer.said.items() if name.endswith(who))


def _place(address: Address, message_id: str) -> str:
    """A message within its space: a reaction often does not say in which thread it stands."""
    key = address.key
    return f"{key.channel}:{key.account}:{key.space}:{message_id}"


def _keep(kept: OrderedDict[str, _Answer], name: str, answer: _Answer) -> None:
    kept[name] = answer
    kept.move_to_end(name)
    if len(kept) > KEPT_ANSWERS:
        kept.popitem(last=False)
