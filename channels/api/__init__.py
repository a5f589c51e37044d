"""An endpoint for programs: OpenAI's chat completions, models and embeddings, answered by the router.

`SPEC` is what the entry point names. Importing this package loads no HTTP library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from channels.api.settings import ApiSettings
from channels.base import ChannelSpec
from channels.capabilities import Surface

if TYPE_CHECKING:
    from channels.api.channel import ApiChannel
    from channels.base import Host


def _open(account: str, settings: Any, host: Host) -> ApiChannel:
    from channels.api.channel import ApiChannel

    return ApiChannel(account, settings, host)


SPEC = ChannelSpec(
    name="api",
    title="API for programs",
    settings=ApiSettings,
    open=_open,
    environment={"FIRSTWORD_API_TOKEN": "token"},
    proofs=("token",),
    is_local=True,  # whoever shows the token is the owner
    surfaces=(Surface.API,),
)
