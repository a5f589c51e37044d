"""A Discord that enforces what Discord documents, for tests, benches and stories; it runs as a process of its own.

    python -m tests.channels.discord.peer --port 0

prints one line of JSON: {"port": ..., "tokens": [two bots], "pid": ...} and ends on SIGTERM. It speaks the gateway v10
on ws://127.0.0.1:PORT/gateway (READY sends resuming bots to /resume), REST v10 below /api/v10, the CDN below
/attachments, and below /control/ it lets a test play the people, look at what they see, and make trouble.

In pytest: the fixture `peer` (tests/channels/discord/fixtures.py) is a `Peer` (client.py) with a fresh world: one guild
with one text channel, one person in it, and a DM of that person with each bot. One process serves the whole session.
Outside pytest: `async with start_peer() as peer:`.

    discord.http.Route.BASE = peer.api_url                               # process-global in discord.py 2.7.1
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(peer.gateway_url)
    ... client.start(peer.token) ...
    await peer.wait(connected=True)                                      # READY was sent
    message = await peer.say(f"{peer.mention()} hello")                  # the person, in the guild's channel
    message = await peer.say("hello", channel=peer.bot.dm)               # in the DM
    await peer.wait(channel=peer.bot.dm, equals="HELLO")                 # a bot's message reads so
    asked = await peer.command("model", {"name": "fast"})                # from the registered menu, options typed
    await peer.wait(interaction=asked, state="answered")
    await peer.press(message_id, custom_id)
    [call] = await peer.calls("create_message")                          # name, body, headers, status, since_previous
    await peer.fault("edit_message", rate_limit={"retry_after": 1.5})    # and delay, drop, error, status, hang
    await peer.socket("drop")                                            # and silent, no_acks, reconnect, invalid

Limits are on as documented (5 messages and 5 edits in 5 s for a channel, 50 requests a second in all);
`peer.limits(enabled=False)` takes them away. Nothing waits for real: `peer.advance(900)` moves the server's clock.
"""
