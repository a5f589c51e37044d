"""A real Synapse, people who speak its API without a Matrix library, and a relay that makes trouble.

Fixtures (tests/channels/matrix/fixtures.py): `synapse` (the server, one a session), `home` (a test's hold on it), `bot`
(an account), `alice` (a person), `relay` (what the bot is given as its home server).

    async def test_x(home: Home, alice: Person, bot: Account, relay: Relay) -> None:
        settings = ...(homeserver=relay.url, user=bot.id, token=bot.token, device=bot.device)
        room = await alice.create_room(bot.id, is_direct=True)              # also is_encrypted=, name=
        await alice.until_member(room, bot.id)                              # the bot has joined
        asked = await alice.say(room, "Hello", thread=..., reply_to=..., html=..., mentions=[bot.id])
        await alice.edit(room, asked, "Hello!"); await alice.redact(room, asked); await alice.react(room, asked, "+1")
        await alice.until_typing(room, bot.id); await alice.until_read(room, bot.id, asked)
        await alice.until_texts(room, ["Hi."], sender=bot.id)               # what stands on screen, edits applied
        seen = await alice.seen(room, sender=bot.id, thread=root)           # Seen: text, body, html, edits, thread, ...
        await alice.kick(room, bot.id); await alice.set_power(room, bot.id, -1)
        await home.admin.log_out(bot.id, bot.device); await home.admin.limit_as_usual(bot.id); ... deactivate, delete_room
        relay.sent()                                                        # the bot's m.room.message events on the wire
        await relay.until(lambda request: request.path.endswith("/read_markers"))
        relay.limit_next(1.0); relay.lose_next(); relay.drop_all(); relay.silence(); await relay.refuse(); relay.delay = 0.2

`await home.bot(is_limited=True)` is limited as on a server that nobody configured (10 events, then one in 5 s);
`home.admin.limit(user, per_second=1, burst=3)` makes it quick to reach. `markup.faults(html)` names what a client would
not show of a formatted_body.

`home.secret_person(folder)` (fixture `secret_alice`) is a person who reads encrypted rooms, with the same verbs and
`until_devices(room, bot.id)` (wait for it before the first message), `withhold`, `hand_over`, `until_key_request`.
`await kit.open_kit(home, relay, bot, surface=..., person=..., is_encrypted=...)` is the peer of the conformance tests.
A bench or a test elsewhere: `with open_synapse() as synapse: async with open_home(synapse) as home, open_relay(home.url)
as relay`.

Room ids have no server part here (room version 12 is the default of Synapse 1.163: "!" and a hash).
"""
