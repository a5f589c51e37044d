"""Of the askers: what is compared with what, what the tables say of it, and that every one of them asks."""

from __future__ import annotations

import pytest

from tests.bench import provider_table
from tests.bench.askers import BY_KEY, CLIENTS
from tests.bench.providers import Rounds, figures
from tests.bench.rows import MB


def rounds(first: float, cpu: float, slow: float = 0.0) -> Rounds:
    """Two rounds of an asker; in the second everything takes `slow` seconds longer."""
    return Rounds(
        alone=[[first] * 5, [first + slow] * 5],
        together=[[2 * first] * 5, [2 * (first + slow)] * 5],
        cpu_alone=[cpu] * 2,
        cpu=[cpu, cpu + slow],
        waited=[0.0] * 2,
        base=10 * MB,
        peak=35 * MB,
    )


def test_an_asker_is_compared_with_bare_httpx_of_its_own_dialect_in_the_same_round() -> None:
    found = figures(
        {
            "messages_httpx": rounds(0.002, 0.004, slow=0.1),
            "messages_pool": rounds(0.001, 0.001, slow=0.1),
            "chat_httpx": rounds(0.5, 0.5),
            "anthropic_http": rounds(0.003, 0.002, slow=0.1),
        }
    )
    assert found["providers.anthropic_http.alone.over"] == pytest.approx(1.0)
    assert found["providers.anthropic_http.cpu.library"] == pytest.approx((0.5 + 0.102 / 0.104) / 2)
    assert found["providers.anthropic_http.cpu.pool"] == pytest.approx((2.0 + 0.102 / 0.101) / 2)
    assert found["providers.anthropic_http.memory"] == 25
    assert "providers.messages_httpx.alone.over" not in found


def test_every_provider_with_a_connection_has_both_bare_askers_beside_it() -> None:
    for client in CLIENTS:
        bare = {other.bare for other in CLIENTS if other.family == client.family and other.bare}
        assert bare == {"library", "pool"} if client.kind else "pool" not in bare
    assert len(BY_KEY) == len(CLIENTS)


def line(text: str, words: str) -> str:
    [found] = [one for one in text.splitlines() if words in one]
    return " ".join(found.split())


def test_the_table_says_which_aim_is_reached_and_who_misses_it() -> None:
    found = {
        "providers.load.least": 0.5,
        "providers.load.most": 2.0,
        "providers.chat_httpx.alone.p50": 1.0,
        "providers.openai.alone.p50": 2.0,
        "providers.openai.alone.over": 1.0,
        "providers.openai.many.p99": 140.0,
        "providers.gemini.alone.p50": 2.0,
        "providers.gemini.alone.over": 1.5,
        "providers.gemini.many.p99": 60.0,
    }
    text = provider_table.tables(found)
    assert line(text, "1 stream p50").startswith("met")
    assert line(text, "1 stream p50").endswith("at most gemini 1.50")
    assert line(text, "32 streams p99").startswith("MISS")
    assert line(text, "32 streams p99").endswith("openai_compatible 140.00")
    assert line(text, "CPU over bare httpx").startswith("not measured")
    assert "load meanwhile 0.5 to 2.0" in text


@pytest.mark.parametrize(("waited", "is_said"), [(0.1, False), (2.0, True)])
def test_the_table_says_when_other_work_took_the_core(waited: float, is_said: bool) -> None:
    found = {"providers.load.least": 0.5, "providers.load.most": 6.0, "providers.openai.waited": waited}
    assert ("without the core for up to 64 ms" in provider_table.tables(found)) is is_said


def test_nothing_is_shown_of_rows_that_were_not_run() -> None:
    assert not provider_table.tables({"serial.inbound.p50": 1.0})


def test_the_table_of_open_streams_tells_what_they_do_to_the_next_request() -> None:
    found = {"streams1000.open": 1000.0, "streams1000.openai.none.p50": 1.0, "streams1000.openai.ratio": 1.02}
    text = provider_table.tables(found)
    assert line(text, "open streams do not").startswith("met")
    assert "1,000 open streams" in text
