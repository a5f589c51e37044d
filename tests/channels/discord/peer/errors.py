"""What Discord answers when it refuses.

Sources: Discord docs, "Opcodes and Status Codes", JSON error codes, and "API Reference", Error Messages (2026-11).
The words are those that the real server sends, as bug reports quote them.
"""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """Becomes {"message": ..., "code": ..., and perhaps "errors"} with this HTTP status."""

    def __init__(self, status: int, code: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.more = more

    def body(self) -> dict[str, Any]:
        """The JSON of it."""
        return {"message": self.message, "code": self.code, **self.more}


_KNOWN: dict[int, tuple[int, str]] = {
    10003: (404, "Unknown Channel"),
    10004: (404, "Unknown Guild"),
    10007: (404, "Unknown Member"),
    10008: (404, "Unknown Message"),
    10013: (404, "Unknown User"),
    10014: (400, "Unknown Emoji"),
    10015: (404, "Unknown Webhook"),
    10062: (404, "Unknown interaction"),
    10063: (404, "Unknown application command"),
    30032: (400, "Maximum number of application commands reached (100)."),
    # Discord docs give the text; discordjs/discord.js#10458 (2024-08) saw it come with 429.
    30034: (429, "Max number of daily application command creates has been reached (200)"),
    # aikaterna/aikaterna-cogs#302 (2023-03) saw it come with 429.
    30046: (429, "Maximum number of edits to messages older than 1 hour reached. Try again later."),
    40005: (413, "Request entity too large"),
    40060: (400, "Interaction has already been acknowledged."),
    50001: (403, "Missing Access"),
    50003: (403, "Cannot execute action on a DM channel"),
    50005: (403, "Cannot edit a message authored by another user"),
    50006: (400, "Cannot send an empty message"),
    50007: (403, "Cannot send messages to this user"),
    50008: (400, "Cannot send messages in a non-text channel"),
    50013: (403, "Missing Permissions"),
    50027: (401, "Invalid Webhook Token"),
    50083: (400, "Thread is archived"),
    50109: (400, "The request body contains invalid JSON."),
    160002: (403, "Cannot reply without permission to read message history"),
    160004: (400, "A thread has already been created for this message"),
}


def known(code: int, **more: Any) -> ApiError:
    """The error of a JSON error code."""
    status, message = _KNOWN[code]
    return ApiError(status, code, message, **more)


def unauthorized() -> ApiError:
    """401 for a wrong token."""
    return ApiError(401, 0, "401: Unauthorized")


def not_found() -> ApiError:
    """404 for a route that does not exist."""
    return ApiError(404, 0, "404: Not Found")


class Form:
    """Collects what is wrong with a body, by the path of the field."""

    def __init__(self) -> None:
        self._errors: dict[str, Any] = {}

    def add(self, path: str, code: str, message: str) -> None:
        """`path` has dots and numbers: components.0.components.1.label."""
        here = self._errors
        for step in path.split("."):
            here = here.setdefault(step, {})
        here.setdefault("_errors", []).append({"code": code, "message": message})

    def check(self, path: str, value: Any, most: int, least: int = 0) -> None:
        """The length of a string or list, in code points."""
        size = len(value)
        if least and not least <= size <= most:
            self.add(path, "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length.")
        elif size > most:
            self.add(path, "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length.")

    def choice(self, path: str, value: Any, allowed: tuple[Any, ...]) -> None:
        """One of a few."""
        if value not in allowed:
            told = ", ".join(map(str, allowed))
            self.add(path, "BASE_TYPE_CHOICES", f"Value must be one of ({told}).")

    def required(self, path: str) -> None:
        """A field that is not there."""
        self.add(path, "BASE_TYPE_REQUIRED", "This field is required")

    def end(self) -> None:
        """Raises ApiError 50035 when anything was wrong."""
        if self._errors:
            raise ApiError(400, 50035, "Invalid Form Body", errors=self._errors)
