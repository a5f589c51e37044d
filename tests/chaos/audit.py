"""What must be true when a world has come to rest: pure functions over what people saw and what the store holds."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator

from bot import words
from channels.capabilities import SendKey
from channels.fake import FakeMessage
from tests.chaos.books import BEGUN, RECORDED, Books, Turn
from tests.chaos.model import Asked
from tests.chaos.people import Deed, Question
from tests.chaos.wire import Offer
from tests.chaos.world import World

MAX_AGE = 15 * 60.0
"""Seconds after which nobody wants an answer unasked: the promise, said once more on purpose."""

NOTE_EVERY = 60.0
"""Seconds in which a room is told once that there is no answer."""

_CLOSINGS = (
    words.STOPPED, words.CUT, words.LENGTH, words.FILTERED, words.POISONED, words.STALE, words.BROKEN,
    words.UNSHOWN, words.QUEUE_FULL, words.OVERLOADED, "No answer.", words.EMPTY, words.ONLY_THOUGHTS, words.SET_ASIDE,
)  # fmt: skip

Finding = str


def audit(world: World) -> list[Finding]:
    """Everything that is not as promised; nothing when all is well."""
    if world.faults:
        return list(world.faults)
    books = Books(world)
    found: list[Finding] = []
    for rule in RULES:
        found += rule(books)
    return found


def nothing_lost(books: Books) -> Iterator[Finding]:
    """Every message that was taken ends in an answer or in words that say why there is none."""
    if books.broken != "ok":
        yield f"the file is damaged: {books.broken}"
    told = {word: _told_at(books, word) for word in (words.STALE, words.POISONED)}
    for question in books.questions:
        offer = question.offers[0]
        if offer.taken_at is None:
            yield f"q{question.number}: never taken"
            continue
        turn = books.by_event.get(offer.event.event_key)
        if turn is None:
            yield f"q{question.number}: taken at {offer.taken_at:.3f} and lost"
            continue
        answering = turn if turn.inbox_state == "dead" else books.answering(turn)
        if answering is None or turn.inbox_state not in {"done", "dead"}:
            yield f"q{question.number}: never ended ({turn.state}, {turn.inbox_state})"
        elif answering.outcome == "withdrawn":
            if question.deleted is None and not _was_dropped(books, answering):
                yield f"q{question.number}: withdrawn though nobody took it back"
        elif (
            not books.shown(answering.turn_id)
            and not (
                (answering.outcome in {"stale", "failed"} or turn.inbox_state == "dead")
                and told[words.POISONED if turn.inbox_state == "dead" else words.STALE].get(turn.room, 0.0)
                >= offer.at
            )
            and not _was_told_lately(books, answering)
        ):
            yield f"q{question.number}: ended as {answering.outcome} and nothing is to be seen"


def _told_at(books: Books, word: str) -> dict[str, float]:
    """When each room was last told, in this word, how a message there ended: once is enough for all that did."""
    found: dict[str, float] = {}
    for turn in books.turns:
        if word in books.shown(turn.turn_id):
            at = max(message.states[-1][0] for message in books.standing(turn.turn_id))
            found[turn.room] = max(found.get(turn.room, 0.0), at)
    return found


def _was_told_lately(books: Books, turn: Turn) -> bool:
    """It failed within a minute of another one there, which said so: people are told of failures once a minute."""
    return turn.outcome == "failed" and any(
        each.room == turn.room
        and each.outcome == "failed"
        and abs((each.ended_at or 0.0) - (turn.ended_at or 0.0)) <= NOTE_EVERY
        and books.shown(each.turn_id)
        for each in books.turns
    )


def _was_dropped(books: Books, turn: Turn) -> bool:
    """Another of the messages that it answers was taken back, or /stop dropped what waited."""
    if any(each.what == "stop" and each.room == turn.room for each in books.world.people.deeds):
        return True
    own = {each.offers[0].event.event_key for each in books.questions if each.deleted is not None}
    return any(each.event_key in own for each in books.turns if each.turn_id in turn.inbox_ids)


def nothing_doubled(books: Books) -> Iterator[Finding]:
    """A question has one whole answer, unless somebody asked for it again."""
    retries = Counter(each.room for each in books.world.people.deeds if each.what == "retry")
    answers: dict[int, list[int]] = defaultdict(list)
    for turn in books.turns:
        if books.may_repeat(turn):
            continue
        for number, named in books.wholes(books.shown(turn.turn_id)):
            for question, _ in named:
                answers[question].append(number)
    for question, numbers in answers.items():
        room = books.questions[question].room
        if len(numbers) > 1 + retries[room]:
            yield f"q{question}: answered {len(numbers)} times (answers {numbers})"


def no_repeated_send(books: Books) -> Iterator[Finding]:
    """A send is repeated only where nobody can know whether it arrived, and never where the platform can tell."""
    for before, after in books.repeats:
        if books.world.fate.capabilities.send_key is not SendKey.NONE:
            yield f"{after.send_key}: sent at {before.at:.3f} and again at {after.at:.3f} though keys are known"
        elif not books.is_unsure(before):
            yield f"{after.send_key}: sent at {before.at:.3f}, known, and sent again at {after.at:.3f}"


def in_order(books: Books) -> Iterator[Finding]:
    """In a conversation the next answer begins when the one before it reads as it stays."""
    lanes: dict[str, list[Turn]] = defaultdict(list)
    asked = {each.offers[0].event.event_key for each in books.questions}
    for turn in books.turns:
        is_answer = turn.state == "done" and turn.event_key in asked and "BEGIN" in books.shown(turn.turn_id)
        if is_answer and not books.may_repeat(turn):
            lanes[turn.room].append(turn)
    for room, turns in lanes.items():
        for one, other in itertools.pairwise(turns):
            last = max(_settled(each) for each in books.seen[one.turn_id])
            first = min(at for each in books.seen[other.turn_id] for at, _ in each.states)
            if first < last:
                yield f"{room}: {other.event_key} was answered at {first:.3f}, before {one.event_key} was at {last:.3f}"


def _settled(message: FakeMessage) -> float:
    """When it began to read as it does."""
    texts = [text for _, text in message.states]
    at = len(texts) - 1
    while at and texts[at - 1] == texts[-1]:
        at -= 1
    return message.states[at][0]


def nothing_cut_as_whole(books: Books) -> Iterator[Finding]:
    """What reads like a finished answer is one, word for word; what broke off says so."""
    for turn in books.turns:
        shown = books.shown(turn.turn_id)
        begun = BEGUN.findall(shown)
        if turn.state != "done" or not begun or any(each in shown for each in _CLOSINGS):
            continue
        if turn.outcome == "withdrawn":
            continue  # nobody asks any more: see withdrawn_is_gone
        if len(books.wholes(shown)) != len(begun):
            yield f"{turn.turn_id}: ended as {turn.outcome}, is no whole answer and does not say so: {shown[-80:]!r}"


def remembered_as_shown(books: Books) -> Iterator[Finding]:
    """What the conversation remembers is what people can read, once."""
    counts = Counter((turn_id, text) for _, role, text, _, turn_id in books.history if role == "user")
    for (turn_id, text), count in counts.items():
        if count > 1:
            yield f"{turn_id}: {text!r} is remembered {count} times"
    for _, role, text, outcome, turn_id in books.history:
        plain = " ".join(text.split())
        if (
            role == "assistant"
            and outcome == "done"
            and "BEGIN" in plain
            and plain not in books.shown(turn_id)
        ):
            yield f"{turn_id}: remembered is {plain[-60:]!r}, to be read is {books.shown(turn_id)[-60:]!r}"


def tools_once(books: Books) -> Iterator[Finding]:
    """What changes the world is done once for a question, and where consent is wanted, only with it."""
    retries = Counter(each.room for each in books.world.people.deeds if each.what == "retry")
    counts = Counter((each.name, each.note) for each in books.world.tools)
    for (name, note), count in counts.items():
        question = books.questions[note]
        if count > 1 + retries[question.room]:
            yield f"q{note}: {name} was called {count} times"
    allowed: Counter[tuple[str, str]] = Counter()
    for deed in books.world.people.deeds:
        allowed[deed.room, deed.sender.id] += deed.what == "allow"
    used = Counter[tuple[str, str]]()
    for call in books.world.tools:
        if call.name == "notes__write":
            question = books.questions[call.note]
            held = sum(each.kind == "ask" for each in books.questions if each.room == question.room)
            used[question.room, question.sender.id] += 1
            given = sum(allowed[question.room, each] for each in _askers(books, question))
            if used[question.room, question.sender.id] > given + held:
                yield f"q{call.note}: {call.name} was called at {call.at:.3f}, more often than its person allowed"
            if not any(
                _allows(books, each, question) and each.offer.at <= call.at
                for each in books.world.people.deeds
            ):
                yield f"q{call.note}: {call.name} was called at {call.at:.3f} though its person allowed nothing"


def _askers(books: Books, question: Question) -> set[str]:
    """Who has asked it: who said it, and who had it asked again."""
    again = {
        each.sender.id
        for each in books.world.people.deeds
        if each.what == "retry" and each.room == question.room
    }
    return {question.sender.id, *again}


def _allows(books: Books, deed: Deed, question: Question) -> bool:
    is_theirs = deed.sender.id in _askers(books, question)
    return deed.what == "allow" and deed.room == question.room and is_theirs


def corrections_count(books: Books) -> Iterator[Finding]:
    """Once a correction was taken before anybody was asked, or in an earlier life, nobody is asked the old question."""
    retried = {each.room for each in books.world.people.deeds if each.what in {"retry", "allow", "deny"}}
    for question in books.questions:
        if question.room in retried or len(question.offers) == 1:
            continue
        turn = books.by_event.get(question.offers[0].event.event_key)
        if turn is not None and books.may_repeat(turn):
            continue  # it was answered when the correction came
        asked = [
            (each, revision)
            for each in books.world.vendors.asked
            for number, revision in each.questions
            if number == question.number and each.ended != each.at
        ]
        first = asked[0][0].at if asked else 0.0
        said = question.offers[0].taken_at
        for revision, offer in enumerate(question.offers[1:], start=1):
            taken, life = offer.taken_at, offer.taken_in
            if taken is None or life is None or said is None or said > taken:
                continue
            for request, old in asked:
                is_later = first > taken or (request.life > life and _can_begin_again(books, request))
                if old < revision and request.at > taken and is_later:
                    yield f"q{question.number}: r{revision} was taken at {taken:.3f}, r{old} asked at {request.at:.3f}"


def _can_begin_again(books: Books, request: Asked) -> bool:
    """Nothing was done for it that cannot be taken back."""
    return all(books.questions[number].kind in {"plain", "long"} for number, _ in request.questions)


def taken_back(books: Books) -> Iterator[Finding]:
    """A question that was taken back before anybody was asked, or in an earlier life, gets no answer."""
    retried = {each.room for each in books.world.people.deeds if each.what in {"retry", "allow", "deny"}}
    for question in books.questions:
        taken = question.deleted.taken_at if question.deleted is not None else None
        if taken is None or question.deleted is None or question.room in retried:
            continue
        life, said = question.deleted.taken_in or 0, question.offers[0].taken_at
        for each in books.world.vendors.asked:
            is_asked = (
                any(number == question.number for number, _ in each.questions) and each.ended != each.at
            )
            if (
                is_asked
                and each.life > life
                and said is not None
                and said <= taken
                and _can_begin_again(books, each)
            ):
                yield f"q{question.number}: taken back at {taken:.3f} in life {life}, asked at {each.at:.3f}"
        asked = [
            each.at
            for each in books.world.vendors.asked
            if any(number == question.number for number, _ in each.questions)
            and (each.ended is None or each.ended > each.at)  # else it was ended before a byte of it had left
        ]
        if asked and asked[0] > taken:
            yield f"q{question.number}: taken back at {taken:.3f}, asked at {asked[0]:.3f}"


def withdrawn_is_gone(books: Books) -> Iterator[Finding]:
    """Of an answer to a question that was taken back nothing is left, where messages can be deleted."""
    can = books.world.fate.capabilities
    if not can.deletes:
        return
    for turn in books.turns:
        # What was on its way at a crash stays: nobody knows of it any more. But the first can be asked for by its key
        # (channels/README.md).
        first = None if can.send_key is SendKey.NONE else f"{turn.turn_id}.0"
        left = [
            each
            for each in books.standing(turn.turn_id)
            if each.id not in books.lost_sight_of or each.send_key == first
        ]
        if turn.outcome == "withdrawn" and left:
            yield f"{turn.turn_id}: withdrawn, and there is still {left[0].text[:60]!r}"


def nothing_too_old(books: Books) -> Iterator[Finding]:
    """A message that waited too long for a start is not answered unasked."""
    world = books.world
    texts = {each.id: each for each in world.platform.truth.messages}
    starts = {life.number: life.began for life in world.lives}
    begun: dict[str, float] = {}
    for write in world.platform.writes:
        begun.setdefault(write.send_key[:20], write.at)
    for write in world.platform.writes:
        turn = next((each for each in books.turns if each.turn_id == write.send_key[:20]), None)
        if turn is None:
            continue
        start = starts[write.life]
        age = start + world.wall() - world.loop.time() - turn.received_at
        is_first = begun[turn.turn_id] == write.at
        if age > MAX_AGE and is_first and "BEGIN" in texts[write.message_id].states[0][1]:
            yield f"{turn.turn_id}: {age:.0f} s old at the start of life {write.life} and answered all the same"


def budget_kept(books: Books) -> Iterator[Finding]:
    """When the day's money is spent nobody is asked who costs any, nor while another may spend all that is left."""
    per_day = books.world.fate.per_day
    if per_day is None:
        return
    day = 86_400.0
    asked = books.world.vendors.asked
    offset = books.world.wall() - books.world.loop.time()
    for each in asked:
        if not each.is_priced:
            continue
        begin = books.world.lives[each.life].began
        known = sum(
            other.told
            for other in asked
            if other.told is not None
            and other.ended is not None
            and other.ended < each.at
            and (other.ended + offset) // day == (each.at + offset) // day
            and (other.life == each.life or _is_in_the_books(books, other, begin))
        )
        if known >= per_day + 1e-9:
            yield f"{each.model} was asked at {each.at:.3f} though {known:.2f} of {per_day:.2f} USD were spent"
        for other in asked:
            is_before = other.is_priced and other.life == each.life and other.at < each.at
            if is_before and (other.ended is None or other.ended > each.at):
                yield f"{each.model} was asked at {each.at:.3f} while what {other.model} costs was not known"


