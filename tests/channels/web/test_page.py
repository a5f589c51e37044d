"""The page in a real Chromium, as a person uses it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect
from pydantic import SecretStr

from channels.base import HistoryLine
from channels.events import AnswerNote, TypingStarted
from channels.web.parse import key_of
from channels.web.settings import WebSettings
from tests.channels.host import RecordingHost
from tests.channels.web.site import Site, open_site

pytestmark = pytest.mark.asyncio(loop_scope="session")

KEY = key_of("main", "conversation-1")
NOTE = AnswerNote("loopback/small", "short question", 0.182, 1840.4, 12, 300, 0.00042)
CODE = 'print("hello")\nprint("again")'
ANSWER = f"# Answer\n\nSome **bold** words.\n\n```python\n{CODE}\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |"


async def send(page: Page, text: str) -> None:
    await page.locator("#box").fill(text)
    await page.keyboard.press("Escape")  # closes what completion offers
    await page.locator("#box").press("Enter")


async def answer(site: Site, text: str = ANSWER, key: str = "key-1") -> str:
    """A whole streamed answer with its note."""
    address = site.address("conversation-1")
    stream = await site.channel.start_stream(address, text[:1], key)
    await site.channel.update_stream(address, stream, text[:40], None)
    await site.channel.finish_stream(address, stream, text, None, key)
    await site.channel.show_note(address, stream, NOTE)
    return stream


async def test_the_empty_page_explains_itself_and_how_to_connect_a_model(page: Page) -> None:
    await expect(page.locator("#empty h2")).to_be_visible()
    await expect(page.locator("#hint")).to_have_text("This is a stand-in. Connect a model.")
    await expect(page.locator("#picker .label")).to_have_text("Automatic")
    await expect(page.locator("#box")).to_be_focused()


async def test_a_message_is_sent_and_its_answer_grows_before_our_eyes(page: Page, site: Site) -> None:
    await send(page, "What is it?")
    [message] = await site.host.wait_for_messages(1)
    assert message.text == "What is it?" and message.address.key == KEY
    await expect(page.locator(".user .bubble")).to_have_text("What is it?")
    await expect(page.locator("#box")).to_have_value("")
    address = message.address
    await site.channel.typing(address, is_on=True)
    await expect(page.locator("#typing")).to_be_visible()
    stream = await site.channel.start_stream(address, "# Answer\n\nSome **bo", "key-1")
    await expect(page.locator("#typing")).to_be_hidden()
    await expect(page.locator(".growing .text h3")).to_have_text("Answer")
    await expect(page.locator(".growing .text strong")).to_have_text("bo")
    half = ANSWER[: ANSWER.index('lo")')]
    await site.channel.update_stream(address, stream, half, None)
    await expect(page.locator(".growing pre code")).to_have_text('print("hel')
    await site.channel.finish_stream(address, stream, ANSWER, None, "key-1")
    await expect(page.locator(".growing")).to_have_count(0)
    await expect(page.locator(".text table td")).to_have_text(["1", "2"])
    await site.channel.show_note(address, stream, NOTE)
    await expect(page.locator(".note")).to_have_text(
        "loopback/small · short question · first word 182 ms · 1,840 tokens/s · $0.00042"
    )
    assert await page.title() == "What is it? · Firstword"


async def test_code_and_answers_can_be_copied(page: Page, site: Site, context: BrowserContext) -> None:
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    await answer(site)
    await page.get_by_role("button", name="Copy", exact=True).click()
    await expect(page.locator(".copy")).to_have_text("Copied")
    assert await page.evaluate("() => navigator.clipboard.readText()") == CODE
    await page.get_by_role("button", name="Copy the answer").click()
    assert await page.evaluate("() => navigator.clipboard.readText()") == ANSWER
    await expect(page.locator(".copy")).to_have_text("Copy")


async def test_the_stop_button_and_escape_stop_the_answer(page: Page, site: Site) -> None:
    await expect(page.locator("#stop")).to_be_hidden()
    await site.channel.start_stream(site.address("conversation-1"), "Growing", "key-1")
    await page.locator("#stop").click()
    assert [one.text for one in await site.host.wait_for_messages(1)] == ["/stop"]
    await page.locator("#box").press("Escape")
    assert [one.text for one in await site.host.wait_for_messages(2)] == ["/stop", "/stop"]
    await expect(page.locator(".user")).to_have_count(0)
    await site.channel.finish_stream(site.address("conversation-1"), "x", "Growing", None, "key-1")


async def test_retry_asks_for_another_answer_without_a_line_of_its_own(page: Page, site: Site) -> None:
    await answer(site)
    await page.get_by_role("button", name="Answer again").click()
    assert [one.text for one in await site.host.wait_for_messages(1)] == ["/retry"]
    await expect(page.locator(".user")).to_have_count(0)


async def test_commands_are_completed_with_the_keyboard(page: Page, site: Site) -> None:
    box = page.locator("#box")
    await box.press_sequentially("/mo")
    await expect(page.get_by_role("option")).to_have_count(1)
    await expect(box).to_have_attribute("aria-expanded", "true")
    await box.press("Tab")
    await expect(box).to_have_value("/model ")
    await expect(page.locator("#offers [role=option]")).to_contain_text(
        ["fast", "deep", "auto", "loopback/small"]
    )
    await box.press_sequentially("lar")
    await box.press("Enter")
    await expect(box).to_have_value("/model loopback/large")
    await box.press("Enter")
    assert [one.text for one in await site.host.wait_for_messages(1)] == ["/model loopback/large"]
    await expect(box).to_have_attribute("aria-expanded", "false")


async def test_escape_closes_the_list_and_enter_then_sends_what_was_typed(page: Page, site: Site) -> None:
    box = page.locator("#box")
    await box.press_sequentially("/he")
    await box.press("Escape")
    await expect(page.locator("#offers")).to_be_hidden()
    await box.press("Enter")
    assert [one.text for one in await site.host.wait_for_messages(1)] == ["/he"]


async def test_a_model_is_picked_from_the_list(page: Page, site: Site) -> None:
    await page.locator("#picker > button").click()
    search = page.get_by_role("combobox", name="Search models")
    await expect(search).to_be_focused()
    await expect(page.locator("#model-list [aria-selected=true]")).to_contain_text("Automatic")
    await search.fill("deep")
    await expect(page.locator("#model-list [role=option]")).to_have_count(1)
    await search.press("Enter")
    assert [one.text for one in await site.host.wait_for_messages(1)] == ["/model loopback/large"]
    await expect(page.locator("#picker .panel")).to_be_hidden()
    await page.locator("#picker > button").click()
    await search.fill("no such model")
    await expect(page.locator(".none")).to_be_visible()
    await search.press("Escape")
    await expect(page.locator("#picker > button")).to_be_focused()


async def test_the_conversation_is_there_after_a_reload(page: Page, site: Site) -> None:
    site.host.lines[KEY] = [
        HistoryLine("user", "How are you?", "message-1", 1.0),
        HistoryLine("assistant", "Quite **well**", "answer-1", 2.0, "stopped", NOTE),
    ]
    await page.reload()
    await expect(page.locator(".bubble")).to_have_text("How are you?")
    await expect(page.locator(".text strong")).to_have_text("well")
    await expect(page.locator(".note")).to_contain_text("Stopped · loopback/small")
    await expect(page.locator("#empty")).to_be_hidden()
    await expect(page.locator("#conversations [aria-current]")).to_have_text("How are you?")


async def test_an_unanswered_question_and_a_draft_survive_a_reload(page: Page, site: Site) -> None:
    await send(page, "Still waiting")
    await site.host.wait_for_messages(1)
    await page.locator("#box").fill("half a thou")
    await page.reload()
    await expect(page.locator(".bubble")).to_have_text(["Still waiting"])
    await expect(page.locator("#box")).to_have_value("half a thou")


async def test_conversations_are_kept_apart_and_listed(page: Page, site: Site) -> None:
    await send(page, "The first topic")
    await site.host.wait_for_messages(1)
    await page.get_by_role("button", name="New conversation").first.click()
    await expect(page.locator(".line")).to_have_count(0)
    await expect(page.locator("#box")).to_be_focused()
    await send(page, "The second topic")
    first, second = await site.host.wait_for_messages(2)
    assert first.address.key != second.address.key
    await expect(page.locator("#conversations .open")).to_have_text(["The second topic", "The first topic"])
    await page.get_by_role("button", name="The first topic", exact=True).click()
    await expect(page.locator(".bubble")).to_have_text(["The first topic"])
    await page.get_by_role("button", name="Remove The second topic from this list").click()
    await expect(page.locator("#conversations .open")).to_have_text(["The first topic"])


async def test_a_lost_connection_is_told_and_nothing_written_meanwhile_is_lost_or_doubled(
    context: BrowserContext,
) -> None:
    host = RecordingHost()
    async with AsyncExitStack() as first:
        site = await first.enter_async_context(open_site(host))
        port = site.port
        page = await context.new_page()
        await page.goto(f"{site.url}/#conversation-1")
        await page.locator("#picker > button").wait_for()
        stream = await site.channel.start_stream(site.address("conversation-1"), "Half an ans", "key-1")
        await expect(page.locator(".growing .text")).to_have_text("Half an ans")
    await expect(page.locator("#notice")).to_contain_text("No connection")
    await expect(page.locator("#stop")).to_be_visible()
    await send(page, "Written offline")
    await send(page, "And one more")
    await expect(page.locator(".waiting .state")).to_have_text(["Waiting to be sent", "Waiting to be sent"])
    async with open_site(host, port=port) as site:
        again = await site.channel.start_stream(site.address("conversation-1"), "Half an answer", "key-1")
        assert again == stream
        await page.get_by_role("button", name="Try now").click()
        await site.host.wait_for_messages(2)
        await expect(page.locator("#notice")).to_be_hidden()
        await expect(page.locator(".waiting")).to_have_count(0)
        await site.channel.finish_stream(
            site.address("conversation-1"), stream, "Half an answer, whole", None, "key-1"
        )
        await expect(page.locator(".assistant .text")).to_have_text(["Half an answer, whole"])
    async with open_site(host, port=port) as site:
        await expect(page.locator("#notice")).to_be_hidden()
        await send(page, "Last")
        messages = await site.host.wait_for_messages(3)
    assert [message.text for message in messages] == ["Written offline", "And one more", "Last"]
    await expect(page.locator(".bubble")).to_have_text(["Written offline", "And one more", "Last"])


async def test_a_daemon_without_room_gets_the_message_a_little_later(page: Page, site: Site) -> None:
    site.host.has_room = False
    await send(page, "Patience")
    await expect(page.locator(".bubble")).to_have_text("Patience")
    await page.wait_for_function("() => JSON.parse(localStorage['firstword.unsent']).length === 1")
    site.host.has_room = True
    assert [one.text for one in await site.host.wait_for_messages(1)] == ["Patience"]
    await expect(page.locator(".failed")).to_have_count(0)


async def test_a_message_that_is_too_long_stays_in_the_box_and_the_reason_is_told(
    page: Page, site: Site
) -> None:
    await page.locator("#box").fill("x" * 250_000)
    await page.locator("#send").click()
    await expect(page.locator("#warning")).to_contain_text("250 kB. A message holds at most 200 kB.")
    assert len(await page.locator("#box").input_value()) == 250_000
    assert site.host.messages == []
    await page.locator("#box").fill("short")
    await page.locator("#send").click()
    await expect(page.locator("#warning")).to_be_hidden()


async def test_broken_characters_are_sent_all_the_same(page: Page, site: Site) -> None:
    await page.evaluate(
        "() => { const box = document.querySelector('#box'); box.value = 'a\\ud800b'; box.form.requestSubmit(); }"
    )
    assert [one.text for one in await site.host.wait_for_messages(1)] == ["a\ufffdb"]


async def test_beginning_to_type_is_told_once(page: Page, site: Site) -> None:
    await page.locator("#box").press_sequentially("Hello there")
    await page.locator("#box").press("Enter")
    await site.host.wait_for_messages(1)
    assert len([one for one in site.host.events if isinstance(one, TypingStarted)]) == 1


WHERE = """() => {
    const at = document.activeElement;
    return at === document.body ? "" : at.id || at.name || at.getAttribute("aria-label") || at.textContent.trim();
}"""
# A radio button is drawn by the span that follows it, the message box by the form around it.
IS_FOCUS_SEEN = """() => {
    const at = document.activeElement;
    const drawn = at.type === "radio" ? at.nextElementSibling : at;
    return at === document.body || at.id === "box" || getComputedStyle(drawn).outlineStyle !== "none";
}"""


async def test_everything_is_reached_with_the_keyboard_alone(page: Page, site: Site) -> None:
    await answer(site)
    reached: list[str] = []
    for _ in range(24):
        await page.keyboard.press("Tab")
        reached.append(await page.evaluate(WHERE))
        assert await page.evaluate(IS_FOCUS_SEEN), f"the focus is seen on {reached[-1]}"
    first = reached.index("Skip to the message box")
    order = reached[first:] + reached[:first]
    for name in (
        "New conversation",
        "theme",
        "Model: Automatic",
        "scroll",
        "Copy",
        "Copy the answer",
        "Answer again",
        "box",
    ):
        assert name in order, name
    assert order.index("theme") < order.index("scroll") < order.index("Copy") < order.index("box")
    await page.locator("#box").focus()
    await page.keyboard.type("By hand")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("alone")
    await page.keyboard.press("Enter")
    assert [one.text for one in await site.host.wait_for_messages(1)] == ["By hand\nalone"]


async def test_every_control_has_a_name_and_finished_blocks_are_spoken(page: Page, site: Site) -> None:
    await answer(site, "First paragraph.\n\nSecond paragraph.\n\n```js\nx\n```")
    await expect(page.locator("#aloud")).to_contain_text("First paragraph.")
    await expect(page.locator("#aloud")).to_have_attribute("aria-live", "polite")
    session = await page.context.new_cdp_session(page)
    tree: dict[str, Any] = await session.send("Accessibility.getFullAXTree")
    controls = {"button", "textbox", "combobox", "radio", "link", "listbox", "option", "region", "navigation"}
    nameless = [
        node
        for node in tree["nodes"]
        if not node["ignored"] and node["role"]["value"] in controls and not node.get("name", {}).get("value")
    ]
    assert nameless == []


async def test_a_reader_who_scrolled_up_is_left_there_and_can_jump_back(page: Page, site: Site) -> None:
    text = "\n\n".join(f"Paragraph {number}" for number in range(80))
    address = site.address("conversation-1")
    stream = await site.channel.start_stream(address, text, "key-1")
    at_end = "() => { const s = document.querySelector('#scroll'); return s.scrollHeight - s.scrollTop - s.clientHeight < 4; }"
    await page.wait_for_function(at_end)
    await page.locator("#scroll").evaluate("(one) => { one.scrollTop = 100; }")
    await expect(page.locator("#latest")).to_be_visible()
    await site.channel.update_stream(address, stream, f"{text}\n\nThe end", None)
    await expect(page.locator(".text p").last).to_have_text("The end")
    assert await page.locator("#scroll").evaluate("(one) => one.scrollTop") == 100
    await page.locator("#latest").click()
    await page.wait_for_function(at_end)
    await expect(page.locator("#latest")).to_be_hidden()


async def test_a_phone_shows_everything_without_scrolling_sideways(browser: Browser, site: Site) -> None:
    context = await browser.new_context(
        viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True
    )
    page = await context.new_page()
    await page.goto(f"{site.url}/#conversation-1")
    await page.locator("#picker > button").wait_for()
    fits = "() => document.documentElement.scrollWidth <= 360 && document.querySelector('#scroll').scrollWidth <= 360"
    assert await page.evaluate(fits)
    wide = "x" * 300
    await page.locator("#box").fill(wide)
    await page.locator("#send").click()
    await answer(
        site,
        f"{wide} https://a.example/{wide}\n\n`{wide}`\n\n```\n{wide}\n```\n\n|{'|'.join(['head'] * 12)}|\n|{'|'.join(['-'] * 12)}|\n|{'|'.join(['cell'] * 12)}|\n\n- {wide}\n\n> {wide}",
    )
    await expect(page.locator(".text table")).to_be_attached()
    await expect(page.locator(".note")).to_be_visible()
    assert await page.evaluate(fits)
    await expect(page.locator("#side")).not_to_be_in_viewport()
    await page.locator("#menu").click()
    await expect(page.locator("#side")).to_be_in_viewport()
    await page.keyboard.press("Escape")
    await expect(page.locator("#side")).not_to_be_in_viewport()
    await page.locator("#picker > button").click()
    assert await page.evaluate(fits)
    await expect(page.locator(".panel")).to_be_in_viewport(ratio=1)
    await context.close()


async def test_light_and_dark_follow_the_system_until_one_is_chosen(page: Page) -> None:
    colour = "() => getComputedStyle(document.body).backgroundColor"
    await page.emulate_media(color_scheme="light")
    light = await page.evaluate(colour)
    await page.emulate_media(color_scheme="dark")
    dark = await page.evaluate(colour)
    assert light != dark
    await page.get_by_role("radio", name="Light").check(force=True)
    assert await page.evaluate(colour) == light
    await page.reload()
    assert await page.evaluate(colour) == light, "the choice is kept"
    await page.get_by_role("radio", name="System").check(force=True)
    assert await page.evaluate(colour) == dark


async def test_nothing_moves_for_whoever_asked_for_that(page: Page, site: Site) -> None:
    await page.emulate_media(reduced_motion="reduce")
    await site.channel.typing(site.address("conversation-1"), is_on=True)
    await expect(page.locator("#typing")).to_be_visible()
    assert await page.evaluate("() => document.getAnimations().length") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_text_stands_out_from_its_ground(page: Page, site: Site, scheme: Any) -> None:
    """WCAG 2.2 AA: a ratio of 4.5 for text."""
    await page.emulate_media(color_scheme=scheme)
    await send(page, "A question")
    await answer(site, f"{ANSWER}\n\n[link](https://a.example)\n\n> quote `code`")
    await expect(page.locator(".note")).to_be_visible()
    ratios = await page.evaluate(
        """() => {
            const channel = (value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
            const parse = (colour) => {
                const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
                context.fillStyle = colour;
                context.fillRect(0, 0, 1, 1);
                return context.getImageData(0, 0, 1, 1).data;
            };
            const light = (rgb) => 0.2126 * channel(rgb[0] / 255) + 0.7152 * channel(rgb[1] / 255) + 0.0722 * channel(rgb[2] / 255);
            const ground = (node) => {
                for (let at = node; at; at = at.parentElement) {
                    const colour = parse(getComputedStyle(at).backgroundColor);
                    if (colour[3] === 255) return colour;
                }
            };
            const found = {};
            for (const what of [".bubble", ".text p", ".text a", ".note", ".lang", ".copy", "blockquote p", "p > code",
                                "th", "td", ".new", "#conversations .open", ".themes span", "#picker .label"]) {
                const node = document.querySelector(what);
                const [one, two] = [light(parse(getComputedStyle(node).color)), light(ground(node))];
                found[what] = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
            }
            return found;
        }"""
    )
    assert {what: round(ratio, 1) for what, ratio in ratios.items() if ratio < 4.5} == {}


async def test_a_locked_page_opens_with_the_token_and_stays_open(browser: Browser) -> None:
    token = "correct horse battery staple"
    async with open_site(settings=WebSettings(token=SecretStr(token))) as site:
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(site.url)
        await page.get_by_label("Access token").fill("wrong")
        await page.get_by_role("button", name="Come in").click()
        await expect(page.get_by_role("alert")).to_have_text("That token is not right.")
        await page.get_by_label("Access token").fill(token)
        await page.get_by_role("button", name="Come in").click()
        await expect(page.locator("#picker > button")).to_be_visible()
        await send(page, "Let in")
        await site.host.wait_for_messages(1)
        await page.reload()
        await expect(page.locator("#picker > button")).to_be_visible()
        assert token not in page.url
        assert token not in str(await context.storage_state())
        await context.close()


async def test_another_sites_page_can_neither_read_nor_speak(context: BrowserContext, site: Site) -> None:
    """The attacker's page is served on this machine too, so only the origin tells it from ours."""
    async with open_site() as evil:
        page = await context.new_page()
        await page.goto(f"{evil.url}/web/icon.svg")
        tried = await page.evaluate(
            """async (target) => {
                const socket = new Promise((done) => {
                    const one = new WebSocket(target.replace("http", "ws") + "/web/socket");
                    one.onopen = () => done("open");
                    one.onerror = () => done("refused");
                });
                const read = fetch(target + "/web/main.js").then((answer) => answer.text()).then(() => "read", () => "refused");
                const post = fetch(target + "/web/logout", { method: "POST", mode: "no-cors" }).then(() => "sent", () => "refused");
                return [await socket, await read, await post];
            }""",
            site.url,
        )
    assert tried[:2] == ["refused", "refused"]


async def test_the_page_loads_nothing_from_anywhere_else(context: BrowserContext, site: Site) -> None:
    asked: list[str] = []
    page = await context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(site.url)
    await page.locator("#picker > button").wait_for()
    assert asked and all(url.startswith(site.url) for url in asked)


async def test_two_tabs_show_the_same_conversation(page: Page, site: Site, context: BrowserContext) -> None:
    other = await context.new_page()
    await other.goto(f"{site.url}/#conversation-1")
    await other.locator("#picker > button").wait_for()
    await send(page, "Seen in both")
    await expect(other.locator(".bubble")).to_have_text("Seen in both")
    await answer(site, "An answer for both")
    await expect(page.locator(".assistant .text")).to_have_text("An answer for both")
    await expect(other.locator(".assistant .text")).to_have_text("An answer for both")


async def test_a_fast_answer_arrives_whole(page: Page, site: Site) -> None:
    address = site.address("conversation-1")
    text = "Start"
    stream = await site.channel.start_stream(address, text, "key-1")
    for number in range(6000):
        text += f" word{number}" if number % 40 else f"\n\n**{number}**"
        await site.channel.update_stream(address, stream, text, None)
        if number % 20 == 0:
            await asyncio.sleep(0)
    await site.channel.finish_stream(address, stream, text, None, "key-1")
    await expect(page.locator(".growing")).to_have_count(0)
    await expect(page.locator(".text strong")).to_have_count(150)
    await expect(page.locator(".text p").last).to_contain_text("word5999")
