"""A program's request as a prompt: its own history in place of ours, nothing left out of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.prompt import Line, Prompt, tokens_of
from bot.tools import OfferedTool
from channels.programs import Asked, Said
from providers.base import Effort, Image, PromptMessage, Role, Tool, ToolCall
from routing.catalog import AUTO, Catalog
from routing.policy import RouteQuery

PICTURE_TOKENS = 1000
"""What a picture is taken to cost, as in a person's prompt."""


def prompt_of(asked: Asked, persona: str) -> Prompt:
    """What the program said, word for word. `persona`: the owner's prompt, said first where the program brings none."""
    messages = [_message(said) for said in asked.said]
    if persona and not any(each.role is Role.SYSTEM for each in messages):
        messages.insert(0, PromptMessage(Role.SYSTEM, persona))
    if all(each.role is Role.SYSTEM for each in messages):  # vendors refuse a prompt in which nobody asks
        messages[-1] = replace(messages[-1], role=Role.USER)
    lines = tuple(Line(each, tokens_of(each) + PICTURE_TOKENS * len(each.images)) for each in messages)
    prompt = Prompt((), (), lines, asked.lineage, wishes=asked.wishes)
    if asked.tools:
        return prompt.with_tools([Tool(each.name, each.description, each.parameters) for each in asked.tools])
    if called := _called(messages):
        # Vendors refuse calls in a history without the tools that were called; nothing new may be called.
        prompt = replace(prompt, wishes=replace(asked.wishes, tool_choice="none"))
        return prompt.with_tools([Tool(name, "", {"type": "object"}) for name in called])
    return prompt


def suited(query: RouteQuery, asked: Asked | None, catalog: Catalog) -> RouteQuery:
    """The query with what a program needs; as it is for people.

    A strict schema is for models that are known to follow one, where there are any and the program names none.
    """
    if asked is None:
        return query
    wishes = asked.wishes
    is_strict = wishes.form is not None and wishes.form.is_strict and asked.model.lower() in ("", AUTO)
    return replace(
        query,
        effort=Effort(wishes.effort) if wishes.effort is not None else query.effort,
        needs_tools=bool(asked.tools) or any(said.calls for said in asked.said),
        needs_schema=is_strict and any(spec.profile.schema for spec in catalog.models.values()),
        task=asked.task or None,
        answer_tokens=min(query.answer_tokens, wishes.max_output or query.answer_tokens),
    )


def ours_for(asked: Asked, offered: Sequence[OfferedTool]) -> Sequence[OfferedTool]:
    """What of our tools may be called for a program: nobody can be asked, and its words may be anybody's."""
    if asked.tools or not asked.uses_our_tools:
        return ()
    return [each for each in offered if not (each.needs_consent or each.has_side_effects) and each.is_local]


def _message(said: Said) -> PromptMessage:
    return PromptMessage(
        role=Role(said.role),
        text=said.text,
        images=tuple(Image(each.mime, each.data) for each in said.pictures),
        calls=tuple(ToolCall(each.id, each.name, each.arguments) for each in said.calls),
        call_id=said.call_id,
    )


def _called(messages: Sequence[PromptMessage]) -> list[str]:
    return list(dict.fromkeys(call.name for each in messages for call in each.calls))
