"""/model /models /fast /reason /deep: which model answers, for this conversation, this account, all, or once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bot import words
from bot.choices import GLOBAL
from bot.commands.registry import Ask, Call, Command
from bot.prices import price_words
from channels.commands import CommandSpec
from providers.base import ModelSpec
from routing.catalog import AUTO, Catalog, Choice
from routing.errors import UnknownModel
from routing.health import Breaker
from routing.policy import NO_CREDENTIAL

_PAGE = 20
_SCOPES = {"-s": "here", "-a": "for this account", "-g": "for all"}
_UNSET = frozenset({"default"})
_SWITCHES = frozenset({"", "on", "off", "auto", "status"})


async def model(call: Call) -> str:
    """Show or switch the model of this conversation (or, for the owner, of the account or of all)."""
    parts = call.argument.split()
    scope = next((part for part in parts if part in _SCOPES), "-s")
    names = [part for part in parts if part not in _SCOPES]
    if scope != "-s" and not call.turn.is_owner:
        return words.OWNER_ONLY
    match names:
        case [] | ["status"]:
            return await _current(call)
        case ["list"]:
            return await models(Call(call.turn, "", call.desk))
        case [name]:
            return await switch(call, name, scope)
        case _:
            return "One name at a time: /model fast, /model provider/name, /model auto, /model default."


async def switch(call: Call, name: str, scope: str = "-s") -> str:
    """Make `name` the standing choice of a scope; it holds from the next answer on, over restarts.

    Every command that does so comes here, and needs what /model needs.
    """
    if (needed := call.lacks("model")) is not None:
        return words.too_low(needed)
    chosen: str | None = name.lower()
    title = ""
    if chosen in _UNSET:
        chosen = None
    elif chosen != AUTO:
        try:
            first = call.catalog().resolve(name)[0].model
            title = words.retired(first.ref) if is_retired(call.catalog(), name) else ""
        except UnknownModel as error:
            return words.unknown_model(error.name, error.nearest)
        chosen = name
        title = title or (f" ({first.ref})" if first.ref.lower() != name.lower() else "")
    await _store(call, scope, chosen)
    if scope == "-s":
        call.desk.feedback.switched(call.turn)
    where, nearer = _SCOPES[scope], await _nearer(call, scope)
    if chosen is None:
        return f"Nothing is chosen {where} any more; {await _wider(call, scope)} answers.{nearer}"
    if chosen == AUTO:
        return f"The router chooses {where}.{nearer}"
    return f"{chosen}{title} answers {where} from the next message on.{nearer}"


async def _wider(call: Call, scope: str) -> str:
    """Who answers where nothing is chosen in a scope."""
    found = {
        "for this account": await call.desk.choices.model_for(call.turn.account.scope)
        if scope == "-s"
        else None,
        "for all": await call.desk.choices.model_for(GLOBAL) if scope != "-g" else None,
    }
    return next((f"{name}, chosen {where}," for where, name in found.items() if name), "the default")


async def _nearer(call: Call, scope: str) -> str:
    """A note on the choice that stands over one of a wider scope, "" where there is none."""
    found = {"here": (await call.talk()).state.choices.get("model") if scope != "-s" else None}
    if scope == "-g":
        found["for this account"] = await call.desk.choices.model_for(call.turn.account.scope)
    notes = [
        f" But {where} {name} was chosen, which stands over it." for where, name in found.items() if name
    ]
    return notes[0] if notes else ""


def is_retired(catalog: Catalog, name: str) -> bool:
    """The name is that of a model that its vendor took away."""
    wanted = name.lower()
    return any(wanted in (ref, ref.partition("/")[2]) for ref in catalog.retired)


async def _store(call: Call, scope: str, chosen: str | None) -> None:
    if scope == "-s":
        await call.desk.conversations.choose(call.turn.key, "model", chosen)
    elif scope == "-a":
        await call.desk.choices.choose_model(call.turn.account.scope, chosen)
    else:
        await call.desk.choices.choose_model(GLOBAL, chosen)


async def _current(call: Call) -> str:
    desk = call.desk
    here = (await call.talk()).state.choices.get("model")
    account = await desk.choices.model_for(call.turn.account.scope)
    everywhere = await desk.choices.model_for(GLOBAL)
    catalog = call.catalog()
    chosen = here or account or everywhere
    lines = []
    if chosen is None or chosen == AUTO:
        lines.append(f"Model: **{catalog.primary.model.ref}** ({desk.model_origin()}).")
    else:
        where = "here" if here else "for this account" if account else "for all"
        try:
            lines.append(f"Model: **{catalog.resolve(chosen)[0].model.ref}** ({chosen}, chosen {where}).")
        except UnknownModel:
            lines.append(
                f"{chosen} was chosen {where}, but it is gone; **{catalog.primary.model.ref}** answers."
            )
    names = ", ".join(f"`{alias}`" for alias in catalog.aliases)
    lines.append(
        f"Switch with /model NAME: {names + ', ' if names else ''}`auto`, `default`, or one of /models."
    )
    return "\n".join(lines)


async def models(call: Call) -> str:
    """List the models, with what was measured of each and whether it is in use."""
    words_ = call.argument.split()
    page = int(words_[-1]) if words_ and words_[-1].isdecimal() else 1
    wanted = words_[0].lower() if words_ and not words_[0].isdecimal() else ""
    catalog = call.catalog()
    specs = [spec for spec in catalog.models.values() if wanted in ("", spec.provider.lower())]
    if not wanted and len(specs) > _PAGE:  # the ones in use first, not the three hundred of one provider
        used = dict.fromkeys(choice.model.ref for choice in in_use(catalog))
        specs.sort(key=lambda spec: (spec.ref not in used, spec.ref))
    if not specs:
        providers = ", ".join(sorted({spec.provider for spec in catalog.models.values()}))
        return f"No provider is called “{wanted}”. There are: {providers}."
    pages = (len(specs) + _PAGE - 1) // _PAGE
    page = max(1, min(page, pages))
    lines = [_row(call, spec) for spec in specs[(page - 1) * _PAGE : page * _PAGE]]
    if page == 1:
        for alias, choices in catalog.aliases.items():
            lines.append(f"- `{alias}` = {', then '.join(choice.model.ref for choice in choices)}")
    if pages > 1:
        lines.append(f"Page {page} of {pages}; /models {page % pages + 1} shows more.")
    return "\n".join(lines)


def in_use(catalog: Catalog) -> tuple[Choice, ...]:
    """What answers, what stands behind it, and what the aliases mean."""
    named = [choice for choices in catalog.aliases.values() for choice in choices]
    return (catalog.primary, *catalog.fallbacks, *named)


def _row(call: Call, spec: ModelSpec) -> str:
    health, now = call.desk.health, call.desk.clock()
    ids = call.catalog().credentials.get(spec.provider) or (NO_CREDENTIAL,)
    keys = [(spec.provider, spec.model, each) for each in ids]
    parts = [f"- `{spec.ref}`"]
    ttft = next((each for key in keys if (each := health.ttft(key, 0.5)) is not None), None)
    if ttft is not None:
        parts.append(f"first token {ttft * 1000:.0f} ms")
    parts.append(price_words(spec.price))
    if all(health.breaker(key, now) is not Breaker.CLOSED for key in keys):  # with one good key it answers
        parts.append(f"resting ({health.reason(keys[0])})")
    return ", ".join(parts)


def _one_shot(alias: str) -> Callable[[str], Ask | None]:
    def asks(argument: str) -> Ask | None:
        return None if argument.lower() in _SWITCHES else Ask(argument, alias)

    return asks


def _bare(alias: str) -> Callable[[Call], Awaitable[str]]:
    async def run(call: Call) -> str:
        match call.argument.lower():
            case "on":
                return await switch(call, alias)
            case "off":
                return await switch(call, "default")
            case "auto":
                return await switch(call, AUTO)
            case "status":
                return await _current(call)
            case _:
                return (
                    f"/{alias} TEXT asks the {alias} model this once. /model {alias} keeps it; "
                    f"/{alias} on, /{alias} off and /{alias} auto do the same in short."
                )

    return run


COMMANDS = (
    Command(
        CommandSpec(
            "model",
            "Show or switch the model",
            "[fast|reason|deep|auto|default|NAME|list|status] [-s|-a|-g]",
            choices=("fast", "reason", "deep", "auto", "default", "list"),
        ),
        model,
    ),
    Command(CommandSpec("models", "List the models", "[provider] [page]"), models),
    *(
        Command(
            CommandSpec(alias, f"Ask the {alias} model this once", "[text]", takes_turn=True),
            _bare(alias),
            _one_shot(alias),
        )
        for alias in ("fast", "reason", "deep")
    ),
)
