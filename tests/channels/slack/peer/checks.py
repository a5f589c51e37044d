"""What a message may hold. Pure; raises ApiError with Slack's own names.

Sources (2026-11): Slack docs, chat.postMessage and chat.update ("errors"), Block Kit reference, `markdown` block and
`markdown_text` (12,000 characters). The shape of `invalid_blocks` is the one that users of section blocks report.
"""

from __future__ import annotations

from typing import Any

from .wire import ApiError, Args

# chat.postMessage, "text": "Provide no more than 40,000 characters".
MAX_TEXT = 40_000
# chat.update refuses text above 4,000 characters, as users report (seratch/ChatGPT-in-Slack#102).
MAX_UPDATE_TEXT = 4_000
# markdown_text, and all `markdown` blocks of one payload together.
MAX_MARKDOWN = 12_000
MAX_BLOCKS = 50
MAX_SECTION_TEXT = 3_000
MAX_FIELD_TEXT = 2_000
MAX_HEADER_TEXT = 150
_MAX_ELEMENTS = {"actions": 25, "context": 10}
MAX_ID = 255
MAX_BUTTON_TEXT = 75
MAX_BUTTON_VALUE = 2_000
# Slack docs, "Message metadata": event_payload up to 8 KB is what users see accepted; the error is metadata_too_large.
MAX_METADATA_BYTES = 8_192

_KINDS = {
    "actions", "alert", "card", "carousel", "context", "context_actions", "divider", "file", "header", "image",
    "input", "markdown", "plan", "rich_text", "section", "table", "task_card", "video",
}  # fmt: skip


def check_markdown(markdown: str) -> None:
    """Raises msg_too_long."""
    if len(markdown) > MAX_MARKDOWN:
        raise ApiError("msg_too_long")


def read_blocks(args: Args) -> list[dict[str, Any]] | None:
    """The checked blocks of a call; None when it gave none."""
    blocks = args.nested("blocks", "invalid_blocks_format")
    if blocks is None:
        return None
    check_blocks(blocks)
    return [dict(block) for block in blocks]


def check_blocks(blocks: Any, where: str = "/blocks") -> None:
    """Raises invalid_blocks with the first fault found, invalid_blocks_format for what is no list of objects."""
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise ApiError("invalid_blocks_format")
    if len(blocks) > MAX_BLOCKS:
        raise _invalid(f"no more than {MAX_BLOCKS} items allowed", where)
    markdown = sum(len(str(block.get("text", ""))) for block in blocks if block.get("type") == "markdown")
    if markdown > MAX_MARKDOWN:
        raise ApiError("msg_blocks_too_long")
    seen_blocks: set[str] = set()
    seen_actions: set[tuple[str, str]] = set()
    for number, block in enumerate(blocks):
        here = f"{where}/{number}"
        _check_block(block, here)
        block_id = block.get("block_id")
        if block_id is not None:
            if block_id in seen_blocks:
                raise _invalid("block_id must be unique", f"{here}/block_id")
            seen_blocks.add(block_id)
        for element in block.get("elements", []):
            action = (here, str(element.get("action_id", "")))
            if action[1] and action in seen_actions:
                raise _invalid("action_id must be unique", here)
            seen_actions.add(action)


def _check_block(block: dict[str, Any], where: str) -> None:
    kind = block.get("type")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise _invalid(f"unsupported type: {kind}", f"{where}/type")
    if not isinstance(block.get("block_id", ""), str):
        raise _invalid("must be a string", f"{where}/block_id")
    _at_most(block.get("block_id", ""), MAX_ID, f"{where}/block_id")
    for name in ("elements", "fields"):
        parts = block.get(name, [])
        if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
            raise _invalid("must be an array of objects", f"{where}/{name}")
    if kind == "section":
        _section(block, where)
    elif kind == "header":
        _text_object(block.get("text"), MAX_HEADER_TEXT, f"{where}/text", kinds=("plain_text",))
    elif kind == "markdown":
        if not isinstance(block.get("text"), str) or not block["text"].strip():
            raise _invalid("must be more than 0 characters", f"{where}/text")
    elif kind in _MAX_ELEMENTS:
        _elements(block, where, _MAX_ELEMENTS[kind])


