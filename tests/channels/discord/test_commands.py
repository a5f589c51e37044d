"""The command table becomes application commands within Discord's limits, and what is typed into them."""

from __future__ import annotations

import re

import pytest

from bot.commands.table import all_commands
from channels.base import ModelChoice
from channels.commands import CommandSpec, Role, parse_command
from channels.discord.commands import application_commands, fingerprint, options_of, spec_named, suggestions

OURS = all_commands()
MODELS = (
    ModelChoice("auto", "automatic", is_current=True),
    ModelChoice("fast", "fast (small)"),
    ModelChoice("demo/large", "A large model"),
)


def test_every_command_of_the_daemon_is_registered_within_discords_limits() -> None:
    """Discord docs, Application Commands: names, descriptions, options, choices, 8000 characters in all."""
    entries = application_commands(OURS.specs)
    assert [entry["name"] for entry in entries] == [spec.name for spec in OURS.specs]
    for entry in entries:
        size = len(entry["name"]) + len(entry["description"])
        assert re.fullmatch(r"[a-z0-9_-]{1,32}", entry["name"])
        assert 1 <= len(entry["description"]) <= 100
        required = [option.get("required", False) for option in entry.get("options", [])]
        assert required == sorted(required, reverse=True)
        for option in entry.get("options", []):
            size += len(option["name"]) + len(option["description"])
            assert re.fullmatch(r"[a-z0-9_-]{1,32}", option["name"])
            assert 1 <= len(option["description"]) <= 100
            assert not (option.get("choices") and option.get("autocomplete"))
            assert len(option.get("choices", [])) <= 25
        assert size < 8000
        assert len({option["name"] for option in entry.get("options", [])}) == len(entry.get("options", []))


@pytest.mark.parametrize(
    ("usage", "choices", "wanted"),
    [
        ("", (), []),
        ("[page]", (), [("page", 4, (), False)]),
        ("<text>", (), [("text", 3, (), False)]),
        ("[model]", (), [("model", 3, (), True)]),
        ("[on|off]", ("on", "off"), [("value", 3, ("on", "off"), False)]),
        ("[soft]", ("soft",), [("value", 3, ("soft",), False)]),
        (
            "[fast|NAME|list] [-s|-a]",
            ("fast",),
            [("name", 3, (), True), ("flag", 3, ("-s", "-a"), False)],
        ),
    ],
)
def test_arguments_are_typed_by_the_usage(
    usage: str, choices: tuple[str, ...], wanted: list[tuple[str, int, tuple[str, ...], bool]]
) -> None:
    (entry,) = application_commands([CommandSpec("thing", "does it", usage, choices=choices)])
    found = [
        (
            option["name"],
            option["type"],
            tuple(choice["value"] for choice in option.get("choices", [])),
            option.get("autocomplete", False),
        )
        for option in entry.get("options", [])
    ]
    assert found == wanted


def test_what_is_chosen_in_a_menu_is_the_command_that_would_be_typed() -> None:
    parsed = parse_command("/model demo/large -a", OURS.index)
    assert parsed is not None
    assert (parsed.spec.name, parsed.argument) == ("model", "demo/large -a")


def test_owners_commands_are_hidden_from_all_but_administrators() -> None:
    (entry,) = application_commands([CommandSpec("config", "write settings", role=Role.OWNER)])
    assert entry["default_member_permissions"] == "0"


def test_commands_work_in_servers_and_with_the_bot_alone() -> None:
    (entry,) = application_commands([CommandSpec("help", "short help")])
    assert entry["contexts"] == [0, 1]
    assert entry["integration_types"] == [0]


def test_a_name_that_discord_would_refuse_is_left_out() -> None:
    specs = [
        CommandSpec("Help!", "x"),
        CommandSpec("good", " "),
        CommandSpec("fine", "y", channel_names={"discord": "other"}),
    ]
    assert [entry["name"] for entry in application_commands(specs)] == ["other"]
    assert spec_named(specs, "other") is specs[2]


def test_the_fingerprint_changes_with_the_commands_and_the_application() -> None:
    one = application_commands([CommandSpec("help", "short help")])
    two = application_commands([CommandSpec("help", "other help")])
    assert len({fingerprint(one, "1"), fingerprint(two, "1"), fingerprint(one, "2")}) == 3
    assert fingerprint(one, "1") == fingerprint(list(one), "1")


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [("", ["auto", "fast", "demo/large", "list"]), ("fa", ["fast"]), ("LARGE", ["demo/large"]), ("zzz", [])],
)
def test_models_are_suggested_by_what_is_typed(typed: str, wanted: list[str]) -> None:
    spec = CommandSpec("model", "switch", "[fast|NAME|list]", choices=("fast", "list"))
    found = suggestions(options_of(spec)[0], spec, typed, MODELS, [spec])
    assert [one["value"] for one in found] == wanted


def test_no_more_than_twenty_five_are_suggested() -> None:
    spec = CommandSpec("retry", "again", "[model]")
    many = [ModelChoice(f"vendor/model-{number}", "x" * 200) for number in range(60)]
    found = suggestions(options_of(spec)[0], spec, "", many, [spec])
    assert len(found) == 25
    assert all(len(one["name"]) <= 100 for one in found)
