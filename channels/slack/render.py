"""Markdown -> the Markdown that Slack reads (`markdown_text`, the `markdown` block). Pure.

Slack docs, markdown block (2026-11): bold, italic, strike, links, lists, headings, code, fences with a language,
quotes, rules, tables; at most 12,000 characters in a message. What is added here:

- Slack reads its own tokens in Markdown too: a raw `<!channel>` is a live mention. `&lt;` is shown as `<` and is not
  read again (measured on a workspace: PostHog/posthog#95054, 2026-09). So every `<` outside code becomes `&lt;`,
  which also keeps raw tags from being dropped, and `<https://...>` becomes a link with that text.
- In code nothing is written otherwise, as what is resolved there is not documented; only what would be a live token
  gets an invisible word joiner behind its `<`.
- A link to `!channel`, `@U...` or `#C...` could be turned into such a token: its brackets are taken apart.
- What a picture is here is not documented; an invisible joiner behind its `!` leaves a link, which nothing fetches.
- `&` stays: an entity in Markdown means its character, in link targets it has to stay.
"""

from __future__ import annotations

import re

from channels.markup import fence_lines
from channels.slack.text import wash

# Slack docs, markdown block and chat.postMessage, markdown_text (2026-11).
MAX_MARKDOWN = 12_000
JOINER = "\u2060"

_SPECIAL = re.compile(r"<|\]\(|\]:|!\[")
_TOKEN = re.compile(
    r"(?P<escape>\\[\s\S]?)"
    r"|(?P<ticks>`+)"
    r"|(?P<link><(?P<url>(?:https?://|mailto:)[^\s<>|]+)>)"
    r"|(?P<angle><)"
    r"|(?P<picture>!(?=\[))"
    r"|(?P<target>\]\([ \t]*(?:<[ \t]*)?(?=[!@#]))"
    r"|(?P<definition>^[ ]{0,3}\[[^\]\n]+\]:[ \t]*(?:<[ \t]*)?(?=[!@#]))",
    re.MULTILINE,
)
_LIVE = re.compile(r"<(?=!(?:channel|here|everyone|subteam\^|date\^)|@[UW][A-Z0-9]|#[CG][A-Z0-9])")
_RUN = re.compile("`+")
_BLANK = re.compile(r"\n[ \t]*\n")
# What may still become something else when more text comes.
_OPEN_END = re.compile(
    r"(?:\\|!|(?:\\|(?<!`))`+|\\?<(?:[a-z]{0,6}(?::[^\s<>|]*)?)?|\](?:\([ \t]*(?:<[ \t]*)?!?)?"
    r"|^[ ]{0,3}\[[^\]\n]*\]?:?[ \t]*<?!?)\Z",
    re.MULTILINE,
)
_OPEN_CODE_END = re.compile(r"<(?:[!@#][A-Za-z0-9^]{0,8})?\Z")
_HALF_FENCE = re.compile(r"(?:\A|\n)[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?(?:`{1,31}|~{1,31})[^\n`~]*\Z")


def render(markdown: str) -> str:
    """What is put on the wire. Never raises; longer than the source where that holds `<`."""
    markdown = wash(markdown)
    if not _SPECIAL.search(markdown):
        return markdown
    return "".join(_fenced(text) if is_code else _text(text)[0] for text, is_code in _pieces(markdown))


def growing(markdown: str) -> str:
    """As much of a growing text as `render` will never write otherwise, whatever follows: for a stream."""
    markdown = wash(markdown)
    pieces = _pieces(markdown)
    if pieces and pieces[-1][1] and "\n" not in pieces[-1][0]:
        pieces.pop()  # a backtick further on in this line, and it opens no fence
        if pieces and pieces[-1][1]:
            pieces.append(("", False))
    if not pieces:
        return ""
    last, is_code = pieces.pop()
    done = "".join(_fenced(text) if code else _text(text)[0] for text, code in pieces)
    if is_code:
        end = _OPEN_CODE_END.search(last)
        return done + _fenced(last[: end.start()] if end else last)
    half = _HALF_FENCE.search(last)
    if half is not None:
        last = last[: half.start()]
    end = _OPEN_END.search(last)
    if end is not None:
        last = last[: end.start()]
    text, is_open_at = _text(last)
    return done + (text if is_open_at is None else _text(last[:is_open_at])[0])


def _pieces(markdown: str) -> list[tuple[str, bool]]:
    """The text in order, cut where fences begin and end; fences with their own lines are code."""
    found, at, start = [], 0, None
    for line in fence_lines(markdown):
        if line.fence is not None:
            start = line.start
            if start > at:
                found.append((markdown[at:start], False))
        elif start is not None:
            found.append((markdown[start : line.end], True))
            at, start = line.end, None
    if start is not None:
        found.append((markdown[start:], True))
    elif at < len(markdown):
        found.append((markdown[at:], False))
    return found


def _fenced(text: str) -> str:
    """A fence. What stands behind its marks is no code yet."""
    opening, line_end, code = text.partition("\n")
    return _code(opening.replace("![", f"!{JOINER}[") + line_end + code)


def _code(text: str) -> str:
    return _LIVE.sub(f"<{JOINER}", text)


def _text(text: str) -> tuple[str, int | None]:
    """The text outside fences, and where a code span of its last paragraph is open."""
    found: list[str] = []
    position = 0
    open_at: int | None = None
    while (token := _TOKEN.search(text, position)) is not None:
        found.append(text[position : token.start()])
        position = token.end()
        kind = token.lastgroup
        if kind == "ticks":
            end = _closing(text, token)
            if end is None:
                found.append(token.group())
                if open_at is None and _BLANK.search(text, position) is None:
                    open_at = token.start()
            else:
                found.append(_code(text[token.start() : end]))
                position = end
        else:
            found.append(_other(kind, token))
    found.append(text[position:])
    return "".join(found), open_at


def _other(kind: str | None, token: re.Match[str]) -> str:
    if token.group("url") is not None:
        url = token.group("url")
        return f"[{url.removeprefix('mailto:')}]({url})"
    if kind == "angle":
        return "&lt;"
    if kind == "picture":
        return f"!{JOINER}"
    if kind == "escape":
        return "&lt;" if token.group() == "\\<" else token.group()
    if kind == "target":
        return "] ("
    return token.group().replace("<", "") + JOINER  # a definition of a link to a token


def _closing(text: str, opening: re.Match[str]) -> int | None:
    """Where the code span ends that this run of backticks begins; it stays within its paragraph."""
    blank = _BLANK.search(text, opening.end())
    limit = len(text) if blank is None else blank.start()
    count = len(opening.group())
    for run in _RUN.finditer(text, opening.end(), limit):
        if len(run.group()) == count:
            return run.end()
    return None
