"""Servers of tools in the configuration."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bot.settings.places import Place

SECRET = "sk-canary0123456789abcdef"


def servers(**rows: Any) -> dict[str, Any]:
    """A configuration with these servers and one named agent."""
    return {"mcp": {"servers": rows}, "agents": {"list": {"clerk": {}}}}


@pytest.mark.parametrize(
    ("row", "field", "says"),
    [
        ({}, "", "neither command nor url is set; allowed: exactly one of command"),
        ({"command": "x", "url": "http://here/mcp"}, "", "both command and url are set"),
        ({"command": "x", "headers": {}}, "", "headers has no meaning beside command"),
        ({"url": "http://here/mcp", "args": []}, "", "args has no meaning beside url"),
        ({"url": "here/mcp"}, ".url", "a URL that starts with http"),
        (
            {"command": "x", "trust": "all"},
            ".trust",
            '"all" is not allowed; allowed: one of "owners", "members"',
        ),
        ({"command": "x", "confirm": True}, ".confirm", 'one of "sideEffects", "always", "never"'),
        (
            {"command": "x", "agents": ["clark"]},
            ".agents[0]",
            '"clark" is not allowed; allowed: one of "clerk"',
        ),
        ({"command": "x", "agent": ["clerk"]}, ".agent", "nearest: mcp.servers.notes.agents"),
        ({"command": "x", "env": {"A": "${GONE}"}}, ".env.A", "the variable GONE is not set"),
        ({"command": "x", "env": {"A": 5}}, ".env.A", "not shown, as it may be secret"),
    ],
)
def test_a_wrong_server_is_named_with_its_field_and_what_is_allowed(
    place: Place, row: dict[str, Any], field: str, says: str
) -> None:
    problems = place.problems(servers(notes=row))
    assert list(problems) == [f"mcp.servers.notes{field}"]
    assert says in problems[f"mcp.servers.notes{field}"]


def test_references_are_followed_in_every_text(place: Place) -> None:
    place.store(kept=SECRET)
    row = {
        "command": "${WHERE}/server",
        "args": ["--root", "${WHERE}"],
        "env": {"TOKEN": "profile:kept", "LOG_LEVEL": "verbose"},
    }
    [server] = place.load(servers(notes=row), {"WHERE": "/srv"}).tool_servers
    assert (server.name, server.settings.command) == ("notes", "/srv/server")
    assert server.settings.args == ("--root", "/srv")
    assert server.settings.env["TOKEN"].get_secret_value() == SECRET


def test_a_secret_that_is_put_into_an_address_or_an_argument_is_known_as_one(place: Place) -> None:
    rows = servers(
        far={"url": "https://far/${FAR_TOKEN}/mcp"}, near={"command": "x", "args": ["--key=${API_KEY}"]}
    )
    settings = place.load(rows, {"FAR_TOKEN": SECRET, "API_KEY": "key-of-the-near-one"})
    assert {SECRET, "key-of-the-near-one"} <= set(settings.secrets())


def test_what_may_be_a_secret_under_a_name_that_says_nothing_is_masked_all_the_same(place: Place) -> None:
    env = {
        "VALUE": "x9w8v7u6t5s4r3q2p1",
        "PLACE": "/srv/notes/of/everybody",
        "FLAGS": "--quiet and nothing else",
    }
    settings = place.load(servers(notes={"command": "x", "env": env}))
    assert "x9w8v7u6t5s4r3q2p1" in settings.secrets()
    assert not {env["PLACE"], env["FLAGS"]} & set(settings.secrets())
    assert settings.warnings == (), "nobody is told to move it"


def test_only_what_sounds_like_a_secret_or_is_referred_to_is_one(place: Place) -> None:
    env = {"NOTES_TOKEN": SECRET, "LOG_LEVEL": "verbose", "PLACE": "${WHERE}"}
    headers = {"X-Api-Key": "key-0123456789", "Accept-Language": "german"}
    rows = servers(notes={"command": "x", "env": env}, far={"url": "http://far/mcp", "headers": headers})
    settings = place.load(rows, {"WHERE": "somewhere"})
    assert {SECRET, "somewhere", "key-0123456789"} <= set(settings.secrets())
    assert not {"verbose", "german"} & set(settings.secrets())
    warned = [warning.partition(" ")[0] for warning in settings.warnings]
    assert warned == ["mcp.servers.notes.env.NOTES_TOKEN", "mcp.servers.far.headers.X-Api-Key"]
    assert SECRET not in repr(settings)


def test_a_server_that_is_off_needs_no_secret(place: Place) -> None:
    row = {"command": "x", "env": {"TOKEN": "${GONE}"}, "enabled": False}
    assert place.load(servers(notes=row)).tool_servers == ()


def test_a_variable_of_the_environment_names_a_server_too(place: Place) -> None:
    [server] = place.load({}, {"FIRSTWORD_MCP__SERVERS__NOTES__COMMAND": "notes-server"}).tool_servers
    assert (server.name, server.settings.command) == ("notes", "notes-server")
