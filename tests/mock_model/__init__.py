"""A model server that speaks the OpenAI chat-completions wire, as a process of its own.

`python -m tests.mock_model --port 0` prints one JSON line with its port and serves until it is
terminated. Tests script it through `/control/...` (see `client.MockModel`); `fixtures` carries
the pytest fixtures. It answers 10,000 streams at one token a second on part of one core.
"""
