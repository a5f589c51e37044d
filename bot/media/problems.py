"""Why a file gave nothing."""

from __future__ import annotations

from enum import StrEnum


class Problem(StrEnum):
    """What was wrong with a file, or with getting at it; bot.words says it in a sentence."""

    DAMAGED = "damaged"
    LOCKED = "locked"  # by a password
    NO_TEXT = "no text"  # scanned pages, pictures
    TOO_MUCH = "too much"  # memory, depth, or what it unpacks to
    TOO_SLOW = "too slow"  # to be read
    TOO_LARGE = "too large"
    TOO_MANY = "too many"  # files in one message
    GONE = "gone"  # expired, deleted
    NOT_OPENED = "not opened"  # its channel failed
    NO_PICTURE = "no picture"  # it was said to be one
    NO_KIND = "no kind"  # of file that can be read
    NO_EYES = "no eyes"  # no model here takes pictures
    NO_EARS = "no ears"  # nothing here writes down speech
    NOT_HEARD = "not heard"  # what writes down speech failed
    SILENT = "silent"  # nothing was said in it


class Unreadable(Exception):
    """A file that cannot be read."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem
