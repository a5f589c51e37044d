"""In which topic a message of ours stands: updates about reactions do not say it (Bot API docs, 2026-11). Pure."""

from __future__ import annotations

from collections import OrderedDict

from channels.events import Address

_REMEMBERED = 10_000


class Topics:
    """The last messages that were sent into topics. After a restart they are not known any more."""

    def __init__(self) -> None:
        self._threads: OrderedDict[tuple[str, str], str] = OrderedDict()

    def sent(self, address: Address, message_id: str) -> None:
        """Keep in mind where it went."""
        if address.key.thread is None:
            return
        if len(self._threads) >= _REMEMBERED:
            self._threads.popitem(last=False)
        self._threads[address.key.space, message_id] = address.key.thread

    def of(self, space: str, message_id: str) -> str | None:
        """The topic of a message of ours, None when it stands in none or is not known."""
        return self._threads.get((space, message_id))
