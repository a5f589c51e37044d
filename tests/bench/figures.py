"""The table's rows: what is measured, in which unit, what it must be and what it should become."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `must` and `aim` None: shown without a bar. `more_is_better`: a throughput."""

    key: str
    title: str
    unit: str
    must: float | None = None
    aim: float | None = None
    more_is_better: bool = False
    digits: int = 2


def _ground(key: str, title: str, must: float, aim: float) -> tuple[Line, ...]:
    """The lines of one kind of place at one channel.

    `must` and `aim`: those of the pacer's row whose burst / (rate x 4 s) is about the same, as that says how much of
    an answer of median length the burst alone could show.
    """
    return (
        Line(f"{key}.n", f"{title}: answers", "", digits=0),
        Line(f"{key}.r", f"{title}: the binding budget's r", "1/s"),
        Line(f"{key}.b", f"{title}: the binding budget's b", "", digits=0),
        Line(f"{key}.bound", f"{title}: L*, the least staleness there is", "s"),
        Line(f"{key}.seen", f"{title}: mean staleness as a person sees it", "s"),
        Line(f"{key}.over", f"{title}: mean staleness as written, over L*", "x", must, aim),
        Line(f"{key}.platform", f"{title}: over that of the platform's own limits", "x"),
        Line(f"{key}.calls", f"{title}: writes of text an answer", "", digits=1),
        Line(f"{key}.most", f"{title}: writes that L* spends", "", digits=1),
        Line(f"{key}.other", f"{title}: other calls (typing, receipts)", "", digits=1),
        Line(f"{key}.first.p50", f"{title}: first token to first text p50", "ms", digits=1),
        Line(f"{key}.first.p99", f"{title}: first token to first text p99", "ms", digits=1),
        Line(f"{key}.tail.p50", f"{title}: last token to complete text p50", "ms", digits=1),
        Line(f"{key}.tail.p99", f"{title}: last token to complete text p99", "ms", digits=1),
        Line(f"{key}.reached.p99", f"{title}: last token to the write's arrival p99", "ms", 50, 50, digits=1),
        Line(f"{key}.refused", f"{title}: answers 429", "", 0, 0, digits=0),
        Line(f"{key}.lost", f"{title}: lost", "", 0, 0, digits=0),
    )


def _part(key: str, title: str) -> tuple[Line, ...]:
    """One channel's share in a row that measures several."""
    return tuple(
        Line(f"{key}.{name}.p99", f"{title}: {name} p99", "ms") for name in ("inbound", "tail", "added")
    )


def _router(key: str, title: str, must: float, aim: float) -> tuple[Line, ...]:
    """How well prompts are ranked. CPT and calibration have bars for the models that were learnt from, no others."""
    is_judged = key == "routing.exam"
    half = (31, 28) if is_judged else (None, None)
    most = (63, 58) if is_judged else (None, None)
    off = (0.05, 0.03) if is_judged else (None, None)
    return (
        Line(f"{key}.apgr", f"{title}: APGR", "", must, aim, more_is_better=True, digits=3),
        Line(f"{key}.low", f"{title}: APGR, 95 % of draws above", "", digits=3),
        Line(f"{key}.high", f"{title}: APGR, 95 % of draws below", "", digits=3),
        Line(f"{key}.random", f"{title}: APGR of chance", "", digits=3),
        Line(f"{key}.length", f"{title}: APGR of the length alone", "", digits=3),
        Line(f"{key}.rules", f"{title}: APGR of the rules of thumb alone", "", digits=3),
        Line(f"{key}.cpt50", f"{title}: strong calls for half of the gap", "%", half[0], half[1], digits=1),
        Line(f"{key}.cpt80", f"{title}: strong calls for 80 % of it", "%", most[0], most[1], digits=1),
        Line(f"{key}.auc", f"{title}: AUC", "", digits=3),
        Line(f"{key}.off", f"{title}: expected gain off by", "", off[0], off[1], digits=3),
    )


