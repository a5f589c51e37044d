"""Every sentence that a person reads, in one place. English first; plain, short, and it says what to do."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Container, Sequence
from datetime import UTC, datetime

from channels.commands import Role
from channels.events import UnreadableReason
from providers.errors import ErrorKind
from routing.health import Breaker
from routing.ledger import Cap, Stop
from routing.policy import Reason
from routing.spend import Level
from routing.tasks import tasks

STOPPED = "(stopped)"
THINKING = "Thinking…"
LOADING = "Loading…"
MORE_FOLLOWS = "\n\n(A fuller answer follows …)"
ONLY_DRAFT = "(This was the short take; the fuller answer did not come.)"
CUT = "(The model broke off here. /retry asks again.)"
LENGTH = "(The model reached its length limit here. Say “go on” for the rest.)"
FILTERED = "(The provider's content filter stopped the answer here.)"
REFUSED = "The provider's content filter refused to answer this."
EMPTY = "The model answered with nothing. /retry asks again, /model shows the others."
ONLY_THOUGHTS = "The model thought about it but said nothing. /retry asks again, /model shows the others."
EMPTY_MESSAGE = "That message holds nothing that I can read."
NOTHING_TO_STOP = "Nothing is running."
STOPPING = "Stopped."
NOTHING_TO_RETRY = "There is no question to ask again yet."
QUEUE_FULL = "Too many messages are waiting here. Please wait for the answers; this one was not taken."
OVERLOADED = "More is waiting for me than I can take. This one was not taken; please send it again later."
STALE = "I was away and found your message too late to answer it unasked. Send it again if it still matters."
POISONED = (
    "Something in this message makes me fail each time, so I have set it aside. "
    "The owner finds it with firstword deadletters."
)
SET_ASIDE = (
    "I could not show you the answer to a message of yours, so I have set it aside. "
    "The owner finds it with firstword deadletters."
)
SIGN = "\N{EYES}"
"""What is put on a message that could not be answered, where words are not wanted: seen, and that is all."""

STUCK = "(Nothing moved here any more, so I have broken this off. /retry asks again.)"
BROKEN = "Something went wrong on my side, and it has been logged. /retry asks again."
OWNER_ONLY = "Only the owner of this bot may do that."
IN_PRIVATE = "Say that to me in a direct chat; here others read along."
WELCOME = "You are let in: write to me and I answer."
PAIR_FIRST = "I do not know you yet. Write me a direct message, or /pair, and I tell you how to be let in."
NO_CODE = "A code has eight letters and digits, as the person was told it: /pair approve CODE."
NEW_SESSION = "A new conversation begins. What was said before is no longer sent to the model."
NOT_HERE = "I do not answer you here; only the owner can change that."
NOT_READY = "I am still starting. Try again in a moment."
UNSHOWN = (
    "I have an answer, but this channel did not let me show all of it. The owner can see why in the log."
)
STOP_BUTTON = "Stop"
RETRY_BUTTON = "Retry"
ALLOW_BUTTON = "Allow"
DENY_BUTTON = "Do not allow"
ALLOWED = "(I allow this call.)"
DENIED = "(I do not allow this call.)"
NO_CONSENT_WANTED = "Nothing waits to be allowed here any more."
CONSENT_EXPIRED = "That was too long ago to be allowed now. Please ask again."
NOT_YOURS_TO_ALLOW = "Only the person whose question it was for can allow this."
_WHOSE = {
    Cap.DAY: "today's budget for models",
    Cap.MONTH: "this month's budget for models",
    Cap.SENDER: "your budget for models today",
    Cap.CONVERSATION: "today's budget for models in this conversation",
}
_RAISED = {
    Cap.DAY: "/budget set",
    Cap.MONTH: "routing.budget.perMonth",
    Cap.SENDER: "routing.budget.perSender",
    Cap.CONVERSATION: "routing.budget.perConversation",
}
LEVELS = {
    Level.ALL: "Every model may be asked.",
    Level.DEFAULT: "Models dearer than the default come last now.",
    Level.FAST: "Models dearer than the fast one come last now.",
    Level.FREE: "It is spent: only models that cost nothing are asked.",
}
WRONG_BUTTON = "That button is no longer in use."

_FAILURES: dict[ErrorKind, str] = {
    ErrorKind.RATE_LIMIT: "its rate limit is reached",
    ErrorKind.QUOTA: "its account has no quota left",
    ErrorKind.OVERLOADED: "it is overloaded",
    ErrorKind.SERVER: "its server failed",
    ErrorKind.CONNECT: "it cannot be reached",
    ErrorKind.FIRST_TOKEN: "it did not begin to answer in time",
    ErrorKind.STALL: "it fell silent in the middle",
    ErrorKind.TOTAL: "it took too long",
    ErrorKind.INCOMPLETE: "it broke off",
    ErrorKind.MALFORMED: "it sent something that is no answer",
    ErrorKind.AUTH: "no valid key is set for it",
    ErrorKind.PERMISSION: "its key may not use this model",
    ErrorKind.BAD_REQUEST: "it did not accept the request",
    ErrorKind.CONTEXT_LENGTH: "the conversation is too long for it",
    ErrorKind.TOO_LARGE: "the request is too large for it",
    ErrorKind.MODEL_GONE: "the provider no longer has this model",
    ErrorKind.CONTENT_FILTER: "its content filter refused",
    ErrorKind.CANCELLED: "it was cancelled",
    ErrorKind.BUDGET: "it costs more than is left of the budget",
}

_ELSE = "if that does not help, the owner has to look into it (firstword doctor)"
_ADVICE: dict[ErrorKind, str] = {
    ErrorKind.RATE_LIMIT: "Try again in a minute, or pick another with /model.",
    ErrorKind.CONTEXT_LENGTH: "/new begins afresh.",
    ErrorKind.TOO_LARGE: "Send less at once, or begin afresh with /new.",
    ErrorKind.OVERLOADED: "Try again in a minute, or pick another with /model.",
    ErrorKind.CONNECT: f"Try again in a minute; {_ELSE}.",
    ErrorKind.FIRST_TOKEN: "/retry asks again, /model shows the others.",
    ErrorKind.STALL: "/retry asks again, /model shows the others.",
    ErrorKind.TOTAL: "/retry asks again, /model shows the others.",
    ErrorKind.MALFORMED: f"/retry asks again; {_ELSE}.",
    ErrorKind.BAD_REQUEST: "/model shows the others; the owner can see why with /why or in the log.",
    ErrorKind.AUTH: "The owner has to set one; /model shows the others.",
    ErrorKind.PERMISSION: "The owner has to set another key or model.",
    ErrorKind.QUOTA: "The owner has to look at the account.",
    ErrorKind.MODEL_GONE: "/models shows what there is.",
    ErrorKind.CONTENT_FILTER: "Put it differently, or pick another with /model.",
}

_REASONS: dict[Reason, str] = {
    Reason.ONE_SHOT: "asked for this once",
    Reason.CHOSEN_HERE: "chosen here",
    Reason.CHOSEN_FOR_ACCOUNT: "chosen for this account",
    Reason.CHOSEN_FOR_ALL: "chosen for all",
    Reason.DEFAULT: "default",
    Reason.PINNED: "it answered here last",
    Reason.DIFFICULTY: "for a question like this",
    Reason.FELL_BACK: "the first choice is resting",
    Reason.TOO_SLOW: "the first choice would be late now",
    Reason.UNFIT: "the first choice cannot take this",
    Reason.TASK: "for this kind of work",
    Reason.CASCADE: "asked in turn until one was good enough",
    Reason.JUDGED: "for a question of this kind",
    Reason.FULL: "the first choice has no room left now",
    Reason.SPARING: "the first choice costs more than is left for today",
}


_UNREADABLE = {
    UnreadableReason.ENCRYPTED: (
        "I could not decrypt your message: I have no key for it. I have asked for it; please say it again. "
        "If this happens each time, your client may not share keys with devices that are not verified."
    ),
}

_BREAKERS = {
    Breaker.CLOSED: "in use",
    Breaker.OPEN: "resting",
    Breaker.HALF_OPEN: "to be tried again",
}


MAX_SHOWN_CALL = 300

_FOREIGN = {
    "file": "a file",
    "quoted": "what somebody else wrote",
    "tool": "what a tool found",
    "others": "what others said",
    "program": "a program's words",
    "unknown": "an answer from before a restart",
}

_NAMED = re.compile(r"(?<![\w/:.])/([a-z_]{2,32})\b")


def marked(text: str, mark: str, names: Container[str]) -> str:
    """Our own words with the commands that they name written as they are typed there ("!retry")."""
    if mark == "/":
        return text
    return _NAMED.sub(lambda found: f"{mark}{found[1]}" if found[1] in names else found[0], text)


def breaker(state: Breaker) -> str:
    """How a model stands, in a word or two."""
    return _BREAKERS[state]


def reason(code: Reason, wanted: str | None) -> str:
    """Why a model answered, for the small line and /why."""
    return f"{_REASONS[code]}: {wanted}" if wanted else _REASONS[code]


def kind(code: ErrorKind) -> str:
    """What went wrong with a model, as the end of a sentence."""
    return _FAILURES[code]


def spent(stop: Stop | None) -> str:
    """Nobody may be asked for want of money. `stop`: the cap that is reached, None where it no longer is."""
    if stop is None:
        return "There was no money left for this a moment ago. /retry asks again."
    if stop.is_held:
        return (
            f"What is left of {_WHOSE[stop.cap]} (${stop.usd:g}) is held for answers that are being written. "
            "/retry asks again in a moment."
        )
    until = datetime.fromtimestamp(stop.until, UTC)
    when = f"on {until:%Y-%m-%d} (UTC)" if stop.cap is Cap.MONTH else "after midnight UTC"
    return (
        f"{_WHOSE[stop.cap].capitalize()} (${stop.usd:g}) is spent, and none is connected that costs nothing. "
        f"I answer again {when}; the owner can raise it with {_RAISED[stop.cap]}."
    )


def spending(today: float, month: float, level: Level) -> str:
    """What the owner is told when a step of the ladder is reached. US dollars."""
    return f"Models have cost ${today:.2f} today and ${month:.2f} this month. {LEVELS[level]}"


def failure(attempts: list[tuple[str, ErrorKind]]) -> str:
    """No model answered: each one's reason, then what to do. `attempts`: (model ref, kind), in order."""
    if not attempts:
        return "No model can take this. /models shows what there is; the owner can add one."
    seen = dict(attempts)
    reasons = "; ".join(f"{ref}: {kind(code)}" for ref, code in seen.items())
    advice = _ADVICE.get(attempts[-1][1], "/retry asks again.")
    return f"No answer. {reasons}. {advice}"


