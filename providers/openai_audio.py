"""Speech written down over OpenAI's `/audio/transcriptions`. Source: OpenAI API reference, 2026-11."""

from __future__ import annotations

from collections.abc import Mapping
from secrets import token_hex

from providers.embeddings import Endpoint
from providers.errors import ErrorKind, ProviderError

TRANSCRIBE_TIMEOUT = 30.0
"""Seconds from the request to the last word. An assumption: a note of some minutes takes a few."""

_ENDINGS: Mapping[str, str] = {
    "mpeg": "mp3",
    "mp3": "mp3",
    "mp4": "m4a",
    "m4a": "m4a",
    "aac": "m4a",
    "wav": "wav",
    "wave": "wav",
    "webm": "webm",
    "flac": "flac",
}
"""By the second half of a media type. Everything else is called ogg, which is what chats send."""


async def transcribe(endpoint: Endpoint, model: str, audio: bytes, mime: str) -> str:
    """What was said, without white space around it. Raises ProviderError, TOTAL after TRANSCRIBE_TIMEOUT seconds."""
    boundary = f"firstword-{token_hex(16)}"
    body = form(model, audio, mime, boundary)
    answer = await endpoint.send(body, f"multipart/form-data; boundary={boundary}", TRANSCRIBE_TIMEOUT)
    text = answer.get("text") if isinstance(answer, dict) else None
    if not isinstance(text, str):
        raise ProviderError(ErrorKind.MALFORMED, "an answer that holds no text")
    return text.strip()


def form(model: str, audio: bytes, mime: str, boundary: str) -> bytes:
    """The upload as a form. The file's name matters: servers tell the kind of sound by its ending."""
    kind = mime.partition(";")[0].strip().lower() or "audio/ogg"
    ending = _ENDINGS.get(kind.rpartition("/")[2].removeprefix("x-"), "ogg")
    if not (kind.isascii() and kind.isprintable()):
        kind = "audio/ogg"
    fields = {"model": model, "response_format": "json"}
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    file = f'form-data; name="file"; filename="speech.{ending}"'
    head = f"--{boundary}\r\nContent-Disposition: {file}\r\nContent-Type: {kind}\r\n\r\n"
    return b"".join((*parts, head.encode(), audio, f"\r\n--{boundary}--\r\n".encode()))