LINES = (
    Line("start.ready", "start to ready (Telegram, web)", "s", 2.5, 1.0),
    Line("start.first", "first message after ready, offered to complete", "ms", 100, 30, digits=1),
    Line("start.memory", "idle memory", "MB", 110, 70, digits=0),
    Line("start.cpu", "idle CPU", "%", 0.5, 0.1),
    Line("serial.inbound.p50", "inbound p50", "ms", 4, 1.5),
    Line("serial.inbound.p99", "inbound p99", "ms", 8, 4),
    Line("serial.first.p50", "first p50", "ms"),
    Line("serial.first.p99", "first p99", "ms"),
    Line("serial.tail.p50", "tail p50", "ms"),
    Line("serial.tail.p99", "tail p99", "ms"),
    Line("serial.added.p50", "added p50", "ms", 10, 3),
    Line("serial.added.p99", "added p99", "ms", 20, 6),
    Line("serial.cpu", "CPU a streamed message of 50 tokens", "ms", 6, 1.5),
    Line("serial.calls", "calls a message to the channel", ""),
    Line("serial.waited", "its threads' waiting for a busy core, a message", "ms"),
    Line("throughput.rate", "messages/s a core, 32 at once", "1/s", 150, 600, more_is_better=True, digits=0),
    Line("throughput.capacity", "messages a CPU second, 32 at once", "1/s", more_is_better=True, digits=0),
    Line("throughput.lost", "lost of them", "", 0, 0, digits=0),
    Line("open.added.p50", "80 msg/s, 50 tokens at 20 ms: added p50", "ms"),
    Line("open.added.p99", "80 msg/s, 50 tokens at 20 ms: added p99", "ms", 50, 50),
    Line("open.cpu", "80 msg/s, 50 tokens at 20 ms: CPU a message", "ms", 10, 3),
    Line("open.calls", "80 msg/s, 50 tokens at 20 ms: calls a message", ""),
    Line("open.lost", "lost of them", "", 0, 0, digits=0),
    Line("streams1k.peak", "1,000 streams: at once", "", digits=0),
    Line("streams1k.added.p50", "1,000 streams: added p50", "ms"),
    Line("streams1k.added.p99", "1,000 streams: added p99", "ms", 50, 15),
    Line("streams1k.share", "1,000 streams: share of a core", "%", 60, 25, digits=0),
    Line("streams1k.lost", "1,000 streams: lost", "", 0, 0, digits=0),
    Line("streams1k.memory", "memory an active conversation", "KB", 60, 25, digits=1),
    Line("streams10k.peak", "10,000 streams: at once", "", digits=0),
    Line("streams10k.complete", "10,000 streams: complete", "%", 100, 100, more_is_better=True),
    Line("streams10k.lost", "10,000 streams: lost", "", 0, 0, digits=0),
    Line("streams10k.added.p50", "10,000 streams: added p50", "ms"),
    Line("streams10k.added.p99", "10,000 streams: added p99", "ms", None, 100),
    Line("streams10k.share", "10,000 streams: share of a core", "%", digits=0),
    Line("streams10k.memory", "10,000 streams: memory an active conversation", "KB", digits=1),
    Line("memory.idle", "memory an idle conversation", "KB", 4, 1, digits=1),
    Line("pacer.b1.bound", "pacer, r 1 b 1: L*, the least there is", "s"),
    Line("pacer.b1", "pacer, r 1 b 1: mean staleness over it", "x", 1.4, 1.25),
    Line("pacer.b2.bound", "pacer, r 1 b 2: L*, the least there is", "s"),
    Line("pacer.b2", "pacer, r 1 b 2: mean staleness over it", "x", 1.4, 1.25),
    Line("pacer.b3.bound", "pacer, r 1 b 3: L*, the least there is", "s"),
    Line("pacer.b3", "pacer, r 1 b 3: mean staleness over it", "x", 1.6, 1.4),
    Line("pacer.b5.bound", "pacer, r 1 b 5: L*, the least there is", "s"),
    Line("pacer.b5", "pacer, r 1 b 5: mean staleness over it", "x", 1.6, 1.4),
    Line("pacer.r05b4.bound", "pacer, r 0.5 b 4: L*, the least there is", "s"),
    Line("pacer.r05b4", "pacer, r 0.5 b 4: mean staleness over it", "x", 1.8, 1.6),
    Line("pacer.r033b5.bound", "pacer, r 0.33 b 5: L*, the least there is", "s"),
    Line("pacer.r033b5", "pacer, r 0.33 b 5: mean staleness over it", "x", 1.8, 1.6),
    Line("pacer.tail", "pacer, b >= 2: wait of the final p99", "ms", 50, 50),
    Line("pacer.refused", "pacer, real run with flood limits: answers 429", "", 0, 0, digits=0),
    Line("pacer.lost", "pacer, real run with flood limits: lost", "", 0, 0, digits=0),
    Line("pacer.real", "pacer, real run (limits of the fake): staleness over L*", "x"),
    *_ground("telegram.private", "Telegram, private chat (drafts)", 1.6, 1.4),
    *_ground("telegram.group", "Telegram, group (edits)", 1.8, 1.6),
    *_ground("discord.dm", "Discord, direct message", 1.6, 1.4),
    *_ground("discord.guild", "Discord, channel of a server", 1.6, 1.4),
    *_ground("slack.thread", "Slack, thread (its own stream)", 1.8, 1.6),
    *_ground("slack.inline", "Slack, channel without a thread (edits)", 1.6, 1.4),
    *_ground("matrix.usual", "Matrix, Synapse as it comes", 1.8, 1.6),
    *_ground("matrix.lifted", "Matrix, Synapse without limits, 2/s set", 1.6, 1.4),
    Line("mixed500.n", "500 streams in four channels: questions", "", digits=0),
    Line("mixed500.peak", "500 streams in four channels: at once", "", digits=0),
    Line("mixed500.inbound.p50", "500 streams in four channels: inbound p50", "ms"),
    Line("mixed500.inbound.p99", "500 streams in four channels: inbound p99", "ms", 50, 15),
    Line("mixed500.first.p50", "500 streams in four channels: first p50", "ms"),
    Line("mixed500.first.p99", "500 streams in four channels: first p99", "ms"),
    Line("mixed500.tail.p50", "500 streams in four channels: tail p50", "ms"),
    Line("mixed500.tail.p99", "500 streams in four channels: tail p99", "ms", 50, 15),
    Line("mixed500.added.p50", "500 streams in four channels: added p50", "ms"),
    Line("mixed500.added.p99", "500 streams in four channels: added p99", "ms", 50, 15),
    *_part("mixed500.telegram", "500 streams, those of Telegram"),
    *_part("mixed500.discord", "500 streams, those of Discord"),
    *_part("mixed500.slack", "500 streams, those of Slack"),
    *_part("mixed500.matrix", "500 streams, those of Matrix (a light server)"),
    Line("mixed500.calls", "500 streams in four channels: calls a question", "", digits=1),
    Line("mixed500.share", "500 streams in four channels: share of a core", "%", digits=0),
    Line("mixed500.waited", "500 streams in four channels: its waiting for a busy core", "%", digits=1),
    Line("mixed500.peers", "500 streams in four channels: the peers' core", "%", digits=0),
    Line("mixed500.rss", "500 streams in four channels: memory", "MB", 400, 200, digits=0),
    Line("mixed500.memory", "500 streams in four channels: memory a stream", "KB", digits=1),
    Line("mixed500.refused", "500 streams in four channels: answers 429", "", 0, 0, digits=0),
    Line("mixed500.lost", "500 streams in four channels: lost", "", 0, 0, digits=0),
    *_router("routing.exam", "router, examinations", 0.64, 0.67),
    *_router("routing.whole", "router, whole tasks left out", 0.78, 0.83),
    Line("routing.chat.p50", "router, what a chat message needs: CPU p50", "ms"),
    Line("routing.chat.p99", "router, what a chat message needs: CPU p99", "ms", 1.0, 0.2),
    Line("routing.hostile", "router, the worst of 100 kB of hostile text", "ms", 2.0, 2.0),
    Line("hedge.alone.p99", "a model with a tail, asked alone: first word p99", "ms", digits=0),
    Line("hedge.p50", "the same, another asked beside it: first word p50", "ms", digits=0),
    Line("hedge.p95", "the same, another asked beside it: first word p95", "ms", digits=0),
    Line("hedge.p99", "the same, another asked beside it: first word p99", "ms", 900, 900, digits=0),
    Line("hedge.extra", "the same: second requests", "%", 5.0, 5.0),
    Line("hedge.outage", "nobody answers: second requests", "%", 5.0, 5.0),
    Line("decision.p50", "a decision among ten models: CPU p50", "ms", 0.15, digits=3),
    Line("decision.p99", "a decision among ten models: CPU p99", "ms", 0.6, digits=3),
    Line("degradation.moved", "ten times slower: slow answers before traffic moves", "", 15, 10, digits=0),
    Line("sustained.n", "100 a second for minutes, 500 streams: messages", "", digits=0),
    Line("sustained.peak", "100 a second for minutes: streams at once", "", digits=0),
    Line("sustained.inbound.p50", "100 a second for minutes: inbound p50", "ms"),
    Line("sustained.tail.p50", "100 a second for minutes: tail p50", "ms"),
    Line("sustained.added.p50", "100 a second for minutes: our own latency p50", "ms", 5),
    Line("sustained.added.p99", "100 a second for minutes: our own latency p99", "ms", 50),
    Line("sustained.lag", "100 a second for minutes: loop lag p99", "ms", 20),
    Line("sustained.rss", "100 a second for minutes: most memory", "MB", 300, digits=0),
    Line("sustained.share", "100 a second for minutes: share of a core", "%", digits=0),
    Line("sustained.waited", "100 a second for minutes: its waiting for a busy core", "%", digits=1),
    Line("sustained.lost", "100 a second for minutes: lost", "", 0, digits=0),
    Line("durability.disk", "first word, the store on the disk: p50", "ms"),
    Line("durability.memory", "first word, the store in memory: p50", "ms"),
    Line("durability.costs", "what the disk costs of it: p50", "ms", 1),
    Line("recovery.n", "kill -9 while an answer grows: kills", "", digits=0),
    Line("recovery.ready", "kill -9: the next process is ready after p50", "s"),
    Line("recovery.p50", "kill -9: ready to the next visible edit p50", "ms", 1000, digits=0),
    Line("recovery.worst", "kill -9: ready to the next visible edit, the worst", "ms", 1000, digits=0),
    Line("recovery.lost", "kill -9: answers that did not become whole", "", 0, digits=0),
    Line("backlog.n", "a start with waiting messages: how many", "", digits=0),
    Line("backlog.ready", "a start with waiting messages: ready", "s", 2),
    Line("backlog.cpu", "a start with waiting messages: CPU until it is ready", "s"),
    Line("backlog.first", "a start with waiting messages: the model is asked", "s", 2),
    Line("degradation.back", "well again: requests before traffic is back", "", 150, 100, digits=0),
)
OWN_TABLES = ("providers", "streams1000")
"""Rows that compare many askers, each a line of a table of their own (provider_table.py)."""
ROWS = (*dict.fromkeys(line.key.partition(".")[0] for line in LINES), *OWN_TABLES)
GROUPS = {"channels": ("telegram", "discord", "slack", "matrix")}
"""Names that stand for several rows."""