def unfit_text(length: int, limit: int) -> str:
    """A message that is too long to take."""
    return f"That message has {length:,} characters; I take at most {limit:,}. Please send less at once."


def too_many(wait: float, *, is_own: bool) -> str:
    """Somebody, or everybody in a conversation, wrote more than is taken. `wait`: seconds until the next is."""
    whose = "you have sent" if is_own else "were written here"
    return f"That is more messages than I take: too many {whose}. This one was not read; write again in {span(wait)}."


def span(seconds: float) -> str:
    """About so long, never less."""
    for unit, size in (("hour", 3600), ("minute", 60)):
        if seconds > size:
            return f"{math.ceil(seconds / size)} {unit}s"
    count = max(1, math.ceil(seconds))
    return f"{count} second{'s' if count > 1 else ''}"


def too_low(role: Role) -> str:
    """A command that is for a higher role."""
    return OWNER_ONLY if role is Role.OWNER else f"That is for {role}s of this bot and above."


def role(held: Role) -> str:
    """A role as a noun with its article."""
    return {Role.GUEST: "a guest", Role.MEMBER: "a member", Role.ADMIN: "an admin", Role.OWNER: "an owner"}[
        held
    ]


def approval(person: str, name: str, *, is_locked: bool, is_full: bool) -> str:
    """What became of a code that somebody typed to let somebody in; `person` "": nobody holds it."""
    if is_locked:
        return "Too many wrong codes came this way; codes are taken again in an hour. /allowlist add ID needs none."
    if is_full:
        return "That account has let in as many people as it may; take some back first."
    if not person:
        return "No one holds this code here. Codes hold for an hour; after five wrong ones none is taken for an hour."
    called = f" ({quoted(name)})" if name else ""
    return f"{quoted(person)}{called} is let in, for direct chats."


