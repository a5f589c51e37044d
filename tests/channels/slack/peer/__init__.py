"""A Slack that enforces what Slack documents, for tests, stories and benches; it runs as a process of its own.

    python -m tests.channels.slack.peer --port 0

prints one line of JSON: {"port", "pid", "accounts": [{team, app, bot_user, bot, bot_token, app_token,
signing_secret}, ...]}: two workspaces, each with the app installed. Below /api/ it speaks the Web API, at the address
of apps.connections.open Socket Mode, with the setting `http_url` it posts signed events there instead; /files serves
`url_private`, /response the response_urls; below /control/ a test plays the people, looks and makes trouble.

In a test (fixture `peer` of tests/channels/slack/fixtures.py, fresh for each test; elsewhere `start_peer(...)`):

    AsyncWebClient(token=peer.bot_token, base_url=peer.base_url)      the SDK against it; peer.app_token for sockets
    await peer.wait(sockets=1)                                        the app is connected
    said = await peer.say("D1", "hello")                              a DM; "C1" a public channel, "G1" a private one
    await peer.mention("C1", "hello")                                 message + app_mention; thread=ts for a reply
    await peer.wait(channel="D1", contains="answer", state="completed")
    await peer.texts("D1"); await peer.messages("D1")                 what a person reads; buttons, state, thread, ...
    await peer.calls("chat."); await peer.deliveries(event="message") every call; every event with its attempts
    await peer.fault("chat.update", retry_after=2)                    or error=, status=, html=True, lose="after", ...
    await peer.advance(301); await peer.control("close_stream")       a stream ends before the answer does
    await peer.drop_sockets(); await peer.control("deafen")           connections die, or only seem to live
    await peer.control("disconnect", reason="refresh_requested", close_after=1)
    await peer.settings(ack=0.3, retries=[0, 0.1], http_url=...)      see state.Settings
    await peer.control("limits", enabled=False)                       or method=, per_minute=, burst=, non_marketplace=
    await peer.pings() == []                                          nobody was notified by <!channel>, <@U..>, ...

Channels and people are made on first use by a person; the bot is in them unless `set_channel` says otherwise.
`peer.other(1)` is the second workspace. All verbs with their fields: control.py and people.py.
"""
