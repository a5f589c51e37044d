"""All metrics, in one list. Labels take values from closed or bounded sets only, never a person or conversation.

The collectors live in the process for its whole life, as Prometheus counts; everything else calls the small
functions below, which are cheap enough for the hot path (about 1 microsecond each, measured 2026-11).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

OTHER: Final = "other"
MAX_LABEL_VALUES: Final = 500
CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
"""What `exposition` is, for an HTTP header."""

SIGNALS: Final = frozenset(
    {
        "backfilled",  # a message that was said while we were away
        "conflict",  # another process uses the same account
        "content_shown_wrong",  # what is shown differs from what was sent
        "event_late",  # an event older than the connection
        "event_malformed",  # an event that could not be read
        "event_unknown",  # a kind of event that the adapter does not know
        "interaction_late",  # a native command or button whose time to be answered was over
        "left",  # we were kicked, or the conversation was closed to us
        "menu_failed",  # the native command menu was not registered
        "not_permitted",  # a right is missing
        "poll_failed",  # a request for events failed
        "rate_limited",  # the channel asked us to wait
        "reconnected",  # the connection was made again
        "request_refused",  # a request at our listener was refused
        "self_message",  # our own message came back
        "silent_connection",  # a connection that was open and told us nothing was made again
        "stream_ended",  # the channel ended a native stream before we did
        "undecryptable",  # an encrypted event that we have no key for
        "visitors",  # people connected to a page of ours
    }
)
"""What Host.signal may count; anything else is counted as "other"."""

_FIRST_WORD: Final = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
_OVERHEAD: Final = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.1, 0.5, 2.0)
_COMMIT: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0)
_SPEED: Final = (5, 10, 20, 50, 80, 120, 200, 350, 500, 1000, 2000, 3000)

REGISTRY: Final = CollectorRegistry(auto_describe=False)
ProcessCollector(registry=REGISTRY)


def _counter(name: str, meaning: str, *labels: str) -> Counter:
    return Counter(f"firstword_{name}", meaning, labels, registry=REGISTRY)


def _histogram(name: str, meaning: str, buckets: Sequence[float], *labels: str) -> Histogram:
    return Histogram(f"firstword_{name}", meaning, labels, buckets=buckets, registry=REGISTRY)


def _gauge(name: str, meaning: str, *labels: str) -> Gauge:
    return Gauge(f"firstword_{name}", meaning, labels, registry=REGISTRY)


_ACCEPTED = _counter("events_accepted_total", "Events that were taken over, by kind.", "channel", "kind")
_DUPLICATES = _counter("events_duplicate_total", "Events that had come before.", "channel")
_DROPPED = _counter("events_dropped_total", "Events dropped on purpose, by reason.", "channel", "reason")
_TURNS = _counter("turns_total", "Turns that ended, by outcome.", "channel", "outcome")
_FIRST_VISIBLE = _histogram(
    "first_visible_seconds", "Message accepted to first text that a person sees.", _FIRST_WORD, "channel"
)
_INBOUND = _histogram(
    "inbound_seconds", "Message accepted to request sent to the model: our own share.", _OVERHEAD, "channel"
)
_TTFT = _histogram("ttft_seconds", "Request sent to first text delta.", _FIRST_WORD, "provider", "model")
_QUEUE = _histogram(
    "provider_queue_seconds",
    "Time in the provider's own queue, where it tells it.",
    _FIRST_WORD,
    "provider",
    "model",
)
_TOKENS_PER_S = _histogram(
    "generation_tokens_per_second", "Speed after the first token.", _SPEED, "provider", "model"
)
_ATTEMPTS = _counter(
    "provider_attempts_total",
    "Requests to models, by outcome and kind of error.",
    "provider",
    "outcome",
    "kind",
)
_FALLBACKS = _counter(
    "fallbacks_total", "Turns that went on with the next rung, by the error's kind.", "provider", "kind"
)
_HEDGES = _counter(
    "hedges_total",
    "Second requests beside a silent first one, by outcome: won, lost, failed.",
    "provider",
    "outcome",
)
_TOOL_CALLS = _counter(
    "tool_calls_total", "Calls of tools, by outcome: done, failed, repeated.", "source", "outcome"
)
_TOKENS = _counter("tokens_total", "Tokens by direction: input, cached, output.", "provider", "direction")
_COST = _counter("cost_usd_total", "Known cost of requests, US dollars.", "provider", "model")
_HELD = _gauge("held_usd", "US dollars that requests which run may yet cost.")
_CAPPED = _counter("refused_by_cap_total", "Requests that were not sent for want of money, by cap.", "cap")
_SHADOW = _counter(
    "shadow_decisions_total", "Decisions that both policies made, by whether they agree.", "agree"
)
_SHADOW_COST = _counter("shadow_cost_usd_total", "Known cost of answers that nobody was shown, US dollars.")
_ROLLED_BACK = _counter(
    "rollbacks_total", "Latency classes that the rollout of routing took back.", "latency_class"
)
_FEEDBACK = _counter("feedback_total", "What people did after an answer: good, bad, again, switched.", "kind")
_JUDGED = _counter(
    "messages_judged_total",
    "Messages that a classifier read, by outcome: named, none, late, failed.",
    "outcome",
)
_CASCADED = _counter(
    "answers_judged_total",
    "Answers of a cascade: kept, spared, failed, or what was wrong with them.",
    "outcome",
)
_TURNED_AWAY = _counter(
    "connections_turned_away_total",
    "Strangers at our listeners that were turned away: crowd, slow, rate.",
    "reason",
)
_DOUBTFUL = _counter(
    "sends_doubtful_total",
    "Messages sent although an earlier try may stand, where the channel cannot tell: at most so many stand twice.",
    "channel",
)
_EDITS = _counter("edits_total", "Edits of shown messages.", "channel")
_RATE_LIMITS = _counter("rate_limits_total", "Times a channel or provider asked us to wait.", "side", "name")
_ATTACHMENTS = _counter("attachments_total", "Files that came with messages, by outcome.", "kind", "outcome")
_STUCK = _counter(
    "turns_stuck_total", "Turns that the watchdog ended, by where they stood.", "channel", "stage"
)
_FAILURES_TOLD = _counter(
    "failures_told_total",
    "Failures in an answer's place, by how people were told: reply, reaction, silent.",
    "channel",
    "manner",
)
_REBUILT = _counter(
    "connections_rebuilt_total", "Connections that fell silent and were made anew.", "channel"
)
_LATE = _counter("late_calls_total", "What old connections told after new ones were made.", "channel", "call")
_ABANDONED = _counter("tasks_abandoned_total", "Tasks that did not end when they were cancelled.", "what")
_ALERTS = _counter("alerts_total", "Alerts that the owner was told, by kind.", "kind")
_COMMIT_SECONDS = _histogram("store_commit_seconds", "One commit of the store.", _COMMIT)
_STORE_FAILURES = _counter("store_failures_total", "Writes that the store could not do, by reason.", "reason")
_STORE_BYTES = _gauge("store_bytes", "Size of the store's files.")
_QUEUED = _gauge("queue_messages", "Messages that wait, by queue.", "queue")
_RUNNING = _gauge("turns_running", "Turns that are being answered.")
_SIGNALS = _counter("signals_total", "What adapters count, by name.", "channel", "signal")
_ONLINE = _gauge("channel_online", "1 while the account is connected, else 0.", "channel", "account")
_LOOP_LAG = _histogram("loop_lag_seconds", "How late the event loop came to a timer.", _OVERHEAD)
_TASKS = _gauge("tasks", "Tasks of the event loop that live.")
_LOOP_ERRORS = _counter(
    "loop_errors_total", "Errors that reached the event loop itself, as when no descriptor is left."
)
_CLOCK_SETS = _counter("clock_sets_total", "Times the machine's clock was set, or the machine slept.")
_LOST_LINES = _counter("log_lines_lost_total", "Lines that the log's disk did not take.")
_SETTINGS_READ = _counter(
    "settings_read_total", "Times the settings were read anew, by outcome: taken, refused.", "outcome"
)
_MENDED = _counter("mended_total", "What was gone and was made anew while the daemon ran.", "what")
_BUILD = _gauge("build_info", "Always 1; the version stands in the label.", "version")


class _Bounded:
    """Label values that come from settings or servers: the first ones are kept, the rest are "other"."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: set[str] = set()

    def __call__(self, value: str) -> str:
        if value in self._known:
            return value
        if len(self._known) >= self._limit:
            return OTHER
        self._known.add(value)
        return value