def no_id(text: str, hint: str) -> str:
    """What was given as somebody's id cannot be one. `hint`: what ids look like there."""
    form = f": it is {hint}" if hint else ""
    return f"{quoted(text)} is no id of a person here{form}. People see their own with /whoami."


def no_account(name: str) -> str:
    """Somebody was named at an account that there is not. `name`: CHANNEL:ACCOUNT."""
    return f"There is no account {quoted(name)}. Whom you name here is written CHANNEL:ACCOUNT:ID."


def pairing(code: str, sender_id: str) -> str:
    """How somebody unknown can be let in where codes are given out."""
    return (
        f"I do not know you yet. To be let in, tell the owner of this bot this code: {code}. It holds for an hour; "
        f"/pair shows it again. The owner lets you in with firstword pairing approve {code}, or by saying "
        f"/pair approve {code} to me. Your id is {sender_id}."
    )


def pairing_full(sender_id: str) -> str:
    """Too many wait to be let in."""
    return (
        "I do not know you yet, and others wait to be let in already: ask me again in an hour with /pair. "
        f"The owner can let you in at once with /allowlist add {sender_id}."
    )


def stranger(sender_id: str, path: str) -> str:
    """How somebody unknown can be let in. `path`: the setting that lists who may talk."""
    return (
        f"I do not know you yet. Your id is {sender_id}. The owner can let you in with /allowlist add {sender_id}, "
        f"or by adding it to {path}."
    )


