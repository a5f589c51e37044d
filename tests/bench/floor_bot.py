"""The baseline: the bot that one writes in an hour with python-telegram-bot and httpx.

One message: typing, one request, a message at the first text, an edit every so many seconds, the rest at
the end. No history, no disk, no limits kept.  `python -m tests.bench.floor_bot BOT_API MODEL TOKEN SECONDS`
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import httpx
from telegram import Message, Update
from telegram.ext import Application, ContextTypes, MessageHandler, filters


async def answer(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    """One message, from typing to the last edit."""
    message = update.message
    if message is None:
        return
    typing = context.application.create_task(message.chat.send_action("typing"))
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": message.text}]}
    text, shown, last = "", "", 0.0
    reply: Message | None = None
    http: httpx.AsyncClient = context.bot_data["http"]
    async with http.stream("POST", "chat/completions", json=body) as response:
        async for line in response.aiter_lines():
            if not line.startswith("data: ") or line == "data: [DONE]":
                continue
            choices = json.loads(line[6:])["choices"]
            text += choices[0]["delta"].get("content") or "" if choices else ""
            now = time.monotonic()
            if text and reply is None:
                reply, shown, last = await message.reply_text(text), text, now
            elif reply is not None and text != shown and now - last >= context.bot_data["every"]:
                await reply.edit_text(text)
                shown, last = text, now
    if reply is not None and text != shown:
        await reply.edit_text(text)
    await typing


def main(bot_api: str, model: str, token: str, every: str) -> None:
    """Poll until the process is ended."""
    builder = Application.builder().token(token).base_url(f"{bot_api}/bot")
    application: Application[Any, Any, Any, Any, Any, Any] = builder.concurrent_updates(20_000).build()
    limits = httpx.Limits(max_connections=None)
    http = httpx.AsyncClient(base_url=model, timeout=120, limits=limits)
    application.bot_data.update(http=http, every=float(every))
    application.add_handler(MessageHandler(filters.TEXT, answer, block=True))
    application.run_polling(poll_interval=0.0)


if __name__ == "__main__":
    asyncio.set_event_loop(asyncio.new_event_loop())
    main(*sys.argv[1:])
