"""The fake Bot API server keeps the rules of rich messages, previews, presses and reactions that it documents."""

from __future__ import annotations

from typing import Any

import pytest

from tests.channels.telegram.peer.client import Peer
from tests.channels.telegram.raw import Raw

CHAT = 4711
GROUP = -1001234567890


def rich(html: str) -> dict[str, Any]:
    return {"rich_message": {"html": html}}


async def test_a_rich_message_comes_back_as_blocks(peer: Peer, raw: Raw) -> None:
    status, body = await raw(
        "sendRichMessage", chat_id=CHAT, **rich("<h2>T</h2><p>a<br><b>b</b> &amp; c</p>")
    )
    assert status == 200 and "text" not in body["result"]
    assert body["result"]["rich_message"]["blocks"] == [
        {"type": "heading", "text": "T", "size": 2},
        {"type": "paragraph", "text": ["a", "\n", {"type": "bold", "text": "b"}, " & c"]},
    ]
    assert await peer.texts(CHAT) == ["T\na\nb & c"]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        rich(""),
        rich("<p></p>"),
        {"rich_message": {"html": "<p>a</p>", "markdown": "a"}},
        rich("<script>a</script>"),
        rich("<p>a"),
        rich("<p>a</b></p>"),
        rich("<p>a&eacute;b</p>"),
        rich('<p><a href="javascript:x">a</a></p>'),
        rich("<p><ul><li>a</li></ul></p>"),
        rich("<table><tr><td><p>a</p></td></tr></table>"),
        rich("<tg-thinking>a</tg-thinking>"),
        rich("<p>" + "x" * 32_770 + "</p>"),
        rich("<p>a</p>" * 501),
        rich("<table><tr>" + "<td>a</td>" * 21 + "</tr></table>"),
        rich("<blockquote>" * 17 + "a" + "</blockquote>" * 17),
    ],
)
async def test_what_the_documentation_does_not_allow_is_refused(raw: Raw, wrong: dict[str, Any]) -> None:
    status, body = await raw("sendRichMessage", chat_id=CHAT, **wrong)
    assert status == 400 and body["description"].startswith("Bad Request: ")


async def test_an_edit_takes_text_or_a_rich_message_and_never_both(peer: Peer, raw: Raw) -> None:
    await peer.control("flood", limits={"enabled": False})
    _, sent = await raw("sendMessage", chat_id=CHAT, text="a")
    edit = {"chat_id": CHAT, "message_id": sent["result"]["message_id"]}
    assert (await raw("editMessageText", **edit, text="b", **rich("<p>b</p>")))[0] == 400
    assert (await raw("editMessageText", **edit))[0] == 400
    assert (await raw("editMessageText", **edit, **rich("<p>b</p>")))[0] == 200
    status, body = await raw("editMessageText", **edit, **rich("<p>b</p>"))
    assert status == 400 and "not modified" in body["description"]
    assert (await raw("editMessageText", **edit, text="b"))[0] == 200


async def test_an_older_server_knows_no_rich_messages(peer: Peer, raw: Raw) -> None:
    await peer.control("set_bot", has_rich=False)
    for method in ("sendRichMessage", "sendRichMessageDraft"):
        assert (await raw(method, chat_id=CHAT, draft_id=1, **rich("<p>a</p>")))[0] == 404
    _, sent = await raw("sendMessage", chat_id=CHAT, text="a")
    edit = {"chat_id": CHAT, "message_id": sent["result"]["message_id"], **rich("<p>b</p>")}
    status, body = await raw("editMessageText", **edit)
    assert status == 400 and body["description"] == "Bad Request: message text is empty"


async def test_a_rich_preview_is_for_private_chats_and_may_think(peer: Peer, raw: Raw) -> None:
    thinking = rich("<tg-thinking>Thinking</tg-thinking>")
    assert (await raw("sendRichMessageDraft", chat_id=CHAT, draft_id=1, **thinking))[0] == 200
    assert (await raw("sendRichMessageDraft", chat_id=CHAT, draft_id=0, **thinking))[0] == 400
    await peer.control("set_chat", chat=GROUP)
    assert (await raw("sendRichMessageDraft", chat_id=GROUP, draft_id=1, **thinking))[0] == 400


async def test_a_stopped_preview_grows_no_more(peer: Peer, raw: Raw) -> None:
    await raw("getUpdates", allowed_updates=["stopped_message_generation"])
    with pytest.raises(RuntimeError):
        await peer.control("stop_draft", chat=CHAT)
    await raw("sendMessageDraft", chat_id=CHAT, draft_id=7, text="without a button")
    with pytest.raises(RuntimeError):
        await peer.control("stop_draft", chat=CHAT)
    await raw("sendMessageDraft", chat_id=CHAT, draft_id=7, text="with a button", can_stop=True)
    await peer.control("stop_draft", chat=CHAT)
    await raw("sendMessageDraft", chat_id=CHAT, draft_id=7, text="with a button and more", can_stop=True)
    assert (await peer.chat(CHAT))["drafts"]["0"]["text"] == "with a button"
    _, body = await raw("getUpdates")
    [update] = body["result"]
    assert update["stopped_message_generation"]["draft_id"] == 7


async def test_reactions_in_a_group_come_to_administrators_that_asked_for_them(peer: Peer, raw: Raw) -> None:
    say = {"chat": GROUP, "message_id": 1, "user": 7, "new": ["👍"]}
    assert await peer.control("react", **say) == 0  # not asked for
    await raw("getUpdates", allowed_updates=["message_reaction"])
    assert await peer.control("react", **say) == 0  # no administrator
    await peer.control("set_chat", chat=GROUP, is_admin=True)
    assert await peer.control("react", **say) > 0
    assert await peer.control("react", chat=GROUP, message_id=1, actor=GROUP, new=[{"type": "paid"}]) > 0
    _, body = await raw("getUpdates")
    named, anonymous = (update["message_reaction"] for update in body["result"])
    assert named["user"]["id"] == 7 and "user" not in anonymous and anonymous["actor_chat"]["id"] == GROUP


async def test_a_press_can_be_answered_for_a_while_only(peer: Peer, raw: Raw) -> None:
    await peer.control("set_bot", press_life=0)
    press = await peer.press(CHAT, 1, "x")
    status, body = await raw("answerCallbackQuery", callback_query_id=press)
    assert status == 400 and "too old" in body["description"]


async def test_a_button_carries_up_to_64_bytes(raw: Raw) -> None:
    for data, wanted in (("x" * 64, 200), ("x" * 65, 400), ("", 400)):
        markup = {"inline_keyboard": [[{"text": "X", "callback_data": data}]]}
        status, _ = await raw("sendMessage", chat_id=CHAT, text=f"button {len(data)}", reply_markup=markup)
        assert status == wanted


async def test_a_cut_connection_is_cut_for_the_bot_alone(peer: Peer, raw: Raw) -> None:
    await raw("getMe")
    assert await peer.hang_up() >= 1
    assert (await peer.state())["counts"]["getme"] == 1
