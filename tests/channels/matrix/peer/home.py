"""A test's hold on the running server: makes people, a bot and their rooms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.channels.matrix.peer.admin import Admin
from tests.channels.matrix.peer.api import Api, unique
from tests.channels.matrix.peer.person import Person
from tests.channels.matrix.peer.secret import SecretPerson
from tests.channels.matrix.peer.server import Synapse, register


@dataclass(frozen=True, slots=True)
class Account:
    """The bot's account: what the adapter's settings take. `password` is for a login that makes its own device."""

    id: str
    device: str
    token: str = field(repr=False)
    password: str = field(repr=False)

    @property
    def name(self) -> str:
        """What people see: the display name is the localpart at first."""
        return self.id[1:].partition(":")[0]


class Home:
    """Users get names that nobody else on the server has, so tests do not see each other."""

    def __init__(self, synapse: Synapse, session: aiohttp.ClientSession) -> None:
        self.synapse = synapse
        self.session = session
        self.admin = Admin(Api(session, synapse.url, synapse.admin_token))

    @property
    def url(self) -> str:
        """The server itself."""
        return self.synapse.url

    async def person(self, name: str = "alice") -> Person:
        """A new user, without any message limit."""
        return await self._person(name)

    @asynccontextmanager
    async def secret_person(self, folder: Path, name: str = "alice") -> AsyncIterator[SecretPerson]:
        """A new user whose device can read encrypted rooms; its keys lie in `folder`."""
        registered = await self._register(name)
        person = SecretPerson(Api(self.session, self.url, registered["access_token"]), registered, folder)
        try:
            await person.open()
            yield person
        finally:
            await person.close()

    async def bot(self, name: str = "bot", *, is_limited: bool = False) -> Account:
        """A new account for the adapter. `is_limited`: with the server's usual limit (10 events, then 0.2 a second)."""
        made = await self._person(name, is_limited=is_limited)
        return Account(made.id, made.device, made.token, made.password)

    async def _person(self, name: str, *, is_limited: bool = False) -> Person:
        registered = await self._register(name, is_limited=is_limited)
        return Person(Api(self.session, self.url, registered["access_token"]), registered)

    async def _register(self, name: str, *, is_limited: bool = False) -> dict[str, Any]:
        registered = await asyncio.to_thread(register, self.url, self.synapse.secret, unique(name))
        if not is_limited:
            await self.admin.unlimit(registered["user_id"])
        return registered


@asynccontextmanager
async def open_home(synapse: Synapse) -> AsyncIterator[Home]:
    """A `Home` with an HTTP session of its own."""
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session:
        yield Home(synapse, session)