def closed_group(space: str, path: str) -> str:
    """An owner spoke to us in a group that is not on the list."""
    return f"This group is not on my list. Its id is {space}; add it to {path} and restart me."


def unreadable(why: UnreadableReason) -> str:
    """A message that arrived and could not be read."""
    return _UNREADABLE[why]


def stand_in(origin: str, advice: str) -> str:
    """What a page says before the first message when no model is connected."""
    return f"Answers come from {origin}. {advice}"


def consent(
    calls: Sequence[tuple[str, str]], foreign: Sequence[str] = (), *, limit: int = MAX_SHOWN_CALL
) -> str:
    """May these tools be called? `calls`: (name, arguments as JSON), of which `limit` characters each are shown.

    `foreign`: names of bot.taint.Origin, for what the model has read beside the person's own words.
    """
    lines = []
    for name, arguments in calls:
        said = " ".join(shown_call(name, arguments).split())
        hidden = len(said) - limit
        lines.append(f"- {quoted(said, limit)}" + (f" and {hidden:,} characters more" if hidden > 0 else ""))
    asked = "\n".join(lines)
    question = f"To answer this I would call:\n{asked}\n\n/allow lets me, /deny does not."
    if not foreign:
        return question
    read = ", ".join(_FOREIGN[each] for each in foreign)
    return f"{question}\nI ask because this conversation holds {read}. Look whether that is what you want."


# Letters and marks without a picture: whole texts were passed on in variation selectors (P. Butler, "Smuggling
# arbitrary data through an emoji", 2025-02). Unicode 16, DerivedCoreProperties, Default_Ignorable_Code_Point; and the
# blank of Braille.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def shown_call(name: str, arguments: str) -> str:
    """A call in the letters in which people are shown it; of blanks beside each other they see one."""
    return _visible(f"{name} {_plainly(arguments)}")


def _plainly(arguments: str) -> str:
    """Arguments as their tool would read them: without escapes, and each name once."""
    try:
        return json.dumps(json.loads(arguments or "{}"), ensure_ascii=False)
    except (ValueError, RecursionError):
        return arguments


def _visible(text: str) -> str:
    """With characters that hide, or that turn what follows around, written as numbers."""
    return "".join(f"\\u{ord(char):04x}" if _hides(char) else char for char in text)


