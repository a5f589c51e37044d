"""The app's manifest is made of the command table, and the one in deploy/ is the one that is made."""

from __future__ import annotations

import json
from pathlib import Path

from bot.commands.table import all_commands
from channels.commands import CommandSpec, Role
from channels.slack import SPEC
from channels.slack.manifest import EVENTS, SCOPES, hint
from channels.slack.parse import _READERS
from channels.slack.settings import SlackSettings

FILE = Path(__file__).parents[3] / "deploy" / "slack-manifest.json"
SPECS = all_commands().specs


def test_the_manifest_in_deploy_is_the_one_that_is_made() -> None:
    assert SPEC.manifest is not None
    assert FILE.read_text() == SPEC.manifest(SPECS)


def test_its_command_is_the_one_that_the_settings_expect() -> None:
    found = json.loads(FILE.read_text())
    (command,) = found["features"]["slash_commands"]
    assert command["command"] == SlackSettings.model_fields["command"].default
    assert "agentstatus" in command["usage_hint"]
    assert "| status" not in command["usage_hint"]


def test_every_event_that_is_subscribed_is_read_and_the_other_way_round() -> None:
    """`assistant_thread_started` belongs to apps that were made before July 2026; new ones cannot subscribe to it."""
    subscribed = {event.partition(".")[0] for event in EVENTS}
    assert subscribed == set(_READERS) - {"assistant_thread_started"}


def test_every_scope_is_explained() -> None:
    assert list(SCOPES) == sorted(SCOPES)
    assert all(SCOPES.values())


def test_the_hint_leaves_out_what_only_the_owner_may_use() -> None:
    assert hint([CommandSpec("help", "x"), CommandSpec("config", "x", role=Role.OWNER)]) == "help"
    assert len(hint([CommandSpec(f"command{number}", "x") for number in range(100)])) <= 150
    assert hint([]) == "help"
