"""What has gone wrong in gateways of this kind, tried on this one; README.md says which test stands for which advisory.

Here stand those that no other test shows.
"""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from pathlib import Path

import aiohttp
import pytest
from pydantic import BaseModel, SecretStr

from bot.errors import SettingsError
from bot.home import Home
from bot.plugins import discover
from bot.settings import load_settings
from channels.telegram import SPEC
from tests.architecture.source import ROOT, python_files, text, tree
from tests.channels.telegram.fixtures import peer, peer_process
from tests.channels.telegram.peer.client import Peer
from tests.security.house import open_house
from tests.security.test_listeners_rotation import DOORS, OLD, PROXY, config, running
from tests.security.test_webhook_telegram import accounts, update

__all__ = ["peer", "peer_process"]

TABLE = Path(__file__).with_name("README.md")

ADVISORIES = (
    "CVE-2026-25253",
    "CVE-2026-25593",
    "CVE-2026-28472",
    "GHSA-rqpp-rjj8-7wv8",
    "GHSA-4jpw-hj22-2xmc",
    "GHSA-943q-mwmv-hhvh",
    "GHSA-xmxx-7p24-h892",
    "GHSA-m8wm-r5vq-qjpg",
    "GHSA-5wcw-8jjv-m286",
    "openclaw PR #57647",
    "CVE-2026-28395",
    "openclaw #20809",
    "CVE-2026-28480",
    "GHSA-4cqv-h74h-93j4",
    "CVE-2026-28446",
    "GHSA-2gvc-4f3c-2855",
    "GHSA-9vvh-2768-c8vp",
    "CVE-2026-26319",
    "CVE-2026-44109",
    "CVE-2026-41395",
    "GHSA-rm59-992w-x2mv",
    "CVE-2026-28467",
    "CVE-2026-28451",
    "CVE-2026-26322",
    "CVE-2026-34504",
    "GHSA-mr34-9552-qr95",
    "CVE-2026-28452",
    "CVE-2026-28463",
    "openclaw #50614",
    "openclaw #19137",
    "openclaw #16052",
    "AstrBot #8781",
    "AstrBot PR #7338",
)
"""Advisories and reports of 2026 about gateways like this one (read 2026-11)."""

ROOMS = [path for room in ("bot", "channels", "routing", "providers") for path in python_files(room)]


def rows() -> list[tuple[str, str]]:
    """The table's rows: id, and what stands for it here."""
    found = re.findall(r"^\| ([^|]+) \| [^|]+ \| ([^|]+) \|$", TABLE.read_text(), re.MULTILINE)
    return [(name.strip(), ours.strip()) for name, ours in found if name.strip() not in ("Id", "---")]


def test_every_advisory_has_one_row() -> None:
    assert Counter(name for name, _ in rows()) == Counter(ADVISORIES)


@pytest.mark.parametrize(("name", "ours"), rows())
def test_every_row_names_a_test_that_there_is_or_says_why_not(name: str, ours: str) -> None:
    named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", ours)
    assert named or ours.endswith("."), f"{name}: neither a test nor a sentence"
    for file, test in named:
        made = {
            node.name
            for node in ast.walk(tree(ROOT / "tests" / file))
            if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)
        }
        assert test in made, f"{name}: tests/{file} has no {test}"


@pytest.mark.parametrize("name", DOORS)
async def test_a_wrong_key_gets_what_no_key_gets_and_nothing_in_the_address_is_one(
    tmp_path: Path, name: str
) -> None:
    door = DOORS[name]
    async with running(tmp_path, config(door.place, OLD)) as here, aiohttp.ClientSession() as session:
        listening = here.daemon.listening
        base = f"{listening.public if door.is_public else listening.private}{door.path}"
        right = door.show(OLD)
        kind = {"Content-Type": "application/json"} if door.is_public else {}
        wrong = {**door.show("x" * len(OLD)), **kind}
        query = "&".join(
            f"{each}={OLD}"
            for each in ("token", "access_token", "key", "api_key", "auth", "secret", "secret_token")
        )
        said = []
        for url, headers in (
            (base, kind),
            (base, wrong),
            (f"{base}?{query}", kind),
            (f"{base}?gatewayUrl=wss://evil.example&token={OLD}", kind),
            (f"{base}#{OLD}", kind),
            (base, {**kind, "X-Device-Token": OLD, "X-Token": OLD, "X-Api-Key": OLD}),
            (base, {**kind, "Authorization": f"Basic {OLD}"}),
            (base, {**kind, "Cookie": f"token={OLD}; firstword_session={OLD}"}),
        ):
            async with session.request(door.method, url, headers={**PROXY, **headers}) as answer:
                body = re.sub(rb"\d+", b"", await answer.read())
                said.append((answer.status, body, answer.headers.get("Set-Cookie")))
        assert said == [said[0]] * len(said)
        assert said[0][0] == 401
        async with session.request(door.method, base, headers={**PROXY, **right}) as answer:
            assert answer.status == door.opened


async def test_the_page_connects_to_where_it_came_from_and_takes_no_address_from_its_own(
    tmp_path: Path,
) -> None:
    async with (
        running(tmp_path, config(DOORS["page"].place, OLD)) as here,
        aiohttp.ClientSession() as session,
    ):
        address_ = here.daemon.listening.private
        url = f"{address_}/?gatewayUrl=wss://evil.example"
        async with session.get(url, headers={"Authorization": f"Bearer {OLD}"}) as answer:
            policy = answer.headers["Content-Security-Policy"]
            host = address_.removeprefix("http://")
            assert f"connect-src 'self' ws://{host} wss://{host};" in policy
            assert "evil" not in policy + await answer.text()
    scripts = [path for path in (ROOT / "channels" / "web").rglob("*") if path.suffix in (".js", ".html")]
    assert scripts
    for path in scripts:
        for word in ("location.search", "URLSearchParams", "searchParams"):
            assert word not in text(path), f"{path.name} reads {word}"