_bounded = _Bounded(MAX_LABEL_VALUES)


def event_accepted(channel: str, kind: str) -> None:
    """An event was taken over."""
    _ACCEPTED.labels(channel, kind).inc()


def event_duplicate(channel: str) -> None:
    """An event had come before."""
    _DUPLICATES.labels(channel).inc()


def event_dropped(channel: str, reason: str) -> None:
    """An event was dropped on purpose; `reason` is a code out of our own code."""
    _DROPPED.labels(channel, reason).inc()


def turn_ended(channel: str, outcome: str) -> None:
    """A turn ended."""
    _TURNS.labels(channel, str(outcome)).inc()


def first_visible(channel: str, seconds: float) -> None:
    """A person saw the first text."""
    _FIRST_VISIBLE.labels(channel).observe(seconds)


def inbound(channel: str, seconds: float) -> None:
    """A request left for the model that long after its message was accepted."""
    _INBOUND.labels(channel).observe(seconds)


def attempt_finished(
    provider: str, model: str, outcome: str, kind: str | None, ttft: float | None, tokens_per_s: float | None
) -> None:
    """A request to a model ended. `kind`: the error's, None without one."""
    provider, model = _bounded(provider), _bounded(model)
    _ATTEMPTS.labels(provider, outcome, "none" if kind is None else str(kind)).inc()
    if ttft is not None:
        _TTFT.labels(provider, model).observe(ttft)
    if tokens_per_s is not None:
        _TOKENS_PER_S.labels(provider, model).observe(tokens_per_s)


