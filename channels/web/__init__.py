"""The web page: a chat in the browser, served on this machine's own address.

`SPEC` is what the entry point names. Importing this package loads no HTTP library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from channels.base import ChannelSpec
from channels.web.settings import WebSettings

if TYPE_CHECKING:
    from channels.base import Host
    from channels.web.channel import WebChannel


def _open(account: str, settings: Any, host: Host) -> WebChannel:
    from channels.web.channel import WebChannel

    return WebChannel(account, settings, host)


SPEC = ChannelSpec(
    name="web",
    title="Web page",
    settings=WebSettings,
    open=_open,
    proofs=("token",),
    is_local=True,
    is_default=True,
)
