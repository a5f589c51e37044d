"""The server's owner, through Synapse's admin API (Synapse manual, "Admin API", 2026-11)."""

from __future__ import annotations

from typing import Any

from tests.channels.matrix.peer.api import Api, part

_V1 = "/_synapse/admin/v1"
_V2 = "/_synapse/admin/v2"


class Admin:
    """Users, devices, rooms and limits of one server."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def limit(self, user: str, *, per_second: float, burst: int) -> None:
        """Give a user a message limit of its own; whole numbers. (0, 0) lifts every limit."""
        body = {"messages_per_second": int(per_second), "burst_count": burst}
        await self._api.call("POST", f"{_V1}/users/{part(user)}/override_ratelimit", body)

    async def unlimit(self, user: str) -> None:
        """No limit at all."""
        await self.limit(user, per_second=0, burst=0)

    async def limit_as_usual(self, user: str) -> None:
        """The server's own limit: 10 events at once, then one in 5 s; edits count."""
        await self._api.call("DELETE", f"{_V1}/users/{part(user)}/override_ratelimit")

    async def devices(self, user: str) -> list[dict[str, Any]]:
        """A user's devices."""
        found = await self._api.call("GET", f"{_V2}/users/{part(user)}/devices")
        return list(found["devices"])

    async def log_out(self, user: str, device: str) -> None:
        """End a device: its access token is unknown from now on."""
        await self._api.call("DELETE", f"{_V2}/users/{part(user)}/devices/{part(device)}")

    async def deactivate(self, user: str) -> None:
        """Close the account for good."""
        await self._api.call("POST", f"{_V1}/deactivate/{part(user)}", {"erase": False})

    async def suspend(self, user: str, *, is_suspended: bool = True) -> None:
        """Let the user read but not write."""
        await self._api.call("PUT", f"{_V1}/suspend/{part(user)}", {"suspend": is_suspended})

    async def delete_room(self, room: str) -> None:
        """Put everybody out of a room and purge it; returns when it is gone."""
        await self._api.call("DELETE", f"{_V1}/rooms/{part(room)}", {"purge": True, "force_purge": True})
