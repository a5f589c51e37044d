"""Markdown -> what Discord's clients read as the same. Pure, linear; nothing that was written is dropped.

Discord's Markdown is close to CommonMark, so the text is changed only where the two differ; what is not known stays as
it is. Sources: Discord Help Center, "Markdown Text 101" (2026-11: emphasis, headings 1-3, subtext, masked links,
lists, code, quotes, spoilers); Discord docs, Reference, Message Formatting (mentions, emoji, times); CommonMark 0.31
and GitHub's tables for what comes in. A rule's own source stands at the rule.
"""

from __future__ import annotations

import re

from channels.discord.inline import inline
from channels.discord.table import cells, is_delimiter, table
from channels.markup import clean

_PREFIX = re.compile(r"(?:[ \t]{0,3}>[ \t]?)+")
_FENCE = re.compile(r"([ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?)(`{3,}|~{3,})([^\n]*)\Z")
_LANGUAGE = re.compile(r"[A-Za-z0-9_+.#-]{1,32}\Z")
_HEADING = re.compile(r"([ ]{0,3})(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*\Z")
_RULE = re.compile(r"[ ]{0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})\Z")
_SETEXT = re.compile(r"[ ]{0,3}(=+|-+)[ \t]*\Z")
_ITEM = re.compile(r"([ \t]*)([-*+]|\d{1,9}[.)])([ \t]+|\Z)(.*)\Z")
_TASK = re.compile(r"\[([ xX])\](?=[ \t])")
_ROW = re.compile(r"[ ]{0,3}\S.*\|")
_OPENS_BLOCK = re.compile(r"[ \t]*(?:#{1,6}[ \t]|>|[-*+][ \t]|\d{1,9}[.)][ \t]|`{3}|~{3}|\|)")
_DEEPEST = 8  # quotes within quotes; deeper ones keep their marks as they are
_RULE_LINE = "\N{EM DASH}" * 3


def render(markdown: str) -> str:
    """The content to send; may be empty where the Markdown shows nothing. Never raises."""
    lines = clean(markdown).split("\n")
    return "\n".join(_Blocks(lines).walk()).strip(" \n")


