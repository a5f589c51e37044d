"""What answers bring about beside being read: nobody is called, nothing is fetched, no markup is broken."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.prompt import speaker_name
from channels.discord.text import clean_name as discord_name
from channels.markup import clean
from channels.matrix.text import clean_name as matrix_name
from channels.slack.render import render as slack_render
from channels.slack.text import clean_name as slack_name
from channels.telegram.render import render as telegram_render
from channels.telegram.rich import render_rich
from channels.telegram.text import clean_name as telegram_name
from channels.telegram.text import is_visible
from tests.channels.discord.peer.client import start_peer as start_discord
from tests.channels.slack.peer import text as slack
from tests.channels.slack.peer.client import start_peer as start_slack
from tests.channels.telegram.peer.client import start_peer as start_telegram
from tests.channels.telegram.peer.text import stored
from tests.generated import generated
from tests.security import screens
from tests.security.attack import corpus

_BAIT = (
    "@everyone @here @room @channel @bob_smith <!channel> <!here> <!subteam^S12345> <@4711> <@&4712> <@U0PERSON01> "
    "![a](https://m.example/?d=1) [b](tg://user?id=1) [c](!channel) <https://m.example> || ` ``` ~~~ ** __ ~~ > - # | "
    "<img src=x> <b </b> &lt;!channel&gt; ]( ![ [ ] ( ) < > \\ \u202e \u200b \ud800 \x00 :smile: <t:1> <#C012345>"
).split(" ")
_TEXTS = (
    st.lists(st.sampled_from((*_BAIT, " ", "\n", "\n\n", "    ", "word")), max_size=40).map("".join)
    | st.text()
)
_INVISIBLE = re.compile("[\u200b-\u200f\u2060-\u2064\ufeff]")
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def _answers() -> list[str]:
    """Every text that a model of the corpus says, and the words of the attacks, which a model may repeat."""
    rows = corpus()
    said = [each["text"] for row in rows for each in row.emits if each.get("text")]
    return list(dict.fromkeys([*said, *(row.says for row in rows)]))


ANSWERS = [
    text.replace("{canary}", "https://canary.example").replace("{secret}", "s3") for text in _answers()
]


@pytest.mark.slow  # three fake platforms, each a process
async def test_no_answer_of_the_corpus_calls_anybody_or_makes_a_platform_fetch_anything(
    tmp_path: Path,
) -> None:
    found: dict[str, list[str]] = {}
    async with start_discord() as discord:
        found["discord"] = await screens.on_discord(discord, tmp_path, ANSWERS)
    async with start_slack() as peer:
        found["slack"] = await screens.on_slack(peer, tmp_path, ANSWERS)
    async with start_telegram() as telegram:
        found["telegram"] = await screens.on_telegram(telegram, tmp_path, ANSWERS)
    found["matrix"] = screens.on_matrix(ANSWERS)
    assert found == {name: [] for name in found}


@pytest.mark.parametrize(
    "cleaned",
    [discord_name, matrix_name, slack_name, telegram_name, speaker_name],
    ids=lambda each: each.__module__,
)
@generated
@given(name=_TEXTS)
def test_no_name_hides_anything_or_turns_what_follows_around(
    cleaned: Callable[[str], str], name: str
) -> None:
    shown = cleaned(name)
    assert not _HIDDEN.search(shown) and not _INVISIBLE.search(shown)
    assert "\n" not in shown and len(shown) <= 128


@generated
@given(_TEXTS)
def test_no_text_calls_anybody_on_slack_or_shows_a_picture(text: str) -> None:
    sent = slack_render(clean(text))
    assert slack.pings(sent) == []
    tokens = [each for block in MarkdownIt("commonmark").parse(sent) for each in block.children or ()]
    assert [each.attrs for each in tokens if each.type == "image"] == []


@generated
@given(_TEXTS)
def test_no_text_calls_anybody_in_a_telegram_group_and_the_server_takes_it(text: str) -> None:
    body, entities = telegram_render(text, calls_nobody=True)
    assert not _HIDDEN.search(body)
    if is_visible(body):  # else it is never sent
        kept, kept_entities = stored(body, entities, max_units=10**9, too_long="")
        assert (kept, kept_entities) == (body, entities)
    assert screens.called_on_telegram(body, entities) == []
    rich = render_rich(text, calls_nobody=True)
    assert rich is None or screens.embedded_on_telegram(rich.html) == []


@generated
@given(_TEXTS)
def test_no_text_mentions_anybody_or_embeds_anything_on_matrix(text: str) -> None:
    assert screens.on_matrix([text]) == []