def _is_in_the_books(books: Books, asked: Asked, at: float) -> bool:
    """Whether the turn that asked had ended well before, in the life that asked: else a crash took its cost along."""
    died = books.world.lives[asked.life].ended or 0.0
    keys = {books.questions[number].offers[0].event.event_key for number, _ in asked.questions}
    offset = books.world.wall() - books.world.loop.time()
    ends = [
        answering.ended_at - offset
        for each in books.turns
        if each.event_key in keys
        and (answering := books.answering(each)) is not None
        and answering.ended_at is not None
    ]
    return bool(ends) and all(
        asked.ended is not None and asked.ended <= end < min(died, at) - RECORDED for end in ends
    )


def strangers_stay_out(books: Books) -> Iterator[Finding]:
    """Of what somebody says who may not talk here nothing is kept."""
    strangers = {each.event.event_key for each in books.world.platform.feed if _is_stranger(each)}
    for turn in books.turns:
        if turn.event_key in strangers:
            yield f"{turn.event_key}: a stranger's message was kept"


def _is_stranger(offer: Offer) -> bool:
    sender = getattr(offer.event, "sender", None)
    return sender is not None and sender.id not in {"1", "2"}


def rules_of_the_platform(books: Books) -> Iterator[Finding]:
    """Nothing was done there that a real one would punish. What may stand already is edited again: that is allowed."""
    for violation in books.world.platform.truth.violations:
        if "changes nothing" not in violation:
            yield f"platform: {violation}"


def about(question: Question) -> str:
    """For whoever reads a finding."""
    return f"q{question.number} {question.kind} in {question.room}"


RULES = (
    nothing_lost,
    nothing_doubled,
    no_repeated_send,
    in_order,
    nothing_cut_as_whole,
    remembered_as_shown,
    tools_once,
    corrections_count,
    taken_back,
    withdrawn_is_gone,
    nothing_too_old,
    budget_kept,
    strangers_stay_out,
    rules_of_the_platform,
)
