"""The words of a paragraph: marks that Discord reads differently, and what it must not read at all. Pure, linear."""

from __future__ import annotations

import html
import re

from channels.discord.text import defused

# What stays as it is: code, links in full, bare addresses. Escapes are the same in both (any punctuation).
_CODE = r"(?P<code>(?<!`)(?P<tick>`{1,2})(?!`)(?P<inside>(?:[^`]|(?!(?P=tick)(?!`))`+)+?)(?P=tick)(?!`))"
_TARGET = r"<?(?P<url>[^\s()<>]{1,2000}(?:\([^\s()<>]{0,500}\)[^\s()<>]{0,500}){0,4})>?"
_LINK = (
    rf"(?P<link>(?P<bang>!?)\[(?P<label>(?:[^\[\]\n\\]|\\.|\[[^\[\]\n]{{0,200}}\]){{0,500}})\]\({_TARGET}"
    r"(?P<title>[ \t]+(?:\"[^\"\n]{0,500}\"|'[^'\n]{0,500}'))?\))"
)
_AUTO = r"(?P<auto><(?:https?://|mailto:)[^\s<>]{1,2000}>)"
_BARE = r"(?P<bare>https?://[^\s<>`|]{1,2000})"
_ESCAPE = r"(?P<escape>\\[!-/:-@\[-`{-~])"
_BREAK = r"(?P<break>\\\n)"
_TOKEN = re.compile(f"{_ESCAPE}|{_BREAK}|{_CODE}|{_LINK}|{_AUTO}|{_BARE}")

_BR = re.compile(r"<br[ \t]*/?>\n?", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
# CommonMark reads __words__ as strong; Discord underlines them (Markdown Text 101).
_STRONG = re.compile(r"(?<![\w_\\])__(?=[^\s_])([^\n_]{1,2000}(?:_[^\n_]{1,2000})*?)(?<=[^\s_])__(?![\w_])")
# "-# " at a line's start is Discord's small print, ">>> " quotes all that follows (Markdown Text 101).
_SUBTEXT = re.compile(r"(?m)^([ \t]*(?:[-*][ \t]+)?)-#(?=[ \t])")
_BLOCK_QUOTE = re.compile(r"(?m)^([ \t]*)>>>(?=[ \t])")
_LINK_START = re.compile(r"https?://", re.IGNORECASE)


def inline(text: str) -> str:
    """Rewritten for Discord; code, links and addresses as they are."""
    if "]" not in text and "`" not in text and "\\" not in text and "://" not in text:
        return _words(text, at_start=True)
    found: list[str] = []
    position = 0
    for token in _TOKEN.finditer(text):
        found.append(_words(text[position : token.start()], at_start=position == 0 or _ends_line(found)))
        found.append(_kept(token))
        position = token.end()
    found.append(_words(text[position:], at_start=position == 0 or _ends_line(found)))
    return "".join(found)


def _ends_line(pieces: list[str]) -> bool:
    return bool(pieces) and pieces[-1].endswith("\n")


def _kept(token: re.Match[str]) -> str:
    if token["break"]:
        return "\n"
    if token["code"]:
        # An entity or a mention inside code is shown as written by Discord, too.
        return token["code"]
    if token["link"]:
        return _link(token)
    return token[0]


def _link(token: re.Match[str]) -> str:
    """A masked link; an image becomes one, as nothing but an upload is shown as a picture.

    The clients mask only http and https, and no label that is an address itself (seen 2026-11; stated nowhere):
    there the address stands beside the words.
    """
    label, url, title = token["label"].strip(), token["url"], (token["title"] or "").strip()
    words = _words(label, at_start=False)
    if not label:
        return " ".join(part for part in (url, title) if part)
    if not _LINK_START.match(url) or _LINK_START.search(label):
        rest = "" if label == url else f" ({url})"
        return f"{words}{rest}" + (f" {title}" if title else "")
    return f"[{words}]({url}{' ' + title if title else ''})"


def _words(text: str, *, at_start: bool) -> str:
    """Words without code and links in them."""
    if not text:
        return text
    if "&" in text:
        text = _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
    if "<" in text:
        text = _BR.sub("\n", text)
    if "__" in text:
        text = _STRONG.sub(r"**\1**", text)
    if "||" in text:  # Discord would hide what stands between two of them
        text = text.replace("||", "\\|\\|")
    text = defused(text)
    if at_start:
        text = _SUBTEXT.sub(r"\1\\-#", text)
        text = _BLOCK_QUOTE.sub(r"\1\\>>>", text)
    return text
