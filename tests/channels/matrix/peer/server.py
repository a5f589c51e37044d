"""A real Synapse on 127.0.0.1, as a process of its own: SQLite and media in a temporary folder, no federation."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import secrets
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.peers import find_synapse

SERVER_NAME = "localhost"
START = 90.0  # seconds until it must answer; it takes about 4 (2 cores, 2026-11)
_LAUNCH = Path(__file__).with_name("launch.py")
# A proxy of the environment leads elsewhere.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_PLENTY = {"per_second": 10_000, "burst_count": 10_000}


@dataclass(frozen=True, slots=True)
class Synapse:
    """A running server. `admin_token` belongs to a server admin, `secret` registers users."""

    url: str
    pid: int
    folder: Path
    secret: str = field(repr=False)
    admin_token: str = field(repr=False)
    started_in: float


def config(folder: Path, port: int, secret: str) -> dict[str, Any]:
    """A homeserver.yaml (JSON is YAML). `rc_message` stays as it comes: 10 events at once, then one in 5 s.

    The other limits would only slow the arranging of tests. Names and defaults: Synapse 1.163 configuration manual.
    """
    return {
        "server_name": SERVER_NAME,
        "public_baseurl": f"http://127.0.0.1:{port}/",
        "pid_file": str(folder / "synapse.pid"),
        "listeners": [
            {
                "type": "http",
                "port": port,
                "bind_addresses": ["127.0.0.1"],
                "resources": [{"names": ["client"]}],
            }
        ],
        "database": {"name": "sqlite3", "args": {"database": str(folder / "synapse.db")}},
        "log_config": str(folder / "log.json"),
        "media_store_path": str(folder / "media"),
        "signing_key_path": str(folder / "signing.key"),
        "macaroon_secret_key": secrets.token_hex(16),
        "form_secret": secrets.token_hex(16),
        "registration_shared_secret": secret,
        "trusted_key_servers": [],
        "suppress_key_server_warning": True,
        "federation_domain_whitelist": [],
        "report_stats": False,
        "presence": {"enabled": False},
        "bcrypt_rounds": 4,
        "rc_login": {"address": _PLENTY, "account": _PLENTY, "failed_attempts": _PLENTY},
        "rc_registration": _PLENTY,
        "rc_joins": {"local": _PLENTY, "remote": _PLENTY},
        "rc_joins_per_room": _PLENTY,
        "rc_invites": {"per_room": _PLENTY, "per_user": _PLENTY, "per_issuer": _PLENTY},
        "rc_room_creation": _PLENTY,
    }


@contextmanager
def open_synapse() -> Iterator[Synapse]:
    """Start a server, wait until it answers, and end it on the way out.

    Any number may run on one machine. Raises RuntimeError with the end of its log when it does not come up.
    """
    python = find_synapse()
    if python is None:
        raise RuntimeError("Synapse is not on this machine; `make peers` installs it")
    with tempfile.TemporaryDirectory(prefix="firstword-synapse-") as name:
        folder = Path(name)
        secret = secrets.token_hex(16)
        began = time.monotonic()
        process, url, token = _start(python, folder, secret, began + START)
        try:
            yield Synapse(url, process.pid, folder, secret, token, time.monotonic() - began)
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def register(url: str, secret: str, name: str, *, is_admin: bool = False) -> dict[str, Any]:
    """Make a user with the shared secret: user_id, device_id, access_token. Its password is its name.

    Synapse manual, Shared-Secret Registration, 2026-11.
    """
    path = f"{url}/_synapse/admin/v1/register"
    nonce = _call(path)["nonce"]
    parts = (nonce, name, name, "admin" if is_admin else "notadmin")
    mac = hmac.new(secret.encode(), b"\0".join(part.encode() for part in parts), hashlib.sha1)
    body = {"nonce": nonce, "username": name, "password": name, "admin": is_admin, "mac": mac.hexdigest()}
    return _call(path, body)


def _call(url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with _OPENER.open(request, timeout=30) as response:
        found: dict[str, Any] = json.loads(response.read())
    return found


def _start(
    python: Path, folder: Path, secret: str, deadline: float
) -> tuple[subprocess.Popen[bytes], str, str]:
    """The process, its address and an admin's token; on another port when somebody took the first one meanwhile."""
    seed = base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    (folder / "signing.key").write_text(f"ed25519 a_tests {seed}\n")
    (folder / "log.json").write_text(json.dumps(_log_config(folder)))
    for _ in range(3):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port: int = taken.getsockname()[1]
        (folder / "homeserver.json").write_text(json.dumps(config(folder, port, secret)))
        with (folder / "output").open("wb") as output:
            process = subprocess.Popen(
                [python, "-I", _LAUNCH, "-c", folder / "homeserver.json"],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        url = f"http://127.0.0.1:{port}"
        if _answers(process, f"{url}/health", deadline):
            # Whoever else listens there does not know our secret.
            with contextlib.suppress(urllib.error.HTTPError):
                name = f"admin-{secrets.token_hex(4)}"
                return process, url, register(url, secret, name, is_admin=True)["access_token"]
        process.kill()
        process.wait()
    raise RuntimeError(f"Synapse did not start: {_tail(folder)}")


def _answers(process: subprocess.Popen[bytes], url: str, deadline: float) -> bool:
    """Whether it became ready: asked again and again while the process lives."""
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), _OPENER.open(url, timeout=5):
            return True
        time.sleep(0.05)
    return False


def _tail(folder: Path) -> str:
    texts = [
        path.read_text(errors="replace") for name in ("output", "log") if (path := folder / name).exists()
    ]
    return "\n".join(texts)[-3000:]


def _log_config(folder: Path) -> dict[str, Any]:
    return {
        "version": 1,
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
        "handlers": {
            "file": {"class": "logging.FileHandler", "filename": str(folder / "log"), "formatter": "line"}
        },
        "root": {"level": "WARNING", "handlers": ["file"]},
        "disable_existing_loggers": False,
    }
