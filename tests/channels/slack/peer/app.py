"""One app in one workspace: what it is told (dispatcher), its connections (line), and the workspace itself."""

from __future__ import annotations

from .deliveries import Dispatcher
from .sockets import Line
from .state import Identity, Workspace


class App:
    """Everything that one pair of tokens reaches. A reset makes a new one under the same tokens."""

    def __init__(self, identity: Identity, base_url: str, *, limited: bool, lean: bool) -> None:
        self.workspace = Workspace(identity, base_url, limited=limited, lean=lean)
        self.dispatcher = Dispatcher(self.workspace)
        self.line = Line(self.workspace, self.dispatcher)