def queued(provider: str, model: str, seconds: float) -> None:
    """A request waited so long in its provider's queue."""
    _QUEUE.labels(_bounded(provider), _bounded(model)).observe(seconds)


def tokens_used(provider: str, input_tokens: int, cached_tokens: int, output_tokens: int) -> None:
    """Tokens of one request; `input_tokens` includes the cached ones."""
    provider = _bounded(provider)
    for direction, count in (("input", input_tokens), ("cached", cached_tokens), ("output", output_tokens)):
        if count > 0:
            _TOKENS.labels(provider, direction).inc(count)


def cost(provider: str, model: str, usd: float) -> None:
    """A request's known cost."""
    _COST.labels(_bounded(provider), _bounded(model)).inc(max(usd, 0.0))


def refused_by_cap(cap: str) -> None:
    """A request was not sent, as a cap is reached."""
    _CAPPED.labels(str(cap)).inc()


def watch_held(usd: Callable[[], float]) -> None:
    """Read what is held whenever somebody looks."""
    _HELD.set_function(usd)


def shadow_decided(*, is_same: bool) -> None:
    """Both policies decided one question."""
    _SHADOW.labels("yes" if is_same else "no").inc()


def shadow_cost(usd: float) -> None:
    """The known cost of an answer that nobody was shown."""
    _SHADOW_COST.inc(usd)


def rolled_back(latency: str) -> None:
    """A latency class is served by the old policy again."""
    _ROLLED_BACK.labels(latency).inc()


def feedback(kind: str) -> None:
    """Somebody did something that tells what they think of an answer."""
    _FEEDBACK.labels(kind).inc()


def judged(outcome: str) -> None:
    """A classifier read a message."""
    _JUDGED.labels(outcome).inc()


def cascaded(outcome: str) -> None:
    """An answer was judged before it counted."""
    _CASCADED.labels(outcome).inc()


def hedged(provider: str, outcome: str) -> None:
    """`provider` was asked beside a silent one."""
    _HEDGES.labels(_bounded(provider), outcome).inc()


def fell_back(provider: str, kind: str) -> None:
    """A turn went on with the next rung after `provider` failed."""
    _FALLBACKS.labels(_bounded(provider), str(kind)).inc()


def tool_called(source: str, outcome: str) -> None:
    """A tool was called."""
    _TOOL_CALLS.labels(_bounded(source), outcome).inc()


def sends_doubtful(channel: str, count: int = 1) -> None:
    """Messages were sent, or are about to be, that may have been sent before."""
    _DOUBTFUL.labels(channel).inc(count)


def edited(channel: str, count: int = 1) -> None:
    """Shown messages were edited."""
    _EDITS.labels(channel).inc(count)


