"""The terminal: a chat for whoever sits at this machine, or plain lines through a pipe.

`SPEC` is what the entry point names. It runs in the command `firstword chat`, never in the daemon.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from channels.base import ChannelSpec
from channels.console.settings import ConsoleSettings

if TYPE_CHECKING:
    from channels.base import Host
    from channels.console.channel import ConsoleChannel


def _open(account: str, settings: Any, host: Host) -> ConsoleChannel:
    from channels.console.channel import ConsoleChannel

    return ConsoleChannel(account, settings, host)


SPEC = ChannelSpec(
    name="console",
    title="Terminal",
    settings=ConsoleSettings,
    open=_open,
    is_local=True,
    is_foreground=True,
)