class _Blocks:
    """Goes through the lines once; runs of words between blocks are written together, as marks may span lines."""

    def __init__(self, lines: list[str], depth: int = 0) -> None:
        self._lines = lines
        self._depth = depth
        self._at = 0
        self._out: list[str] = []
        self._words: list[str] = []
        self._is_in_list = False

    def walk(self) -> list[str]:
        """The lines to show."""
        while self._at < len(self._lines):
            self._block(self._lines[self._at])
        self._flush()
        return self._out

    def _block(self, line: str) -> None:
        quote = _PREFIX.match(line)
        if quote is not None and self._depth < _DEEPEST:
            self._quote()
        elif (fence := _FENCE.match(line)) is not None and _is_opening(fence):
            self._fence(fence)
        elif self._is_table():
            self._table()
        elif self._is_indented_code(line):
            self._indented()
        elif (heading := _HEADING.match(line)) is not None:
            self._heading(heading)
        elif self._is_setext(line):
            self._setext(line)
        elif _RULE.match(line):
            self._one(_RULE_LINE)
        else:
            self._line(line)

    # -- writing

    def _flush(self) -> None:
        if self._words:
            self._out += inline("\n".join(self._words)).split("\n")
            self._words = []

    def _one(self, line: str) -> None:
        """A line that is ready to be shown."""
        self._flush()
        self._out.append(line)
        self._at += 1

    # -- blocks

    def _quote(self) -> None:
        """A quote is written again by its own: Discord knows one level, "> " with a space (Markdown Text 101).

        ">>> " would quote all that follows, so deeper levels keep their marks as words behind the first.
        """
        self._flush()
        inner = []
        while self._at < len(self._lines) and (mark := re.match(r"[ ]{0,3}>[ \t]?", self._lines[self._at])):
            inner.append(self._lines[self._at][mark.end() :])
            self._at += 1
        self._out += [
            f"> {line}".rstrip() if line else "> " for line in _Blocks(inner, self._depth + 1).walk()
        ]

    def _fence(self, fence: re.Match[str]) -> None:
        """Discord's fence is three backticks exactly, at a line's start; the first word names the language."""
        self._flush()
        before, mark, info = fence[1], fence[2], fence[3].strip()
        indent = len(before) if not before.strip() else 0
        body = []
        self._at += 1
        closing = re.compile(rf"[ \t]*{re.escape(mark[0])}{{{len(mark)},}}[ \t]*\Z")
        while self._at < len(self._lines) and not closing.match(self._lines[self._at]):
            body.append(_dedent(self._lines[self._at], indent))
            self._at += 1
        self._at += 1
        if before.strip():
            self._out.append(inline(before.rstrip()))
        language, _, rest = info.partition(" ")
        if info and (rest or not _LANGUAGE.match(language)):
            self._out.append(inline(info if not _LANGUAGE.match(language) else rest.strip()))
        self._code(body, language if _LANGUAGE.match(language) else "")

    def _code(self, body: list[str], language: str) -> None:
        # Three backticks inside would end the block; an invisible space keeps them apart.
        text = "\n".join(body).replace("```", "`\u200b`\u200b`")
        if text.endswith("`"):
            text += "\u200b"
        # An empty block is shown as bare backticks (a block needs something in it), a language as its only words.
        self._out += [f"```{language}", *(text if text.strip() else text + "\u200b").split("\n"), "```"]

    def _is_indented_code(self, line: str) -> bool:
        is_apart = self._at == 0 or not self._lines[self._at - 1].strip()
        return line.startswith(("    ", "\t")) and bool(line.strip()) and is_apart and not self._is_in_list

    def _indented(self) -> None:
        self._flush()
        body = []
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if line.strip() and not line.startswith(("    ", "\t")):
                break
            body.append(_dedent(line, 4))
            self._at += 1
        blank = 0
        while body and not body[-1].strip():
            body.pop()
            blank += 1
        self._code(body, "")
        self._out += [""] * blank

    def _is_table(self) -> bool:
        after = self._lines[self._at + 1] if self._at + 1 < len(self._lines) else ""
        line = self._lines[self._at]
        return "|" in line and is_delimiter(after) and len(cells(after)) == len(cells(line))

    def _table(self) -> None:
        """Discord knows no tables (Markdown Text 101 names none)."""
        self._flush()
        rows, delimiter = [cells(self._lines[self._at])], self._lines[self._at + 1]
        self._at += 2
        while self._at < len(self._lines) and _ROW.match(self._lines[self._at] + "|"):
            if "|" not in self._lines[self._at] and _OPENS_BLOCK.match(self._lines[self._at]):
                break
            rows.append(cells(self._lines[self._at]))
            self._at += 1
        text = table(rows, delimiter)
        self._out += (text if text.startswith("```") else inline(text)).split("\n")

    def _heading(self, heading: re.Match[str]) -> None:
        """Levels 1-3 exist (Markdown Text 101); deeper ones become bold. A heading without words is a bare mark."""
        level, words = len(heading[2]), (heading[3] or "").strip()
        self._is_in_list = False
        if not words:
            self._one("\\" + heading[2])
        elif level <= 3:
            self._one(f"{heading[2]} {inline(words)}")
        else:
            self._one(f"**{inline(words.replace('**', ''))}**")

    def _is_setext(self, line: str) -> bool:
        if not line.strip() or self._words or _ITEM.match(line) or self._at + 1 >= len(self._lines):
            return False
        return _SETEXT.match(self._lines[self._at + 1]) is not None

    def _setext(self, line: str) -> None:
        level = "#" if "=" in self._lines[self._at + 1] else "##"
        self._at += 1
        self._one(f"{level} {inline(line.strip())}")

    def _line(self, line: str) -> None:
        """Words or an item of a list. Discord's bullets are - and *, its numbers end in a dot (Markdown Text 101)."""
        item = _ITEM.match(line)
        if item is not None:
            indent, mark, gap, words = item[1].replace("\t", "    "), item[2], item[3], item[4]
            mark = {"+": "-"}.get(mark, mark.replace(")", "."))
            words = _TASK.sub(lambda task: "\u2610" if task[1] == " " else "\u2611", words)
            line = f"{indent}{mark}{gap[:1]}{words}"
            self._is_in_list = True
        elif line.strip() and not line.startswith((" ", "\t")):
            self._is_in_list = self._is_in_list and bool(self._words and self._words[-1].strip())
        self._words.append(line)
        self._at += 1
        if not line.strip():
            self._flush()


def _is_opening(fence: re.Match[str]) -> bool:
    return fence[2][0] == "~" or "`" not in fence[3]


def _dedent(line: str, columns: int) -> str:
    expanded = line.expandtabs(4) if line.startswith((" ", "\t")) and columns else line
    spaces = len(expanded) - len(expanded.lstrip(" "))
    return expanded[min(columns, spaces) :]