async def test_no_request_writes_a_setting_or_names_a_program(tmp_path: Path) -> None:
    """Also on this machine: settings are written by the command line, which is the owner's shell."""
    async with running(tmp_path, config(DOORS["page"].place, OLD)) as here:
        found = {(route.method, route.path) for route in here.daemon.app.routes() if route.method != "GET"}
    assert found == {
        ("POST", "/web/login"),
        ("POST", "/web/logout"),
        ("POST", "/v1/chat/completions"),
        ("POST", "/v1/embeddings"),
        ("*", "/v1/{tail:.*}"),
        ("POST", "/telegram/main"),
        ("POST", "/slack/main"),
    }


async def test_nobody_is_more_than_the_store_says_whatever_they_say_of_themselves(
    peer: Peer, tmp_path: Path
) -> None:
    claims = {"role": "owner", "is_owner": True, "is_admin": True, "scopes": ["operator.admin"], "id": 4711}
    async with (
        open_house(tmp_path, SPEC, accounts(peer), allow=("1",)) as house,
        aiohttp.ClientSession() as session,
    ):
        post = update(1, "hello")
        body = json.loads(post.body)
        body |= claims
        body["message"] |= {
            **claims,
            "via_bot": {"id": 1, "is_bot": True},
        }
        body["message"]["from"] |= {**claims, "username": "1", "first_name": "1"}
        claiming = type(post)(
            post.path, json.dumps(body).encode(), (*post.headers, ("X-Scopes", "operator.admin"))
        )
        assert await claiming.send(session, house.public) == 200
        await house.inside.quiet()
        assert house.inside.provider.asked == []


NAMES = (
    "@ann",
    "ann",
    "Ann Smith",
    "ann#1234",
    "ann-smith",
    "general",
    "#general",
    "4711 ",
    "",
    " ",
    "47*",
    "*4711",
)


@pytest.mark.parametrize("channel", ["telegram", "discord", "slack", "matrix"])
@pytest.mark.parametrize("field", ["allow", "owner", "groups"])
def test_a_name_is_no_id_on_any_channel(tmp_path: Path, channel: str, field: str) -> None:
    """A name can be taken over, and two may read alike; an id is given once."""
    spec = discover().channel(channel)
    assert spec.id_pattern is not None
    assert [name for name in NAMES if re.fullmatch(spec.id_pattern, name)] == []
    home = Home(tmp_path)
    account = {field: list(NAMES)}
    home.config.write_text(json.dumps({"channels": {channel: {"accounts": {"main": account}}}}))
    with pytest.raises(SettingsError):
        load_settings(home, home.config, {})


def secrets_of(model: type[BaseModel]) -> list[tuple[str, object]]:
    """The secrets of a settings model and their defaults."""
    found: list[tuple[str, object]] = []
    for name, info in model.model_fields.items():
        if "SecretStr" in str(info.annotation) and not info.is_required():
            found.append((f"{model.__name__}.{name}", info.get_default(call_default_factory=False)))
    return found


def test_no_secret_has_a_default() -> None:
    plugins = discover()
    models = [plugins.channel(name).settings for name in plugins.channels]
    models += [plugins.provider(name).settings for name in plugins.providers]
    found = [each for model in models for each in secrets_of(model)]
    assert len(found) >= 4
    assert [each for each in found if isinstance(each[1], SecretStr | str)] == []


FORBIDDEN = {
    "a shell": re.compile(
        r"shell\s*=\s*True|create_subprocess_shell|os\.system|os\.popen|subprocess\.getoutput"
    ),
    "code out of data": re.compile(
        r"(?<![\w.])(?:eval|exec)\(|pickle|marshal\.loads|yaml\.(?:unsafe_)?load\(|__import__\("
    ),
    "an installation": re.compile(r"\bpip\b[\"', ]+install|ensurepip|urlretrieve|extractall|unpack_archive"),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_code_of_ours_runs_what_others_wrote(what: str) -> None:
    """Programs are started with their arguments one by one; data stays data; plug-ins are installed packages."""
    words = FORBIDDEN[what]
    hits = []
    for path in ROOMS:
        for number, line in enumerate(text(path).splitlines(), 1):
            code = line.partition("#")[0]
            if words.search(code) and not re.search(r"^\s*(?:\"|'|f\"|r\")|\"[^\"]*pip install", code):
                hits.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert hits == []


def test_an_event_is_judged_at_its_one_way_in_and_again_when_it_is_taken_up() -> None:
    """No second path that somebody could forget to guard: nothing else calls lanes or judges for itself."""
    judges = {_name(path) for path in ROOMS if re.search(r"(?<!def )\bauthorise\([a-z]", text(path))}
    givers = {_name(path) for path in ROOMS if re.search(r"\blanes\.(?:submit|beside)\(", text(path))}
    assert judges == {"bot/inbox.py", "bot/recovery.py", "bot/turn.py"}, "the last one before a turn begins"
    assert givers == {"bot/inbox.py", "bot/messenger.py"}, "the messenger says words of our own"


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()
