"""The newest entries of a growing set."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field


@dataclass(slots=True)
class Recent:
    """The newest entries of a growing set, the oldest forgotten. `seen` tells and remembers."""

    limit: int
    _times: OrderedDict[str, float] = field(default_factory=OrderedDict)

    def seen(self, key: str, now: float, within: float | None = None) -> bool:
        """Whether `key` came before (within that many seconds); remembers it as of now if not."""
        last = self._times.get(key)
        if last is not None and (within is None or now - last < within):
            return True
        self._times[key] = now
        self._times.move_to_end(key)
        if len(self._times) > self.limit:
            self._times.popitem(last=False)
        return False

    def forget(self, key: str) -> None:
        """As if it had never come."""
        self._times.pop(key, None)
