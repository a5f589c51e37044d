"""What a message may look like. Pure.

Sources: Discord docs, "Create Message" (content of up to 2000 characters, embeds, allowed_mentions, nonce of up to
25 characters), "Embed Limits", "Components Reference" (2026-11).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import mentions
from .errors import Form, known
from .state import COMPONENTS_V2

MAX_CONTENT = 2000
MAX_NONCE = 25
ROW, BUTTON, STRING_SELECT = 1, 2, 3
SELECTS = (3, 5, 6, 7, 8)
LINK_STYLE, PREMIUM_STYLE = 5, 6
V2_TOP = (1, 9, 10, 12, 13, 14, 17)
MAX_V2 = 40
MAX_V2_TEXT = 4000
# Discord docs, Message Flags: those that a bot may set; 64 only in an answer to an interaction.
SETTABLE = 4 | 64 | 4096 | 8192 | COMPONENTS_V2


def check_message(
    body: dict[str, Any], *, has_files: bool = False, before: dict[str, Any] | None = None
) -> None:
    """Raises ApiError. `before` holds what the message has already, when it is an edit."""
    form = Form()
    content = body.get("content")
    if content is not None and not isinstance(content, str):
        form.add("content", "BASE_TYPE_STRING", "Could not interpret as string.")
        form.end()
    form.check("content", content or "", MAX_CONTENT)
    nonce = body.get("nonce")
    if nonce is not None:
        form.check("nonce", str(nonce), MAX_NONCE)
    mentions.check(body.get("allowed_mentions"), form)
    embeds = body.get("embeds") or []
    form.check("embeds", embeds, 10)
    _check_embeds(embeds, form)
    flags = int(body.get("flags") or (before or {}).get("flags") or 0)
    components = body.get("components") or []
    is_v2 = bool(flags & COMPONENTS_V2)
    if is_v2:
        _check_v2(body, components, form)
    else:
        _check_rows(components, form)
    form.end()
    merged = {**(before or {}), **body}
    shown = merged.get("components") if is_v2 else None
    if not has_files and not shown and not any(_is_filled(merged.get(key)) for key in _FILLING):
        raise known(50006)


# Components alone fill a message only as Components V2; old rows of buttons do not.
_FILLING = ("content", "embeds", "sticker_ids", "poll", "attachments")


def _is_filled(value: Any) -> bool:
    return bool(value.strip() if isinstance(value, str) else value)


def _check_embeds(embeds: list[Any], form: Form) -> None:
    for number, embed in enumerate(embeds):
        at, total = f"embeds.{number}", 0
        parts = [("title", 256), ("description", 4096)]
        for name, most in parts:
            form.check(f"{at}.{name}", embed.get(name) or "", most)
            total += len(embed.get(name) or "")
        footer = (embed.get("footer") or {}).get("text") or ""
        form.check(f"{at}.footer.text", footer, 2048)
        fields = embed.get("fields") or []
        form.check(f"{at}.fields", fields, 25)
        for index, entry in enumerate(fields):
            form.check(f"{at}.fields.{index}.name", entry.get("name") or "", 256)
            form.check(f"{at}.fields.{index}.value", entry.get("value") or "", 1024)
            total += len(entry.get("name") or "") + len(entry.get("value") or "")
        if total + len(footer) > 6000:
            form.add(at, "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000")


def _check_rows(rows: Any, form: Form) -> None:
    """At most 5 rows; 5 buttons or one select in each; ids unique in the message."""
    form.check("components", rows, 5)
    seen: set[str] = set()
    for number, row in enumerate(rows):
        at = f"components.{number}"
        if not isinstance(row, dict) or row.get("type") != ROW:
            form.choice(f"{at}.type", row.get("type") if isinstance(row, dict) else None, (ROW,))
            continue
        _check_row(row, at, seen, form)


def _check_row(row: dict[str, Any], at: str, seen: set[str], form: Form) -> None:
    inside = row.get("components") or []
    form.check(f"{at}.components", inside, 5, 1)
    selects = [one for one in inside if one.get("type") in SELECTS]
    if selects and len(inside) > 1:
        form.add(
            f"{at}.components",
            "COMPONENT_LAYOUT_WIDTH_EXCEEDED",
            "The specified component exceeds the maximum width",
        )
    for index, one in enumerate(inside):
        here = f"{at}.components.{index}"
        form.choice(f"{here}.type", one.get("type"), (BUTTON, *SELECTS))
        if one.get("type") == BUTTON:
            _check_button(one, here, form)
        custom = one.get("custom_id")
        if custom is not None:
            if custom in seen:
                form.add(
                    f"{here}.custom_id",
                    "COMPONENT_CUSTOM_ID_DUPLICATED",
                    "Component custom id cannot be duplicated",
                )
            seen.add(custom)


def _check_button(one: dict[str, Any], at: str, form: Form) -> None:
    style = one.get("style")
    form.choice(f"{at}.style", style, (1, 2, 3, 4, LINK_STYLE, PREMIUM_STYLE))
    label = one.get("label")
    if label is not None:
        form.check(f"{at}.label", label, 80)
    if style == LINK_STYLE:
        if not one.get("url"):
            form.required(f"{at}.url")
        form.check(f"{at}.url", one.get("url") or "", 512)
    elif style != PREMIUM_STYLE:
        if one.get("custom_id") is None:
            form.required(f"{at}.custom_id")
        else:
            form.check(f"{at}.custom_id", one["custom_id"], 100, 1)
        if not label and not one.get("emoji"):
            form.add(at, "BUTTON_COMPONENT_LABEL_OR_EMOJI_REQUIRED", "A button must have a label or an emoji")


def _flat(components: Any) -> Iterator[dict[str, Any]]:
    for one in components or ():
        if isinstance(one, dict):
            yield one
            yield from _flat(one.get("components"))
            yield from _flat([one["accessory"]] if one.get("accessory") else ())


def _check_v2(body: dict[str, Any], components: Any, form: Form) -> None:
    """Discord docs, Components Reference: no content and no embeds beside them; 40 components, 4000 characters."""
    for name in ("content", "embeds"):
        if body.get(name):
            told = f"The '{name}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2"
            form.add(name, "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", told)
    for number, one in enumerate(components):
        form.choice(f"components.{number}.type", one.get("type"), V2_TOP)
    every = list(_flat(components))
    form.check("components", every, MAX_V2)
    seen: set[str] = set()
    for number, one in enumerate(components):
        if one.get("type") == ROW:
            _check_row(one, f"components.{number}", seen, form)
    if sum(len(one.get("content") or "") for one in every) > MAX_V2_TEXT:
        told = f"The total size of displayable text exceeds the maximum size of {MAX_V2_TEXT}"
        form.add("components", "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", told)
