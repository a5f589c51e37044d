"""Metrics: counted under closed labels, told in Prometheus's text format."""

from __future__ import annotations

import re

from bot import metrics
from bot.record import report_attempt
from providers.base import ModelSpec, Usage
from providers.errors import ErrorKind
from routing.execute import Attempt
from routing.policy import Rung


def sample(name: str, /, **labels: str) -> float:
    """The value of one sample, 0 when there is none."""
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


def test_an_event_is_counted_by_channel_and_kind() -> None:
    before = sample("firstword_events_accepted_total", channel="here", kind="message")
    metrics.event_accepted("here", "message")
    assert sample("firstword_events_accepted_total", channel="here", kind="message") == before + 1


def test_an_attempt_is_counted_with_its_error_s_kind() -> None:
    labels = {"provider": "p", "outcome": "failed", "kind": "rate_limit"}
    before = sample("firstword_provider_attempts_total", **labels)
    metrics.attempt_finished("p", "m", "failed", ErrorKind.RATE_LIMIT, None, None)
    assert sample("firstword_provider_attempts_total", **labels) == before + 1
    assert sample("firstword_ttft_seconds_count", provider="p", model="m") == 0


def test_a_whole_answer_is_measured() -> None:
    metrics.attempt_finished("p2", "m2", "done", None, 0.25, 80.0)
    assert sample("firstword_ttft_seconds_sum", provider="p2", model="m2") == 0.25
    assert sample("firstword_generation_tokens_per_second_sum", provider="p2", model="m2") == 80.0


def test_a_queue_is_measured_where_the_provider_tells_it() -> None:
    rung = Rung(ModelSpec("p3", "m3"))
    for usage in (None, Usage(3, 2), Usage(3, 2, queued=0.25)):
        report_attempt(Attempt(rung, 1, 1.0, usage=usage))
    assert sample("firstword_provider_queue_seconds_count", provider="p3", model="m3") == 1
    assert sample("firstword_provider_queue_seconds_sum", provider="p3", model="m3") == 0.25


def test_an_unknown_signal_goes_into_the_other_bucket() -> None:
    before = sample("firstword_signals_total", channel="here", signal="other")
    metrics.count_signal("here", "made up by a plug-in")
    assert sample("firstword_signals_total", channel="here", signal="other") == before + 1


def test_a_signal_never_counts_backwards() -> None:
    before = sample("firstword_signals_total", channel="here", signal="reconnected")
    metrics.count_signal("here", "reconnected", -5)
    assert sample("firstword_signals_total", channel="here", signal="reconnected") == before


def test_models_without_end_do_not_make_labels_without_end() -> None:
    for number in range(metrics.MAX_LABEL_VALUES * 2):
        metrics.attempt_finished("endless", f"model-{number}", "done", None, 0.1, None)
    models = {
        found.labels["model"]
        for family in metrics.REGISTRY.collect()
        if family.name == "firstword_ttft_seconds"
        for found in family.samples
    }
    assert len(models) <= metrics.MAX_LABEL_VALUES + 1
    assert metrics.OTHER in models


def test_an_account_s_state_is_a_gauge() -> None:
    metrics.channel_online("here", "main", is_online=True)
    assert sample("firstword_channel_online", channel="here", account="main") == 1
    metrics.channel_online("here", "main", is_online=False)
    assert sample("firstword_channel_online", channel="here", account="main") == 0


def test_a_queue_is_read_when_somebody_looks() -> None:
    sizes = iter((3.0, 5.0))
    metrics.watch_queue("tried", lambda: next(sizes))
    assert sample("firstword_queue_messages", queue="tried") == 3.0
    assert sample("firstword_queue_messages", queue="tried") == 5.0
    metrics.watch_queue("tried", lambda: 0.0)


def test_every_name_carries_its_unit() -> None:
    units = {"total", "seconds", "second", "messages", "running", "online", "info", "usd", "bytes", "tasks"}
    assert [name for name in metrics.names() if name.rpartition("_")[2] not in units] == []


def test_the_exposition_is_prometheus_text() -> None:
    metrics.started("0.0.0")
    text = metrics.exposition().decode()
    assert 'firstword_build_info{version="0.0.0"} 1.0' in text
    assert re.search(r"^process_resident_memory_bytes ", text, re.MULTILINE)
    assert metrics.CONTENT_TYPE.startswith("text/plain")


def test_a_channel_that_asks_us_to_wait_counts_beside_the_providers() -> None:
    labels = {"side": "channel", "name": "here"}
    before = sample("firstword_rate_limits_total", **labels)
    metrics.count_signal("here", "rate_limited")
    assert sample("firstword_rate_limits_total", **labels) == before + 1
