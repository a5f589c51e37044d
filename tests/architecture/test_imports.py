"""Who may import what, as allow-lists; the floors and layers stand in imports.toml beside this file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.architecture.source import (
    ROOMS,
    ROOT,
    core,
    entry_points,
    expect_none,
    imports,
    is_inside,
    module,
    name,
    python_files,
)

# An SDK or server library, by import name, and the modules that may import it.
HOMES = {
    "telegram": ("channels.telegram",),
    "pyromark": ("channels.telegram",),
    "discord": ("channels.discord",),
    "slack_bolt": ("channels.slack",),
    "slack_sdk": ("channels.slack",),
    "nio": ("channels.matrix",),
    "prompt_toolkit": ("channels.console", "bot.cli"),
    "anthropic": ("providers.anthropic_sdk",),
    "cerebras": ("providers.cerebras_sdk",),
    "mlx": ("providers.mlx_runtime",),
    "mlx_lm": ("providers.mlx_runtime",),
    "transformers": ("providers.mlx_runtime",),
    "huggingface_hub": ("providers.mlx_fetch",),
    "mcp": ("bot.mcp",),
    "mcp_types": ("bot.mcp",),
    "anyio": ("bot.mcp",),
    "httpx2": ("bot.mcp", "providers.anthropic_sdk", "providers.transport2"),
    "onnxruntime": ("providers.embeddings_onnx",),
    "tokenizers": ("providers.embeddings_onnx",),
    "sqlalchemy": ("bot.store",),
    "alembic": ("bot.store",),
    "sqlite3": ("bot.store",),
    "pypdf": ("bot.media.pdf",),
    "prometheus_client": ("bot.telemetry", "bot.metrics"),
    "uvloop": ("bot",),
    "pytest": ("channels.conformance", "channels.conformance_people", "providers.conformance"),
}

# What routing reads of the bottom floor: its words, never an adapter and never delivery.
ROUTING_READS = (
    "channels.capabilities",
    "channels.events",
    "channels.base",
    "channels.errors",
    "providers.allowance",
    "providers.base",
    "providers.errors",
    "providers.profile",
)

# Settled in advance, no clock, no chance, no network: what is true today is true tomorrow.
IMPURE = ("asyncio", "time", "random", "secrets", "socket", "httpx", "aiohttp", "structlog", "uvloop")
PURE = (
    "bot.pairing",
    "bot.loops",
    "bot.access",
    "bot.mcp.lines",
    "bot.mcp.naming",
    "bot.mcp.results",
    "bot.addresses",
    "bot.calls",
    "bot.exchange",
    "bot.taint",
    "bot.terminals",
    "bot.limits",
    "bot.shedding",
    "bot.media.excerpt",
    "bot.media.filetypes",
    "bot.media.html",
    "bot.media.material",
    "bot.media.office",
    "bot.media.words",
    "routing.baseline",
    "routing.cascade",
    "routing.case",
    "routing.checking",
    "routing.policy",
    "routing.pressure",
    "routing.ledger",
    "routing.spend",
    "routing.tasks",
    "routing.score",
    "routing.strategy",
    "routing.tempo",
    "routing.budgets",
    "routing.health",
    "routing.learning",
    "routing.hedge",
    "routing.retry",
    "routing.catalog",
    "routing.complexity",
    "routing.english",
    "routing.evaluate",
    "routing.examples",
    "routing.features",
    "routing.gates",
    "routing.own_words",
    "routing.prior",
    "routing.train",
    "routing.weights",
    "routing.replay",
    "routing.rollout",
    "channels.events",
    "channels.capabilities",
    "channels.guessing",
    "channels.commands",
    "channels.discord.buckets",
    "channels.discord.commands",
    "channels.discord.content",
    "channels.discord.handles",
    "channels.discord.inline",
    "channels.discord.interactions",
    "channels.discord.limits",
    "channels.discord.places",
    "channels.discord.problems",
    "channels.discord.sequence",
    "channels.discord.session",
    "channels.discord.signin",
    "channels.discord.snowflake",
    "channels.discord.starts",
    "channels.discord.table",
    "channels.discord.text",
    "channels.pacing",
    "channels.inline",
    "channels.markup",
    "channels.outcome",
    "channels.parts",
    "channels.programs",
    "channels.script",
    "channels.split",
    "channels.steps",
    "channels.wording",
    "providers.facts",
    "providers.addresses",
    "providers.anthropic_answer",
    "providers.anthropic_marks",
    "providers.anthropic_memo",
    "providers.anthropic_request",
    "providers.cerebras_batch_file",
    "providers.cerebras_request",
    "providers.cerebras_rules",
    "providers.demo_plan",
    "providers.demo_scenario",
    "providers.demo_words",
    "providers.failures",
    "providers.gemini_answer",
    "providers.gemini_failures",
    "providers.gemini_request",
    "providers.mlx_fit",
    "providers.mlx_prefix",
    "providers.mlx_prompt",
    "providers.openai_memo",
    "providers.openai_prompt",
    "providers.openai_servers",
    "providers.privacy",
    "providers.profile",
    "providers.sse",
    "providers.thinking",
)


def adapters() -> dict[str, str]:
    """Our adapters and dialects: entry-point name to module."""
    return entry_points("firstword.channels") | entry_points("firstword.providers")


def breaches(
    files: Iterable[Path], forbidden: tuple[str, ...], allowed: tuple[str, ...] = ()
) -> Iterator[str]:
    """Each import of something forbidden that is not allowed, as a line for a person."""
    for path in files:
        for imported, line in imports(path):
            if is_inside(imported, forbidden) and not is_inside(imported, allowed):
                yield f"{name(path)}:{line} imports {imported}"


@pytest.mark.parametrize("library", HOMES)
def test_a_library_is_imported_only_at_its_home(library: str) -> None:
    strangers = [path for path in python_files(*ROOMS) if not is_inside(module(path), HOMES[library])]
    expect_none(breaches(strangers, (library,)), f"{library} is imported only by {', '.join(HOMES[library])}")


def test_routing_reads_only_the_words_of_channels_and_providers() -> None:
    expect_none(
        breaches(python_files("routing"), ("channels", "providers"), ROUTING_READS),
        "routing reads only the words of the rooms below",
    )


def test_the_core_names_no_adapter() -> None:
    own = tuple(adapters().values())
    expect_none(breaches(core(), own), "adapters are reached through entry points")


def test_adapters_do_not_know_each_other() -> None:
    own = set(adapters().values())
    found = [
        breach
        for path in python_files("channels", "providers")
        for home in own
        if is_inside(module(path), (home,))
        for breach in breaches([path], tuple(own - {home}))
    ]
    expect_none(found, "adapters do not know each other")


def test_adapters_do_not_reach_into_delivery() -> None:
    """What is visible is decided above them; an adapter that delivers would be a second writer."""
    own = tuple(entry_points("firstword.channels").values())
    files = [path for path in python_files("channels") if is_inside(module(path), own)]
    expect_none(
        breaches(files, ("channels.delivery", "channels.journal", "channels.pacing")),
        "an adapter does not deliver",
    )


def test_pure_modules_take_clock_and_chance_as_arguments() -> None:
    pure = [path for path in python_files(*ROOMS) if module(path) in PURE or path.stem in ("parse", "render")]
    assert pure
    expect_none(breaches(pure, IMPURE), "pure modules take clock, chance and clients as arguments")


def test_only_tests_import_tests() -> None:
    expect_none(breaches(python_files(*ROOMS), ("tests",)), "only tests import tests")


def test_sdks_are_imported_inside_functions_where_a_spec_is_loaded() -> None:
    """A package's own file and its settings are read before anybody has enabled the channel."""
    read_early = [
        ROOT / f"{target.replace('.', '/')}/{file}"
        for target in entry_points("firstword.channels").values()
        for file in ("__init__.py", "settings.py")
    ]
    expect_none(
        breaches([path for path in read_early if path.exists()], (*HOMES, "aiohttp", "httpx")),
        "what is read early imports no SDK",
    )
