"""Files that people send: what kind they are, and where they are read from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from channels.errors import Gone, Refused, TooLong
from channels.events import AttachmentKind, Message
from channels.telegram.channel import TelegramChannel
from tests.channels.telegram.hosts import KeepingHost, settings
from tests.channels.telegram.peer.client import Peer

CHAT = 4711
FILE = {"file_id": "f1", "file_unique_id": "u1", "file_size": 7}


@pytest.mark.parametrize(
    ("extra", "kind", "mime", "text"),
    [
        ({"voice": {**FILE, "duration": 3, "mime_type": "audio/ogg"}}, AttachmentKind.VOICE, "audio/ogg", ""),
        ({"audio": {**FILE, "duration": 3, "title": "Song"}}, AttachmentKind.AUDIO, "audio/mpeg", ""),
        ({"video_note": {**FILE, "duration": 3, "length": 240}}, AttachmentKind.VIDEO, "video/mp4", ""),
        ({"video": {**FILE, "duration": 3}, "caption": "see"}, AttachmentKind.VIDEO, "video/mp4", "see"),
        (
            {"document": {**FILE, "file_name": "a.pdf", "mime_type": "application/pdf"}},
            AttachmentKind.FILE,
            "application/pdf",
            "",
        ),
        ({"document": {**FILE, "mime_type": "image/png"}}, AttachmentKind.IMAGE, "image/png", ""),
        ({"photo": [{**FILE, "width": 9, "height": 9}]}, AttachmentKind.IMAGE, "image/jpeg", ""),
    ],
)
async def test_every_kind_of_file_is_an_attachment_that_opens(
    peer: Peer,
    host: KeepingHost,
    channel: TelegramChannel,
    extra: dict[str, Any],
    kind: AttachmentKind,
    mime: str,
    text: str,
) -> None:
    await peer.file("f1", b"content")
    await peer.say(CHAT, extra=extra)
    await host.until(lambda: bool(host.events))
    [message] = host.events
    assert isinstance(message, Message) and message.text == text
    [attachment] = message.attachments
    assert (attachment.kind, attachment.mime, attachment.size) == (kind, mime, 7)
    assert await channel.open_attachment(attachment.ref, 7) == b"content"
    with pytest.raises(TooLong):
        await channel.open_attachment(attachment.ref, 6)


async def test_a_sticker_is_its_emoji(peer: Peer, host: KeepingHost, channel: TelegramChannel) -> None:
    await peer.say(CHAT, extra={"sticker": {"file_id": "s", "emoji": "🦊", "width": 1, "height": 1}})
    await host.until(lambda: bool(host.events))
    [message] = host.events
    assert isinstance(message, Message) and message.text == "🦊" and message.attachments == ()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a server that runs with --local keeps its files."""
    found = tmp_path / "telegram-bot-api"
    found.mkdir()
    (found / "voice.ogg").write_bytes(b"spoken")
    (tmp_path / "secret.txt").write_bytes(b"not for you")
    (found / "link.txt").symlink_to(tmp_path / "secret.txt")
    return found


async def test_a_path_of_the_disk_is_not_read_unless_that_is_allowed(
    peer: Peer, host: KeepingHost, folder: Path
) -> None:
    await peer.file("f1", b"spoken", path=str(folder / "voice.ogg"))
    channel = TelegramChannel("main", settings(peer), host)
    with pytest.raises(Refused) as caught:
        await channel.open_attachment("f1", 100)
    assert caught.value.code == "local_file"


async def test_files_of_a_local_server_are_read_from_its_folder_alone(
    peer: Peer, host: KeepingHost, folder: Path
) -> None:
    channel = TelegramChannel("main", settings(peer, localFiles=str(folder)), host)
    await peer.file("inside", b"spoken", path=str(folder / "voice.ogg"))
    assert await channel.open_attachment("inside", 6) == b"spoken"
    await peer.file("liar", b"x", path=str(folder / "voice.ogg"), size=1)
    with pytest.raises(TooLong):
        await channel.open_attachment("liar", 5)
    for name in ("../secret.txt", "link.txt"):
        await peer.file("outside", b"x", path=str(folder / name))
        with pytest.raises(Refused):
            await channel.open_attachment("outside", 100)
    await peer.file("gone", b"x", path=str(folder / "gone.ogg"))
    with pytest.raises(Gone):
        await channel.open_attachment("gone", 100)


def test_the_folder_of_local_files_is_an_absolute_path(peer: Peer) -> None:
    with pytest.raises(ValidationError):
        settings(peer, localFiles="files")