def provider_limited(provider: str) -> None:
    """A provider asked us to wait."""
    _RATE_LIMITS.labels("provider", _bounded(provider)).inc()


def attachment_read(kind: str, *, is_read: bool) -> None:
    """A file that a person sent was read, or could not be."""
    _ATTACHMENTS.labels(kind, "read" if is_read else "unread").inc()


def alerted(kind: str) -> None:
    """The owner was told."""
    _ALERTS.labels(kind).inc()


def turned_away(reason: str) -> None:
    """A connection or request at a listener ended before anybody was let in: crowd, slow or rate."""
    _TURNED_AWAY.labels(reason).inc()


def failure_told(channel: str, manner: str) -> None:
    """There was no answer, and people were told so in that manner."""
    _FAILURES_TOLD.labels(channel, manner).inc()


def turn_stuck(channel: str, stage: str) -> None:
    """Nothing of a turn moved for too long."""
    _STUCK.labels(channel, stage).inc()


def connection_rebuilt(channel: str) -> None:
    """An account was silent for too long and is run anew."""
    _REBUILT.labels(channel).inc()
    _SIGNALS.labels(channel, "silent_connection").inc()


def late_call(channel: str, call: str) -> None:
    """An old connection of an account told something after a new one was made."""
    _LATE.labels(channel, call).inc()


def task_abandoned(what: str) -> None:
    """A task did not end when it was cancelled, and was left behind."""
    _ABANDONED.labels(what).inc()


def committed(seconds: float) -> None:
    """The store committed once."""
    _COMMIT_SECONDS.observe(seconds)


def loop_lag(seconds: float) -> None:
    """The loop came that late to a timer."""
    _LOOP_LAG.observe(max(seconds, 0.0))


def store_failed(reason: str) -> None:
    """A write could not be done; `reason` as in StoreError."""
    _STORE_FAILURES.labels(reason).inc()


def loop_failed() -> None:
    """An error reached the event loop itself."""
    _LOOP_ERRORS.inc()


def clock_set() -> None:
    """The wall clock went another way than time did."""
    _CLOCK_SETS.inc()


def log_line_lost() -> None:
    """A line could not be written to the log's file."""
    _LOST_LINES.inc()


def settings_read(outcome: str) -> None:
    """The settings were read anew: taken or refused."""
    _SETTINGS_READ.labels(outcome).inc()


def mended(what: str) -> None:
    """Something of ours was gone and is there again; `what` is a code out of our own code."""
    _MENDED.labels(what).inc()


def watch_tasks(count: Callable[[], float]) -> None:
    """Read the number of tasks whenever somebody looks."""
    _TASKS.set_function(count)


def watch_store(size: Callable[[], float]) -> None:
    """Read the store's bytes whenever somebody looks."""
    _STORE_BYTES.set_function(size)


def watch_queue(queue: str, size: Callable[[], float]) -> None:
    """Read the size of a queue whenever somebody looks; costs nothing in between."""
    _QUEUED.labels(queue).set_function(size)


def watch_running(count: Callable[[], float]) -> None:
    """Read the number of running turns whenever somebody looks."""
    _RUNNING.set_function(count)


def count_signal(channel: str, name: str, value: float = 1.0) -> None:
    """Count what an adapter saw; a name outside SIGNALS counts as "other". Negative values count as nothing."""
    _SIGNALS.labels(channel, name if name in SIGNALS else OTHER).inc(max(value, 0.0))
    if name == "rate_limited":
        _RATE_LIMITS.labels("channel", channel).inc(max(value, 0.0))


def channel_online(channel: str, account: str, *, is_online: bool) -> None:
    """The account is connected, or not."""
    _ONLINE.labels(channel, account).set(1.0 if is_online else 0.0)


def started(version: str) -> None:
    """The process runs this version."""
    _BUILD.labels(version).set(1)


def exposition() -> bytes:
    """Everything, in Prometheus's text format. Takes a few milliseconds."""
    return generate_latest(REGISTRY)


def names() -> dict[str, str]:
    """Every metric of ours with its meaning, for the guide and its test."""
    own = (each for each in REGISTRY.collect() if each.name.startswith("firstword_"))
    return {f"{each.name}_total" if each.type == "counter" else each.name: each.documentation for each in own}
