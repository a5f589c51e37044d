"""The server as a process: several at once, and none left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.channels.matrix.peer.api import MatrixError
from tests.channels.matrix.peer.home import Account, Home
from tests.channels.matrix.peer.server import Synapse

ROOT = Path(__file__).parents[3]
HOLD = """
from tests.channels.matrix.peer.server import open_synapse
import time
with open_synapse() as synapse:
    print(synapse.pid, synapse.url, flush=True)
    time.sleep(600)
"""


@pytest.mark.slow  # a second server starts: about 3 s
async def test_another_run_has_a_server_of_its_own_and_takes_it_along_when_it_is_killed(
    synapse: Synapse,
) -> None:
    run = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLD, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert run.stdout is not None
    async with asyncio.timeout(100):
        pid, url = (await run.stdout.readline()).decode().split()
        assert url != synapse.url
        process = os.pidfd_open(int(pid))
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(process, ended.set)
        run.send_signal(signal.SIGKILL)
        await run.wait()
        await ended.wait()
    asyncio.get_running_loop().remove_reader(process)
    os.close(process)


async def test_secrets_are_not_shown(synapse: Synapse, bot: Account) -> None:
    shown = repr(synapse) + repr(bot)
    assert not [secret for secret in (synapse.secret, synapse.admin_token, bot.token) if secret in shown]


async def test_an_account_of_its_own_limit_is_refused_soon(home: Home) -> None:
    alice = await home.person()
    room = await alice.create_room()
    await home.admin.limit(alice.id, per_second=1, burst=2)
    with pytest.raises(MatrixError) as caught:
        for number in range(20):
            await alice.say(room, f"number {number}")
    assert (caught.value.status, caught.value.errcode) == (429, "M_LIMIT_EXCEEDED")
    assert 0 < (caught.value.retry_after_ms or 0) <= 2000
