"""Faults that need a life of their own: a clock that leaps, a disk whose flush fails, a name, a certificate, a token."""

from __future__ import annotations

import errno
import ssl
import subprocess
from pathlib import Path

import pytest

from tests.faults.preload import FAKETIME, FIU, find, order, with_clock, with_faults
from tests.faults.scene import BACK, WHOLE, open_scene, until_async
from tests.mock_model.client import MockModel
from tests.peers import require_ability

pytestmark = pytest.mark.slow  # real daemons

HOUR, DAY = 3600, 86_400
CERTIFICATE = Path(__file__).parents[1] / "providers" / "untrusted.pem"
"""For 127.0.0.1, signed by itself; trusted where SSL_CERT_FILE names it."""


async def test_a_clock_that_leaps_to_and_fro_loses_and_repeats_nothing(
    tmp_path: Path, peer_process: dict[str, object], mock_model_process: MockModel
) -> None:
    library = find(FAKETIME)
    require_ability("libfaketime", found=library)
    assert library is not None
    leap = tmp_path / "leap"
    command = with_clock(library, leap)
    async with open_scene(tmp_path / "home", peer_process, mock_model_process, command) as scene:
        for seconds in (HOUR, -HOUR, DAY, -DAY):
            chat = scene.somebody()
            scene.model.script({"model": "s", "text": BACK, "hold": "go", "hold_after": 1})
            await scene.peer.say(chat, "what time is it?")
            await scene.model.wait("first_sent")
            async with scene.counted("firstword_clock_sets_total"):
                leap.write_text(f"{seconds:+}\n")
            await scene.release("go")
            await scene.shown(chat, BACK)
            await scene.said_once(chat, BACK)
            scene.model.reset()
            scene.model.config(models=["s", "w"])
        scene.well_again()
        chat = scene.somebody()
        leap.write_text(f"{-HOUR:+}\n")
        scene.model.script({"model": "s", "hold": "never", "times": 1}, {"model": "s", "text": BACK})
        await scene.peer.say(chat, "said an hour before the start")
        await scene.model.wait("arrived")
        await scene.daemon.kept("inbox WHERE state = 'new'", 1)
        await scene.daemon.kill()
        leap.write_text("+0\n")
        await scene.daemon.start()
        await scene.peer.wait(chat=chat, count=1)
        (told,) = await scene.peer.texts(chat)
        assert told, "too old to be answered unasked, and said so"


@pytest.mark.parametrize(
    ("call", "error"),
    [("posix/io/sync/fdatasync", errno.EIO), ("posix/io/rw/pwrite", errno.EROFS)],
    ids=["flush", "read-only"],
)
async def test_a_disk_that_fails_keeps_what_comes_for_later(
    tmp_path: Path,
    peer_process: dict[str, object],
    mock_model_process: MockModel,
    call: str,
    error: int,
) -> None:
    library, control = find(FIU), tmp_path / "fiu"
    require_ability("libfiu", found=library)
    assert library is not None
    command = with_faults(library, control)
    async with open_scene(tmp_path / "home", peer_process, mock_model_process, command) as scene:
        chat, later = scene.somebody(), scene.somebody()
        await scene.answer(chat, "before", BACK)
        async with scene.counted("firstword_store_failures_total", reason="disk"):
            order(control, scene.daemon.pid, f"enable name={call},failinfo={error}")
            await scene.peer.say(later, "is it kept?")
        assert await scene.peer.texts(later) == [], "nothing before it is safe"
        order(control, scene.daemon.pid, f"disable name={call}")
        await scene.shown(later, BACK)
        await scene.said_once(later, BACK)
        await scene.daemon.kept("turn WHERE outcome = 'done'", 2)  # what is killed before may be said again
        await scene.daemon.kill()
        await scene.daemon.start()
        await scene.healthy()
        await scene.said_once(later, BACK)


async def test_a_name_that_is_not_found_for_a_while_is_found_without_a_restart(
    tmp_path: Path, peer_process: dict[str, object], mock_model_process: MockModel
) -> None:
    hosts, resolver = tmp_path / "hosts", tmp_path / "resolv.conf"
    hosts.write_text("127.0.0.1 localhost\n")
    resolver.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    bind = 'mount --bind "$0" /etc/hosts && mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'
    command = ("unshare", "-Urm", "sh", "-c", bind, str(hosts), str(resolver))
    can = subprocess.run([*command, "true"], check=False, capture_output=True, timeout=30)  # noqa: ASYNC221 - once
    require_ability("a mount namespace of the test's own", found=can.returncode == 0, how="sudo make test")
    async with open_scene(
        tmp_path / "home", peer_process, mock_model_process, command, sick_host="model.test"
    ) as scene:
        chat = scene.somebody()
        async with scene.counted("firstword_provider_attempts_total", provider="sick", kind="connect"):
            await scene.answer(chat, "do you know the name?", WHOLE)
        await scene.said_once(chat, WHOLE)
        hosts.write_text("127.0.0.1 localhost model.test\n")
        await scene.healthy()


async def test_a_server_without_a_certificate_is_asked_again_once_it_has_one(
    tmp_path: Path, peer_process: dict[str, object], mock_model_process: MockModel
) -> None:
    command = ("env", f"SSL_CERT_FILE={CERTIFICATE}")
    nothing = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # has no certificate, so every handshake fails
    async with open_scene(
        tmp_path / "home", peer_process, mock_model_process, command, secrecy=nothing
    ) as scene:
        chat = scene.somebody()
        async with scene.counted("firstword_provider_attempts_total", provider="sick", kind="connect"):
            await scene.answer(chat, "are you who you say?", WHOLE)
        await scene.said_once(chat, WHOLE)
        await scene.sick.down()
        scene.sick.secrecy = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        scene.sick.secrecy.load_cert_chain(CERTIFICATE)
        await scene.healthy()


async def test_a_token_that_is_refused_is_told_and_what_waited_is_answered_with_a_good_one(
    tmp_path: Path, peer_process: dict[str, object], mock_model_process: MockModel
) -> None:
    """The one fault that needs a hand: only the owner can say what the token is."""
    async with open_scene(tmp_path / "home", peer_process, mock_model_process) as scene:
        chat = scene.somebody()
        await scene.answer(chat, "hello", BACK)
        await scene.peer.control("revoke")
        scene.telegram.cut()
        online = "firstword_channel_online"
        await until_async(lambda: scene.metric(online, channel="telegram"), lambda value: value == 0)
        assert await scene.metric(online) > 0, "the others go on"
        assert await scene.daemon.stop() == 0
        await scene.peer.control("revoke", off=True)
        await scene.peer.say(chat, "said meanwhile")
        await scene.daemon.start()
        await scene.peer.wait(chat=chat, count=2)
        await scene.said_once(chat, BACK, BACK)
