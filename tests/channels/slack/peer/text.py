"""Text as Slack keeps and shows it. Pure.

Source: Slack docs "Formatting message text" (2026-11): `&`, `<` and `>` are escaped, everything between `<` and `>`
is a control sequence: a link, `<@U..>`, `<#C..>`, `<!here>`, `<!channel>`, `<!everyone>`, `<!subteam^S..>`.
"""

from __future__ import annotations

import re
from typing import Any

_SEQUENCE = (
    r"<(?:@[UW][A-Z0-9]+|#[CG][A-Z0-9]+|![a-z]+(?:\^[^<>|]+)*|(?:https?|mailto|tel):[^<>|\s]+)(?:\|[^<>]*)?>"
)
_TOKEN = re.compile(_SEQUENCE)
_KEEP_TYPED = re.compile(f"({_SEQUENCE})|[&<>]")
_KEEP_SENT = re.compile(f"({_SEQUENCE}|&(?:amp|lt|gt);)|[&<>]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_PING = re.compile(r"<(?:@([UW][A-Z0-9]+)|!(channel|here|everyone)|!subteam\^(S[A-Z0-9]+))(?:\|[^<>]*)?>")
# CommonMark code: a fence to its end (or the end of the text), and spans of backticks.
_CODE = re.compile(
    r"(?ms)^[ ]{0,3}(`{3,}|~{3,})[^\n]*\n.*?(?:^[ ]{0,3}\1[`~]*[ ]*$|\Z)|(?<!`)(`+)(?!`).+?(?<!`)\2(?!`)"
)


def escape(text: str) -> str:
    """What a person typed, as an event carries it; control sequences stay."""
    return _KEEP_TYPED.sub(_escaped, text)


def keep(text: str) -> str:
    """What a bot sent in `text`, as Slack echoes it: stray `&`, `<`, `>` are escaped, entities and sequences stay."""
    return _KEEP_SENT.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return match.group(1) or _ENTITIES[match.group()]


def unescape(text: str) -> str:
    """What a person reads."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def rich_elements(text: str) -> list[dict[str, Any]]:
    """The elements of the rich_text block that goes with a text: words, users, broadcasts, links."""
    found: list[dict[str, Any]] = []
    at = 0
    for match in _TOKEN.finditer(text):
        found.append({"type": "text", "text": unescape(text[at : match.start()])})
        name, _, label = match.group()[1:-1].partition("|")
        if name.startswith("@"):
            found.append({"type": "user", "user_id": name[1:]})
        elif name.startswith("#"):
            found.append({"type": "channel", "channel_id": name[1:]})
        elif name in ("!here", "!channel", "!everyone"):
            found.append({"type": "broadcast", "range": name[1:]})
        else:
            found.append({"type": "link", "url": name, "text": label or name})
        at = match.end()
    found.append({"type": "text", "text": unescape(text[at:])})
    return [element for element in found if element.get("text") != ""]


def without_code(markdown: str) -> str:
    """Markdown without fenced blocks and code spans."""
    return _CODE.sub(" ", markdown)


def pings(text: str) -> list[str]:
    """Whom the control sequences of mrkdwn text would notify: "channel", "here", "everyone", ids."""
    return [next(part for part in match.groups() if part) for match in _PING.finditer(text)]


def read_markdown(markdown: str) -> str:
    """What a person reads of Markdown: its source here, with the entities outside code resolved."""
    found, at = [], 0
    for match in _CODE.finditer(markdown):
        found.append(unescape(markdown[at : match.start()]))
        found.append(match.group())
        at = match.end()
    return "".join([*found, unescape(markdown[at:])])


def to_mrkdwn(markdown: str) -> str:
    """The `text` that Slack makes of Markdown for notifications and history: roughly, as nobody documents it."""
    text = re.sub(r"\[([^\]\n]+)\]\((https?://[^)\s]+)\)", r"<\2|\1>", markdown)
    text = re.sub(r"\*\*(?=\S)(.+?)(?<=\S)\*\*", r"*\1*", text)
    text = re.sub(r"(?m)^#{1,6}\s+(.+)$", r"*\1*", text)
    return keep(text)


def block_lines(blocks: list[dict[str, Any]]) -> list[str]:
    """What a person reads in blocks, without the labels of buttons."""
    lines: list[str] = []
    for block in blocks:
        kind = block.get("type")
        if kind == "markdown":
            lines.append(read_markdown(str(block.get("text", ""))))
        elif kind in ("section", "header"):
            lines.extend(_object_text(part) for part in [block.get("text"), *(block.get("fields") or [])])
        elif kind == "context":
            lines.extend(_object_text(part) for part in block.get("elements", []))
        elif kind == "rich_text":
            lines.append(_rich_text(block))
    return [line for line in lines if line]


def _object_text(part: Any) -> str:
    if not isinstance(part, dict):
        return ""
    text = str(part.get("text", ""))
    return unescape(text) if part.get("type") == "mrkdwn" else text


def _rich_text(node: Any) -> str:
    if not isinstance(node, dict):
        return ""
    inner = "".join(_rich_text(child) for child in node.get("elements", []))
    if node.get("type") == "user":
        return f"<@{node.get('user_id')}>"
    return inner or str(node.get("text", node.get("url", "")))


def block_pings(blocks: list[dict[str, Any]]) -> list[str]:
    """Whom blocks would notify."""
    found: list[str] = []
    for block in blocks:
        if block.get("type") == "markdown":
            found += pings(without_code(str(block.get("text", ""))))
        parts = [block.get("text"), *(block.get("fields") or []), *(block.get("elements") or [])]
        found += [
            ping
            for part in parts
            if isinstance(part, dict) and part.get("type") == "mrkdwn"
            for ping in pings(str(part.get("text", "")))
        ]
        if block.get("type") == "rich_text":
            found += _rich_pings(block)
    return found


def _rich_pings(node: Any) -> list[str]:
    if not isinstance(node, dict):
        return []
    found = [ping for child in node.get("elements", []) for ping in _rich_pings(child)]
    if node.get("type") == "user":
        found.append(str(node.get("user_id")))
    if node.get("type") == "broadcast":
        found.append(str(node.get("range")))
    return found


def buttons(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The buttons in blocks: action_id, label, value, block_id."""
    return [
        {
            "action_id": element.get("action_id", ""),
            "label": (element.get("text") or {}).get("text", ""),
            "value": element.get("value"),
            "block_id": block.get("block_id", ""),
            "style": element.get("style", ""),
        }
        for block in blocks
        for element in [*(block.get("elements") or []), block.get("accessory") or {}]
        if isinstance(element, dict) and element.get("type") == "button"
    ]
