"""The speed figures: `make bench`, or `python -m tests.bench --help`.

The bot under test is started as a person would start it, on one core; the mock model, the fake Bot API
server and the bench itself run on the other. Every message carries an id that comes back at both ends of
its answer, and all times are the machine's monotonic clock, so that per message
    inbound = update offered -> request at the model
    first   = first token sent -> first visible text
    tail    = last token sent -> complete text visible in a message that stays
    added   = inbound + tail.
"""
