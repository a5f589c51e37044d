"""A program for the other end of a pseudo-terminal: the console channel with a daemon that does what it is told.

`python -m tests.channels.console.app FOLDER`. A message "count N" is answered with N words, one at a time,
"lines N" with lines; "slow" begins an answer that only /stop ends; "code" answers with a code block; "long" with one long line;
"hostile" with control characters. Everything accepted is written to FOLDER/accepted, one JSON string a line.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from channels.console.channel import ConsoleChannel
from channels.console.settings import ConsoleSettings
from channels.events import AnswerNote, Message
from tests.channels.host import RecordingHost

ANSWERS = {
    "code": "Like this:\n\n```python\nprint('`hello`')\n```\nor `inline` done",
    "long": "word " * 300 + "end",
    "hostile": "\x1b[2J\x1b]0;owned\x07still \x9b31mhere",
}


class Daemon:
    """Answers as the module says."""

    def __init__(self, folder: Path) -> None:
        self._accepted = (folder / "accepted").open("a", encoding="utf-8")
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = asyncio.Event()
        self.host = RecordingHost(folder, on_message=self._take)
        self.channel = ConsoleChannel("main", ConsoleSettings(), self.host)

    def _take(self, message: Message) -> None:
        print(json.dumps(message.text), file=self._accepted, flush=True)
        if message.text == "/stop":
            self._stopped.set()
            return
        task = asyncio.create_task(self._answer(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, message: Message) -> None:
        channel, address, key = self.channel, message.address, f"key-{message.message_id}"
        await channel.typing(address, is_on=True)
        if message.text.startswith("/"):
            await channel.send(address, f"answer to {message.text}", key)
            return
        name, _, number = message.text.partition(" ")
        text = ANSWERS.get(name, "one")
        stream = await channel.start_stream(address, text[:3], key)
        if name == "count":
            for count in range(2, int(number) + 1):
                text += f" w{count}"
                await channel.update_stream(address, stream, text, f" w{count}")
                await asyncio.sleep(0.002)
        if name == "lines":
            for count in range(int(number)):
                text += f"\nline {count}"
                await channel.update_stream(address, stream, text, None)
                await asyncio.sleep(0)
        if name == "slow":
            self._stopped.clear()
            await self._stopped.wait()
            text = "one\n\n(stopped)"
        await channel.finish_stream(address, stream, text, None, key)
        await channel.show_note(address, stream, AnswerNote("some/model", "asked", 0.2))


async def main() -> None:
    """Run until the person leaves."""
    await Daemon(Path(sys.argv[1])).channel.run()
    print("left in peace")


if __name__ == "__main__":
    asyncio.run(main())
