"""A Bot API server that enforces what Telegram documents, for tests and benches; it runs as a process of its own.

    python -m tests.channels.telegram.peer --port 0

prints one line of JSON: {"port": ..., "token": ..., "pid": ...}. Below /bot<token>/ it speaks the Bot API (form,
multipart and JSON bodies), below /control/ it lets a test play the people and look at the chats (`client.py`).
"""