def _section(block: dict[str, Any], where: str) -> None:
    if block.get("text") is None and not block.get("fields"):
        raise _invalid("missing required field: text", where)
    if block.get("text") is not None:
        _text_object(block["text"], MAX_SECTION_TEXT, f"{where}/text")
    for number, part in enumerate(block.get("fields", [])):
        _text_object(part, MAX_FIELD_TEXT, f"{where}/fields/{number}")
    if block.get("accessory") is not None:
        _element(block["accessory"], f"{where}/accessory")


def _elements(block: dict[str, Any], where: str, most: int) -> None:
    elements = block.get("elements")
    if not isinstance(elements, list) or not elements:
        raise _invalid("no fewer than 1 items allowed", f"{where}/elements")
    if len(elements) > most:
        raise _invalid(f"no more than {most} items allowed", f"{where}/elements")
    for number, element in enumerate(elements):
        here = f"{where}/elements/{number}"
        if element.get("type") in ("plain_text", "mrkdwn"):
            _text_object(element, MAX_SECTION_TEXT, here)
        else:
            _element(element, here)


def _element(element: Any, where: str) -> None:
    if not isinstance(element, dict):
        raise _invalid("must provide an object", where)
    _at_most(str(element.get("action_id", "")), MAX_ID, f"{where}/action_id")
    if element.get("type") != "button":
        return
    _text_object(element.get("text"), MAX_BUTTON_TEXT, f"{where}/text", kinds=("plain_text",))
    _at_most(str(element.get("value", "")), MAX_BUTTON_VALUE, f"{where}/value")
    if element.get("style") not in ("primary", "danger", None):
        raise _invalid("must be a valid enum value", f"{where}/style")


def _text_object(part: Any, most: int, where: str, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")) -> None:
    if not isinstance(part, dict) or part.get("type") not in kinds:
        raise _invalid("failed to match all allowed schemas", where)
    text = part.get("text")
    if not isinstance(text, str) or not text:
        raise _invalid("must be more than 0 characters", f"{where}/text")
    _at_most(text, most, f"{where}/text")


def _at_most(text: str, most: int, where: str) -> None:
    if len(text) > most:
        raise _invalid(f"must be less than {most + 1} characters", where)


def _invalid(what: str, where: str) -> ApiError:
    told = f"{what} [json-pointer:{where}]"
    return ApiError("invalid_blocks", errors=[told], response_metadata={"messages": [f"[ERROR] {told}"]})


def read_metadata(args: Args) -> dict[str, Any] | None:
    """The checked metadata of a call: {} takes it away, None leaves it."""
    found = args.nested("metadata", "invalid_metadata_format")
    if found is None:
        return None
    if not isinstance(found, dict):
        raise ApiError("invalid_metadata_format")
    if found and not (
        isinstance(found.get("event_type"), str) and isinstance(found.get("event_payload"), dict)
    ):
        raise ApiError("invalid_metadata_schema")
    if len(str(found)) > MAX_METADATA_BYTES:
        raise ApiError("metadata_too_large")
    return found


def read_chunks(args: Args) -> tuple[str, list[dict[str, Any]], list[dict[str, Any]]]:
    """The text, the blocks and the task cards of a streaming call's `markdown_text` and `chunks`."""
    text = args.text("markdown_text")
    chunks = args.nested("chunks", "invalid_chunks")
    blocks: list[dict[str, Any]] = []
    tasks: list[dict[str, Any]] = []
    if chunks is not None and not isinstance(chunks, list):
        raise ApiError("invalid_chunks")
    for chunk in chunks or []:
        kind = chunk.get("type") if isinstance(chunk, dict) else None
        if kind == "markdown_text" and isinstance(chunk.get("text"), str):
            text += chunk["text"]
        elif kind == "blocks" and isinstance(chunk.get("blocks"), list):
            blocks += chunk["blocks"]
        elif kind in ("task_update", "plan_update") and isinstance(chunk.get("title"), str):
            tasks.append(chunk)
        else:
            raise ApiError("invalid_chunks")
    check_markdown(text)
    check_blocks(blocks, "/chunks/blocks")
    return text, blocks, tasks
