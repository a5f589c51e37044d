"""What follows when a write of a reply was not carried out: one place, by the class of the error. Pure."""

from __future__ import annotations

from dataclasses import replace

from channels.capabilities import Operation, SendKey, Streaming
from channels.errors import (
    ChannelError,
    Gone,
    GoneWhat,
    NotAuthorized,
    RateLimited,
    Refused,
    TooLong,
    Unavailable,
)
from channels.script import DASH, LIMITED_PATIENCE, Script
from channels.split import measure
from channels.steps import Kind, Shown, Step

PATIENCE = 60.0  # how long a finished answer is offered to a channel that cannot be reached
FIRST_BACKOFF = 0.5
LONGEST_BACKOFF = 30.0
REMOVE_TRIES = 5  # a message that is not needed is taken back; to do it twice does no harm
PREVIEW_TRIES = 3  # a preview that cannot be reached so often in a row is given up


def failed(script: Script, step: Step, error: ChannelError, now: float) -> None:
    """The step was not carried out, or nobody knows. Sets `script.error` when nothing more can be done."""
    shown = script.shown[step.index]
    if script.is_final and script.trouble is None:
        script.trouble = now
    is_over = isinstance(error, Gone) and error.what is GoneWhat.CONVERSATION
    if script.capabilities.raw or is_over or isinstance(error, NotAuthorized):
        script.error = error  # a program that does not get its answer here gets it nowhere
    elif isinstance(error, RateLimited):
        _limited(script, step, error, now)
    elif step.kind is Kind.REMOVE or step.is_trace or (step.text == DASH and step.kind is not Kind.SEND):
        _not_taken_back(script, step, shown, error, now)
    elif isinstance(error, TooLong):
        _too_long(script, step, shown, error)
    elif step.kind in {Kind.START, Kind.UPDATE, Kind.CLOSE}:
        _stream_failed(script, step, shown, error, now)
    elif isinstance(error, Unavailable):
        _unreachable(script, error, now)
        if error.maybe_sent and step.kind is Kind.SEND:
            _unsure(script, shown, step, error)
        elif error.maybe_sent:
            shown.is_stale = True
    elif step.kind is Kind.EDIT and isinstance(error, Gone):
        _gone(script, shown)
    elif step.kind is Kind.EDIT and isinstance(error, Refused):
        shown.is_frozen = True
    else:
        script.error = error


def _limited(script: Script, step: Step, error: RateLimited, now: float) -> None:
    budgets = script.capabilities.budgets
    # A bucket that is blocked holds back what draws on it and nothing else: a refused preview delays no final.
    if not script.buckets.limited(budgets, step.operation, error.scope, error.retry_after, now):
        script.pacer.bar(error.retry_after, now)
    if script.trouble is not None and now + error.retry_after - script.trouble > LIMITED_PATIENCE:
        script.error = error


def _not_taken_back(script: Script, step: Step, shown: Shown, error: ChannelError, now: float) -> None:
    """It was not needed. Where the channel may take it back later that is tried again; else it stays."""
    is_worth_it = step.kind is Kind.REMOVE or step.is_trace
    if is_worth_it and isinstance(error, Unavailable) and shown.tries < REMOVE_TRIES:
        shown.tries += 1
        script.pacer.bar(min(LONGEST_BACKOFF, FIRST_BACKOFF * 2**shown.tries), now)
    else:
        shown.is_gone, shown.pending = True, None


def _too_long(script: Script, step: Step, shown: Shown, error: TooLong) -> None:
    """Split this part smaller and go on. A send that nobody knows of is not repeated as it was."""
    if not script.plan.narrow(step.index, measure(step.text, script.capabilities.unit)):
        script.error = error
    shown.pending = None
    script.front = min(script.front, step.index)


def _unreachable(script: Script, error: Unavailable, now: float) -> None:
    script.pacer.bar(min(LONGEST_BACKOFF, FIRST_BACKOFF * 2**script.failures), now)
    script.failures += 1
    if script.trouble is not None and now - script.trouble > PATIENCE:
        script.error = error


def _unsure(script: Script, shown: Shown, step: Step, error: Unavailable) -> None:
    """It may stand or not. Without a key and without looking, one more try is the lesser evil.

    What is tried again under the same key is the same text: the channel may have the first one.
    """
    if script.capabilities.send_key is SendKey.NONE:
        shown.tries += 1
        if shown.tries > 1:
            script.error = error
        else:
            script.maybe_doubled += 1
        return
    looks = script.capabilities.send_key is SendKey.READBACK
    shown.pending = replace(step, kind=Kind.SEND, operation=Operation.SEND, delta=None, look_first=looks)


def _stream_failed(script: Script, step: Step, shown: Shown, error: ChannelError, now: float) -> None:
    """A native stream does not go on: messages and edits take over what it showed, and the rest."""
    is_preview = script.capabilities.preview
    is_new = step.kind is Kind.START or is_preview  # nothing stands that could be edited
    if isinstance(error, Unavailable):
        if is_preview and step.kind is Kind.UPDATE and script.failures < PREVIEW_TRIES:
            _unreachable(script, error, now)
            return
        if is_new:
            _unreachable(script, error, now)
        if error.maybe_sent and step.kind is (Kind.CLOSE if is_preview else Kind.START):
            _unsure(script, shown, step, error)
    if not is_new:
        shown.is_stale = True  # a stream may hold back its last words until it is closed
    script.mode = Streaming.EDIT if script.abilities.edits else Streaming.NONE
    shown.stream = None
    shown.is_sent = shown.is_sent and not is_new
    if isinstance(error, Gone) and shown.is_sent:
        _gone(script, shown)


def _gone(script: Script, shown: Shown) -> None:
    """Somebody deleted it. The final is sent once as a new message, under a key of its own."""
    shown.is_gone = True
    shown.part = script.number()
    shown.send_key = ""
    shown.text = ""
    shown.pending = None
