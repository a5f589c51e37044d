"""How a program wants to be answered, put into the request for one model. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from channels.programs import Form, Wishes
from providers.base import CompletionRequest, GenerationOptions, ModelSpec, Schema

ANY_OBJECT = {"type": "object"}
"""The schema of an answer that has to be JSON and nothing more."""


def wished(request: CompletionRequest, model: ModelSpec, wishes: Wishes) -> CompletionRequest:
    """The request as the program wants it; what it does not say stays as the settings have it."""
    options, form = request.options, wishes.form
    params: dict[str, Any] = {**options.params, **wishes.params}
    if form is not None and not model.profile.schema:
        # Nobody knows whether this server follows schemas: it is told in the words in which the program said it.
        params["response_format"] = _said(form)
    has_tools = bool(request.tools)
    return replace(
        request,
        options=GenerationOptions(
            effort=options.effort,
            max_output=_limit(model, options, wishes),
            temperature=options.temperature if wishes.temperature is None else wishes.temperature,
            params=params,
        ),
        tool_choice=request.tool_choice or wishes.tool_choice if has_tools else None,
        parallel_tools=wishes.parallel_calls if has_tools else None,
        schema=Schema(form.name, form.schema, form.is_strict) if form is not None else None,
        prediction=wishes.prediction,
    )


def _said(form: Form) -> dict[str, Any]:
    if form.schema == ANY_OBJECT:
        return {"type": "json_object"}
    schema = {"name": form.name, "schema": form.schema, "strict": form.is_strict}
    return {"type": "json_schema", "json_schema": schema}


def _limit(model: ModelSpec, options: GenerationOptions, wishes: Wishes) -> int | None:
    if wishes.max_output is None:
        return options.max_output
    return wishes.max_output if model.max_output is None else min(wishes.max_output, model.max_output)