def _hides(char: str) -> bool:
    is_control = unicodedata.category(char)[0] == "C" and not char.isspace()
    return is_control or _UNSEEN.match(char) is not None


def quoted(text: str, limit: int = MAX_SHOWN_CALL) -> str:
    """Text that no markup can break out of, on one line."""
    plain = " ".join(text.replace("`", "'").split())
    return f"`{plain[:limit]} …`" if len(plain) > limit else f"`{plain}`"


def unknown_model(name: str, nearest: tuple[str, ...]) -> str:
    """`/model NAME` names nobody."""
    hint = f" Did you mean {', '.join(nearest)}?" if nearest else ""
    return f"No model is called “{name}”.{hint} /models shows all."


def unknown_task(name: str) -> str:
    """A program names a kind of work that there is no row for."""
    known = ", ".join(each.name for each in tasks())
    return f"No kind of work is called “{name}”. Allowed: {known}."


def retired(ref: str) -> str:
    """What stands behind the name of a model that its vendor took away."""
    return f" (its vendor took it away; {ref} answers in its place)"


def alert(text: str, held: int) -> str:
    """What the owner is told unasked. `held`: how many more of the same kind there were since the last one."""
    more = f" ({held:,} more of this kind since the last time.)" if held else ""
    return f"\N{WARNING SIGN} {text}{more}"


_DISK = {
    "full": "The disk is full",
    "readonly": "The disk or its file is read-only",
    "locked": "Another program keeps the store's file locked",
    "damaged": "The store's file is damaged",
    "forbidden": "The store's file may not be written",
    "overloaded": "More is to be written than the disk takes",
}


def disk(reason: str) -> str:
    """An alert: nothing can be kept. `reason`: see StoreError."""
    said = _DISK.get(reason, "The disk fails")
    return f"{said}: nothing that people say is kept until that is mended. The log and firstword doctor say more."


STORE_DAMAGED = (
    "The store's file is damaged; what was kept may be lost. The log and firstword doctor say where, "
    "firstword backup restore puts a copy in its place."
)


_STRANGERS = {
    "crowd": "holds more connections than a stranger may",
    "slow": "sends requests that never end",
    "rate": "sends many requests that nobody lets in",
}


def strangers(why: str) -> str:
    """An alert: visitors of a listener were turned away. `why`: see Gate."""
    return f"Somebody {_STRANGERS.get(why, why)} and was turned away. firstword security audit tells what is open."


def guessed(way: str) -> str:
    """An alert: too many wrong codes were typed. `way`: "chat" or "command line", see bot.store.access.By."""
    return (
        f"Somebody typed five wrong codes (by {way}) to let people in: no code is taken that way for an hour. "
        "firstword pairing log tells who."
    )


def models_down(attempts: Sequence[tuple[str, ErrorKind]]) -> str:
    """An alert: nobody answered. `attempts`: (model ref, kind), in order."""
    reasons = "; ".join(f"{ref}: {kind(code)}" for ref, code in dict(attempts).items())
    return f"No model answered a question. {reasons}. firstword models status says more."


def aside(reason: str) -> str:
    """An alert: a message became a dead letter."""
    return f"A message was set aside: {reason}. firstword deadletters lists it."


def stuck_turn(channel: str, stage: str) -> str:
    """An alert: the watchdog ended a turn."""
    return (
        f"An answer on {channel} did not go on ({stage}) and was broken off; the log says which (turn stuck)."
    )


def channel_stopped(name: str, reason: str) -> str:
    """An alert: an account can never connect as it is set up."""
    return f"{name} is not let in and has stopped ({reason}). Set its token anew and restart me: firstword doctor."


def channel_away(name: str, reason: str) -> str:
    """An alert: an account is without its connection for long."""
    return f"{name} has no connection: {reason}. I go on trying; firstword doctor says more."


def key_refused(provider: str, credential: str) -> str:
    """An alert: a provider does not take a key."""
    return f"{provider} refuses its key ({credential}). Set another one: firstword auth add."
