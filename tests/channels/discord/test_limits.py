"""What Discord takes, as its answers tell it: the declared budgets are never more than a bucket has."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.capabilities import LatencyClass, Operation, SendKey, Streaming, Surface
from channels.discord.buckets import LIMIT, MARGIN, WINDOW, Buckets
from channels.discord.handles import TOKEN_LIFE, Interaction, for_interaction
from channels.discord.limits import Offers, hook_scope, scope
from channels.discord.problems import problem
from channels.discord.sequence import Progress, Seen, dump_session, load_session
from channels.discord.session import Session
from channels.discord.settings import DiscordSettings
from channels.discord.starts import MOST, WITHIN, Lanes, Starts
from channels.discord.timing import resume_pause
from channels.errors import Gone, GoneWhat, NotAuthorized, RateLimited, Refused, TooLong, Unavailable
from channels.events import Address, ConversationKey
from channels.pacing import Budgets, EditPacer, Priority

TOKEN = "MTAwMDAwMDAwMDAwMDAwMDAx.GabcdE." + "x" * 38
SETTINGS = DiscordSettings.model_validate({"token": TOKEN})
DM = Address(ConversationKey("discord", "main", "300000000000000003"), Surface.DIRECT)
WALL = 1_795_000_000.0


def headers(remaining: int, after: float, limit: int = 5) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset-After": str(after),
    }


def test_a_bucket_without_rest_refuses_before_anything_is_sent() -> None:
    buckets = Buckets()
    assert [buckets.begin("edit:1", 100.0) for _ in range(LIMIT)] == [0.0] * LIMIT
    assert buckets.begin("edit:1", 101.0) == pytest.approx(WINDOW - 1.0)
    assert buckets.begin("edit:2", 101.0) == 0.0
    for _ in range(LIMIT):
        buckets.lost("edit:1")
    assert buckets.begin("edit:1", 100.0 + WINDOW) == 0.0


def test_what_an_answer_tells_goes_before_what_was_assumed() -> None:
    buckets = Buckets()
    buckets.begin("edit:1", 0.0)
    buckets.told("edit:1", headers(29, 60.0, limit=30), 0.1)
    left = buckets.left("edit:1", 0.1)
    assert (left.remaining, left.limit, left.window) == (29, 30, 60.0)
    assert left.seconds == pytest.approx(60.0 + MARGIN)


def test_an_answer_that_was_overtaken_gives_nothing_back() -> None:
    buckets = Buckets()
    for _ in range(3):
        buckets.begin("edit:1", 0.0)
    buckets.told("edit:1", headers(4, 5.0), 0.1)
    assert buckets.left("edit:1", 0.1).remaining == 2


@pytest.mark.parametrize("odd", [{}, {"X-RateLimit-Limit": "x"}, headers(1, -1.0), headers(1, float("nan"))])
def test_odd_headers_change_nothing(odd: dict[str, str]) -> None:
    buckets = Buckets()
    buckets.told("edit:1", odd, 0.0)
    assert buckets.left("edit:1", 0.0).remaining == LIMIT


def test_a_global_refusal_closes_every_bucket() -> None:
    buckets = Buckets()
    buckets.refused("edit:1", 2.0, 0.0, is_global=True)
    assert buckets.begin("send:9", 0.5) == pytest.approx(1.5)


@given(
    limit=st.integers(2, 30),
    window=st.floats(0.5, 20.0),
    delay=st.floats(0.0, 0.4),
    length=st.floats(1.0, 60.0),
)
def test_delivery_never_believes_to_have_more_than_the_window_holds(
    limit: int, window: float, delay: float, length: float
) -> None:
    """Edits as fast as delivery allows, then the final, against a server whose window opens with its first request."""
    buckets, budgets, pacer = Buckets(), Budgets(), EditPacer()
    offers = Offers(SETTINGS, buckets)
    name = scope(DM, Operation.EDIT)
    ends, used, now, edits = 0.0, 0, 1000.0, 0
    # What the bucket holds is not known before its first answer; that one tells.
    buckets.told(name, headers(limit - 1, window, limit), now - 100.0)
    declared = offers.at(DM, now).budgets
    budgets.join(declared, now)
    until = now + length

    def request() -> None:
        nonlocal ends, used, now, edits
        assert buckets.begin(name, now) == 0.0
        arrives = now + delay / 2
        if arrives >= ends:
            ends, used = arrives + window, 0
        used += 1
        assert used <= limit
        now += delay
        buckets.told(name, headers(limit - used, max(0.0, ends - arrives), limit), now)

    while now < until:
        declared = offers.at(DM, now).budgets
        wait = pacer.wait(budgets, declared, Operation.EDIT, Priority.EDIT, now)
        if wait <= 0:
            pacer.wrote(budgets, declared, Operation.EDIT, now)
            request()
            edits += 1
        now += max(wait, 0.001)
    declared = offers.at(DM, now).budgets
    # The final is never kept waiting by the edits before it.
    assert pacer.wait(budgets, declared, Operation.EDIT, Priority.FINAL, now) == 0.0
    request()
    assert edits >= 1


def test_the_surfaces_have_their_classes() -> None:
    offers = Offers(SETTINGS, Buckets())
    way = Interaction("1", "2", "t", WALL + TOKEN_LIFE)
    command = replace(DM, surface=Surface.COMMAND, handle=for_interaction(way))
    assert offers.at(command, 0.0, way).latency is LatencyClass.SYNC
    assert offers.at(DM, 0.0).latency is LatencyClass.SEMI_SYNC
    assert offers.at(DM, 0.0).send_key is SendKey.KEY


def test_an_answer_to_a_command_draws_on_its_own_bucket_while_the_token_lasts() -> None:
    offers = Offers(SETTINGS, Buckets())
    way = Interaction("1", "2", "t", WALL + TOKEN_LIFE)
    command = replace(DM, surface=Surface.COMMAND, handle=for_interaction(way))
    fresh = offers.at(command, 0.0, way)
    assert {budget.scope for budget in fresh.budgets} == {hook_scope("2")}
    assert fresh.typing_ttl is None
    late = offers.at(command, 0.0)
    assert scope(DM, Operation.SEND) in {budget.scope for budget in late.budgets}
    assert late.typing_ttl == 10.0


def test_settings_switch_streaming_and_buttons_off() -> None:
    plain = SETTINGS.model_copy(update={"stream": False, "buttons": False})
    offers = Offers(plain, Buckets()).at(DM, 0.0)
    assert offers.streaming is Streaming.NONE
    assert not offers.buttons


# -- answers that are no success


@pytest.mark.parametrize(
    ("status", "body", "wanted"),
    [
        (401, {"code": 0, "message": "401: Unauthorized"}, NotAuthorized),
        (403, {"code": 50001}, (GoneWhat.CONVERSATION, Gone)),
        (403, {"code": 50007}, (GoneWhat.CONVERSATION, Gone)),
        (404, {"code": 10003}, (GoneWhat.CONVERSATION, Gone)),
        (404, {"code": 10008}, (GoneWhat.MESSAGE, Gone)),
        (403, {"code": 50013}, ("missing_permission", Refused)),
        (404, {"code": 10062}, ("interaction_over", Refused)),
        (401, {"code": 50027}, ("interaction_over", Refused)),
        (400, {"code": 50006}, ("empty_text", Refused)),
        (
            400,
            {"code": 50035, "errors": {"content": {"_errors": [{"code": "BASE_TYPE_MAX_LENGTH"}]}}},
            TooLong,
        ),
        (400, {"code": 50035, "errors": {"components": {}}}, ("bad_request", Refused)),
        (413, {"code": 40005}, TooLong),
        (502, None, Unavailable),
        (403, None, Unavailable),
        (429, {"retry_after": 1.5, "global": False}, RateLimited),
    ],
)
def test_an_answer_says_what_to_do_next(status: int, body: object, wanted: object) -> None:
    error = problem(status, body, {}, scope="send:1")
    if isinstance(wanted, tuple):
        assert isinstance(error, wanted[1])
        assert wanted[0] in (getattr(error, "what", None), getattr(error, "code", None))
    else:
        assert isinstance(wanted, type)
        assert isinstance(error, wanted)


def test_a_refusal_at_the_edge_is_waited_out_as_its_header_says() -> None:
    error = problem(429, None, {"Retry-After": "17"}, scope="send:1")
    assert isinstance(error, RateLimited)
    assert (error.retry_after, error.scope) == (17.0, "token")


def test_a_server_error_may_have_had_its_effect_and_the_edge_never() -> None:
    server, edge = problem(500, {"code": 0}, {}), problem(403, None, {})
    assert isinstance(server, Unavailable)
    assert isinstance(edge, Unavailable)
    assert (server.maybe_sent, edge.maybe_sent) == (True, False)


# -- what is kept


@given(st.permutations(range(1, 12)))
def test_what_is_confirmed_has_no_gap(order: list[int]) -> None:
    progress = Progress("s", 0)
    for seq in range(1, 12):
        progress.begin(seq)
    ended: set[int] = set()
    for seq in order:
        progress.end(seq)
        ended.add(seq)
        assert progress.confirmed == max(n for n in range(12) if set(range(1, n + 1)) <= ended)


def test_what_was_seen_is_kept_in_bounds_and_reads_back() -> None:
    seen = Seen(2)
    for channel, message in (("1", "10"), ("2", "20"), ("1", "9"), ("3", "30")):
        seen.note(channel, message, "7")
    assert seen.latest(9) == [("3", "30", "7"), ("2", "20", "7")]
    assert Seen(2, seen.stored()).latest(1) == [("3", "30", "7")]


@pytest.mark.parametrize("stored", [None, "", "x", "{}", "[1]", '[["a","b","c"]]', "[[1,2]]"])
def test_a_cursor_that_cannot_be_read_is_none(stored: str | None) -> None:
    assert Seen(5, stored).latest(5) == []
    assert load_session(stored, 10.0, 100.0) is None


def test_a_session_is_kept_for_a_while() -> None:
    session = Session("abc", 7, "wss://resume.example")
    assert load_session(dump_session(session, 100.0), 150.0, 60.0) == session
    assert load_session(dump_session(session, 100.0), 200.0, 60.0) is None


def test_a_crash_loop_stays_below_a_days_session_starts() -> None:
    starts, now, count = Starts(None), 0.0, 0
    while now < 86_400.0:
        wait = starts.wait(now)
        now += wait
        starts = Starts(starts.dump())  # a new process each time
        starts.note(now)
        count += 1
        now += 1.0
    assert count < 1000
    assert MOST / WITHIN * 86_400 <= 1000


def test_a_connection_that_keeps_ending_young_is_made_again_less_and_less_soon() -> None:
    pauses = [resume_pause(lives, 0.5, 5.0, chance=0.5) for lives in range(7)]
    assert pauses == [0.0, 0.0, 0.5, 1.0, 2.0, 4.0, 5.0]


def test_shards_of_one_lane_identify_one_after_the_other() -> None:
    lanes = Lanes(2, 5.0)
    assert [lanes.book(shard, 0.0) for shard in range(4)] == [0.0, 0.0, 5.0, 5.0]
    assert lanes.book(0, 100.0) == 0.0
