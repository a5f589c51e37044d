"""A model server that speaks every vendor's wire, as a process of its own.

`python -m tests.mock_model --port 0` prints one JSON line with its port and serves until it is
terminated. Tests script it through `/control/...` (see `client.MockModel`); `fixtures` carries
the pytest fixtures. It answers 10,000 streams at one token a second on part of one core.

Which dialect is spoken is told by the path; whose chat completions, by the kind:

    POST /v1/messages                                        Anthropic, on every kind
    POST /v1beta/models/{m}:streamGenerateContent?alt=sse    Gemini, on every kind (and :generateContent)
    POST .../chat/completions                                OpenAI, or `config(kind="cerebras")` and so on

One script serves them all: text, tokens, ttft, gap, hold, faults, cached_tokens and so on mean the
same in each (`behaviour.Behaviour` has all fields). `finish` is "stop", "length", "tool_calls",
"content_filter" or "context" and becomes the dialect's own word; any other word is sent as it is.
`status` gives an error in the dialect's shape; `problem="no_quota"` and so on the vendor's own status
and words for it. A dialect's documented rules are enforced with the vendor's own refusals
(`dialects/*_rules.py` has each with its source; `config(strict=False)` switches them off).

    def test_it(mock_model):
        mock_model.script(default={"text": "Hello", "reasoning": "hm", "cached_tokens": 7})
        provider = ...                                # Anthropic and Gemini: mock_model.root_url
        ...                                           # OpenAI's dialect: mock_model.base_url
        asked = mock_model.chats()[0]                 # body (decompressed), headers, query, path
        assert asked["headers"]["x-api-key"] == hidden(SECRET)   # no secret is kept
        assert asked["query"] == {"alt": "sse"}       # a key in a URL would be seen here

With `config(keys=[SECRET])` other keys get 401, and `asked["key_ok"]` tells whether the right one
came, `asked["key_in"]` in which header. A rule with `path` ("/embeddings") is for requests that ask
for no answer: `script({"path": "/v1/models", "status": 500})`.

`config(cache=True)` keeps a prompt cache as the vendor describes its own (`caching.py`): what a request
marks or repeats is counted as written and read, so a test can see that turn n+1 reads what turn n wrote.
Beside answers: lists of models, embeddings, Gemini's cachedContents, files and batches (answered by the
same script, `batch_polls` looks later), transcriptions, Ollama's /api/show (`services.py`).
"""
