"""What a request becomes for a model in this process. Needs no mlx."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import CompletionRequest, GenerationOptions, PromptMessage, Role, ToolCall
from providers.errors import ErrorKind, ProviderError
from providers.mlx_prompt import (
    Sampling,
    StopFinder,
    chat_of,
    folded,
    sampling_of,
    stable_probes,
    stops_of,
    transcript,
)

SYSTEM, ASKED, SAID = (
    PromptMessage(Role.SYSTEM, "Be brief."),
    PromptMessage(Role.USER, "How old?"),
    PromptMessage(Role.ASSISTANT, "Nine."),
)


def test_messages_become_roles_and_contents() -> None:
    assert chat_of((SYSTEM, ASKED, SAID)) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "How old?"},
        {"role": "assistant", "content": "Nine."},
    ]


def test_a_call_and_its_result_are_told_in_words() -> None:
    call = PromptMessage(Role.ASSISTANT, "", calls=(ToolCall("c1", "weather", '{"city": "Oslo"}'),))
    result = PromptMessage(Role.TOOL, "rain", call_id="c1")
    assert [each["content"] for each in chat_of((call, result))] == [
        'weather({"city": "Oslo"})',
        "Result of c1:\nrain",
    ]


def test_a_template_without_a_system_gets_it_before_the_first_question() -> None:
    assert folded(chat_of((SYSTEM, ASKED, ASKED, SAID))) == [
        {"role": "user", "content": "Be brief.\n\nHow old?\n\nHow old?"},
        {"role": "assistant", "content": "Nine."},
    ]
    assert folded(chat_of((SYSTEM, SAID)))[0] == {"role": "user", "content": "Be brief."}


def test_a_model_without_a_template_gets_a_transcript() -> None:
    chat = chat_of((ASKED,))
    assert transcript(chat, continues=False) == "User: How old?\n\nAssistant:"
    assert transcript(chat_of((ASKED, SAID)), continues=True) == "User: How old?\n\nAssistant: Nine."


def test_only_stable_messages_are_read_ahead() -> None:
    request = CompletionRequest((SYSTEM, ASKED, SAID), stable=1)
    probes = stable_probes(request)
    assert probes is not None
    assert [each[0] for each in probes] == [{"role": "system", "content": "Be brief."}] * 2
    assert probes[0] != probes[1]
    assert stable_probes(CompletionRequest((ASKED,))) is None


def test_the_request_stands_over_the_settings_and_they_over_the_model() -> None:
    published = {"do_sample": True, "temperature": 0.6, "top_p": 0.9, "top_k": 20}
    assert sampling_of(GenerationOptions(), {}, published) == Sampling(0.6, 0.9, 20)
    assert sampling_of(GenerationOptions(), {"top_p": 0.5}, published) == Sampling(0.6, 0.5, 20)
    asked = GenerationOptions(temperature=0.0, params={"min_p": 0.1, "repetition_penalty": 1.1})
    assert sampling_of(asked, {"temperature": 1}, {}) == Sampling(0.0, min_p=0.1, repetition_penalty=1.1)
    assert sampling_of(GenerationOptions(), {}, {"temperature": 0.6}) == Sampling()


@pytest.mark.parametrize(
    "params",
    [{"top_p": 1.5}, {"temperature": -1}, {"top_k": "many"}, {"min_p": True}, {"repetition_penalty": [1]}],
)
def test_a_parameter_that_makes_no_sense_is_named(params: dict[str, object]) -> None:
    with pytest.raises(ProviderError, match=next(iter(params))) as caught:
        sampling_of(GenerationOptions(params=params), {}, {})
    assert caught.value.kind is ErrorKind.BAD_REQUEST


def test_stops_are_a_text_or_texts() -> None:
    assert stops_of(GenerationOptions(params={"stop": "END"}), {}) == ("END",)
    assert stops_of(GenerationOptions(), {"stop": ["a", "", "b"]}) == ("a", "b")
    assert stops_of(GenerationOptions(), {}) == ()
    for wrong in (3, ["a"] * 17, [1]):
        with pytest.raises(ProviderError, match="stop is a text"):
            stops_of(GenerationOptions(params={"stop": wrong}), {})


def cut(text: str, stops: tuple[str, ...], sizes: list[int]) -> str:
    finder, said, at = StopFinder(stops), "", 0
    for size in sizes:
        said += finder.feed(text[at : at + size])
        at += size
    said += finder.feed(text[at:])
    return said + ("" if finder.found else finder.close())


@given(
    st.text("abN\n", max_size=30),
    st.lists(st.text("abN\n", min_size=1, max_size=4), max_size=3).map(tuple),
    st.lists(st.integers(1, 5), max_size=30),
)
def test_a_stop_is_found_wherever_it_is_cut(text: str, stops: tuple[str, ...], sizes: list[int]) -> None:
    """Up to the stop that is whole first; what only looked like one is said."""
    ends = [at + len(stop) for stop in stops if (at := text.find(stop)) >= 0]
    said = cut(text, stops, sizes)
    assert text.startswith(said)
    if not ends:
        assert said == text
    else:
        assert len(said) < min(ends)
        assert any(text[len(said) :].startswith(stop) for stop in stops)
