"""What can go wrong in the daemon itself.

BotError
 |-- SettingsError   the configuration is wrong; the text says which field, what it was, what is allowed
 |-- StoreError      the disk failed or is not ours
 +-- Undelivered     the channel did not take an answer
"""

from __future__ import annotations


class BotError(Exception):
    """Base of the daemon's own errors. The text is meant for the owner and holds no secret."""


class SettingsError(BotError):
    """The configuration cannot be used. `path`: the field ("channels.telegram.accounts.main.token").

    `problems`: (path, text) of everything that is wrong, where more than one thing was looked at. `missing`: the
    paths among them where nothing is wrong but that a value is not there yet.
    """

    def __init__(
        self,
        text: str,
        *,
        path: str = "",
        problems: tuple[tuple[str, str], ...] = (),
        missing: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(text)
        self.path = path
        self.problems = problems
        self.missing = missing


class StoreError(BotError):
    """A write or read of the store failed, or another process owns the home folder.

    `reason`: full, readonly, locked, disk, damaged, forbidden, overloaded, or other.
    """

    def __init__(self, text: str, *, reason: str = "other") -> None:
        super().__init__(text)
        self.reason = reason


class Broken(BotError):
    """A fault of ours ended a try at a turn; the log has its traceback."""


class Undelivered(BotError):
    """The channel did not take an answer that is kept.

    `is_away`: it cannot be reached, which says nothing of the answer.
    """

    def __init__(self, text: str, *, is_away: bool) -> None:
        super().__init__(text)
        self.is_away = is_away
