"""What was said in a recording, written down by the model that media.transcription names."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import structlog

from bot.media.problems import Problem, Unreadable
from bot.till import Till, Unpaid
from channels.markup import clean
from providers.base import Credential, ModelSpec, Transcribes
from providers.errors import ErrorKind, ProviderError

log = structlog.get_logger()

MAX_SPOKEN = 20_000
"""Characters of what was said; an hour of speech is some 50,000."""

_ANOTHER_KEY = frozenset({ErrorKind.AUTH, ErrorKind.PERMISSION, ErrorKind.QUOTA, ErrorKind.RATE_LIMIT})


@dataclass(frozen=True, slots=True)
class Speech:
    """Who writes down speech. `credentials`: in the order in which they are tried; at least one.

    `money` lets each request in. What one cost is not known: it is billed by the minute, which no catalogue tells.
    """

    model: ModelSpec
    provider: Transcribes
    credentials: tuple[Credential, ...]
    money: Till = field(default_factory=Unpaid)

    async def write_down(self, audio: bytes, mime: str) -> str:
        """What was said, never empty. Raises Unreadable: NOT_HEARD where the provider failed, SILENT for silence."""
        for left, credential in enumerate(self.credentials, 1 - len(self.credentials)):
            began = time.monotonic()
            try:
                async with self.money.open_hold(self.model, 0):
                    text = await self.provider.transcribe(self.model, audio, mime, credential)
            except ProviderError as error:
                self._report(began, audio, error)
                if left < 0 and error.kind in _ANOTHER_KEY:
                    continue
                raise Unreadable(Problem.NOT_HEARD) from None
            self._report(began, audio)
            said = clean(text).strip()[:MAX_SPOKEN]
            if not said:
                raise Unreadable(Problem.SILENT)
            return said
        raise Unreadable(Problem.NOT_HEARD)

    def _report(self, began: float, audio: bytes, error: ProviderError | None = None) -> None:
        (log.info if error is None else log.warning)(
            "speech written down" if error is None else "speech not written down",
            provider=self.model.provider,
            model=self.model.model,
            bytes=len(audio),
            took=round(time.monotonic() - began, 4),
            error=str(error.kind) if error is not None else None,
            reason=error.detail or None if error is not None else None,
        )
