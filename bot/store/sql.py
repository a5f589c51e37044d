"""The schema and every statement, in one place. Times are seconds since the epoch.

Written for SQLite 3.38 and later in words that Postgres 15 knows too, but for STRICT, the types BLOB and REAL
(bytea, double precision), the integer keys that count by themselves, and the JSON functions of HISTORY.

inbox         every event key of the last days; a row with a message until its payload is pruned.
              state: key (no message) | new | done | dead (could not be read or gave up; `error` says why)
              sender: whose message; attempts: how often it was begun; errors: how often its showing failed
turn          one row per message that is answered. state: open | final (whole answer known) | merged | done
part          the messages in which an answer stands
history       what was said and shown; within a conversation and session `id` gives the order, but for a turn whose
              end the disk took late: its lines stand before what was shown later (bot.store.turns)
              sender: who said it, or who is answered; '' where that is not known
pairing       who waits to be let in, with a salted digest of the code that they were told; access_grant: who was let in
              beside the settings; access_log: every change of that, by whom, about whom (CHANNEL:ACCOUNT:ID)
spend         what models cost, summed: by day since 1970 (UTC), model, person as CHANNEL:ACCOUNT:ID, and conversation
held          what running requests may cost; what stands there at a start was ended by a crash
conversation  session and choices, `used_at`: saved last; cursor and choice: what channels and people want remembered
"""

from __future__ import annotations

SCHEMA_VERSION = 5
APPLICATION_ID = 0x46577374  # "FWst": a file of anybody else is refused

_ACCESS = (
    """CREATE TABLE pairing (
        channel TEXT NOT NULL,
        account TEXT NOT NULL,
        sender TEXT NOT NULL,
        name TEXT NOT NULL,
        place TEXT NOT NULL,
        salt BLOB NOT NULL,
        digest BLOB NOT NULL,
        asked_at REAL NOT NULL,
        expires_at REAL NOT NULL,
        PRIMARY KEY (channel, account, sender)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE access_grant (
        channel TEXT NOT NULL,
        account TEXT NOT NULL,
        sender TEXT NOT NULL,
        name TEXT NOT NULL,
        role TEXT NOT NULL,
        is_paired INTEGER NOT NULL,
        granted_at REAL NOT NULL,
        granted_by TEXT NOT NULL,
        PRIMARY KEY (channel, account, sender, is_paired)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE access_log (
        id INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        actor TEXT NOT NULL,
        way TEXT NOT NULL,
        what TEXT NOT NULL,
        about TEXT NOT NULL,
        detail TEXT NOT NULL
    ) STRICT""",
)

# The schema at SCHEMA_VERSION. A change here needs a numbered migration that leads to the same tables.
SCHEMA = (
    """CREATE TABLE inbox (
        id INTEGER PRIMARY KEY,
        channel TEXT NOT NULL,
        account TEXT NOT NULL,
        event_key TEXT NOT NULL,
        state TEXT NOT NULL,
        received_at REAL NOT NULL,
        turn_id TEXT,
        conversation TEXT,
        payload BLOB,
        edited TEXT,
        attempts INTEGER NOT NULL DEFAULT 0,
        error TEXT,
        sender TEXT,
        errors INTEGER NOT NULL DEFAULT 0,
        UNIQUE (channel, account, event_key)
    ) STRICT""",
    "CREATE UNIQUE INDEX inbox_turn ON inbox (turn_id) WHERE turn_id IS NOT NULL",
    "CREATE INDEX inbox_new ON inbox (id) WHERE state = 'new'",
    "CREATE INDEX inbox_dead ON inbox (id) WHERE state = 'dead'",
    "CREATE INDEX inbox_sender ON inbox (sender, channel, account) WHERE sender IS NOT NULL",
    """CREATE TABLE turn (
        id INTEGER PRIMARY KEY,
        turn_id TEXT NOT NULL UNIQUE,
        conversation TEXT NOT NULL,
        state TEXT NOT NULL,
        session INTEGER NOT NULL DEFAULT 1,
        text TEXT NOT NULL DEFAULT '',
        outcome TEXT,
        model TEXT NOT NULL DEFAULT '',
        cost_usd REAL,
        added_at REAL NOT NULL,
        started_at REAL,
        ended_at REAL,
        inbox_ids TEXT,
        parts TEXT,
        detail TEXT
    ) STRICT""",
    "CREATE INDEX turn_done ON turn (conversation, id) WHERE state = 'done'",
    """CREATE TABLE part (
        turn_id TEXT NOT NULL,
        part INTEGER NOT NULL,
        send_key TEXT NOT NULL,
        message_id TEXT NOT NULL,
        text TEXT,
        PRIMARY KEY (turn_id, part)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE history (
        id INTEGER PRIMARY KEY,
        conversation TEXT NOT NULL,
        session INTEGER NOT NULL,
        role TEXT NOT NULL,
        text TEXT NOT NULL,
        message_id TEXT NOT NULL,
        at REAL NOT NULL,
        speaker TEXT NOT NULL,
        outcome TEXT NOT NULL,
        turn_id TEXT NOT NULL,
        note TEXT,
        added_at REAL NOT NULL,
        exchange TEXT,
        sender TEXT NOT NULL DEFAULT ''
    ) STRICT""",
    "CREATE INDEX history_session ON history (conversation, session, id)",
    "CREATE INDEX history_sender ON history (sender, conversation) WHERE sender <> ''",
    """CREATE TABLE conversation (
        conversation TEXT PRIMARY KEY,
        session INTEGER NOT NULL,
        choices TEXT NOT NULL,
        handle TEXT NOT NULL,
        used_at REAL NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE cursor (
        channel TEXT NOT NULL,
        account TEXT NOT NULL,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (channel, account, name)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE choice (
        scope TEXT NOT NULL,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (scope, name)
    ) STRICT, WITHOUT ROWID""",
    *_ACCESS,
    """CREATE TABLE spend (
        day INTEGER NOT NULL,
        model TEXT NOT NULL,
        sender TEXT NOT NULL,
        conversation TEXT NOT NULL,
        usd REAL NOT NULL,
        requests INTEGER NOT NULL,
        PRIMARY KEY (day, model, sender, conversation)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE held (
        hold INTEGER PRIMARY KEY,
        turn_id TEXT NOT NULL,
        day INTEGER NOT NULL,
        model TEXT NOT NULL,
        sender TEXT NOT NULL,
        conversation TEXT NOT NULL,
        prompt_usd REAL NOT NULL,
        token_usd REAL NOT NULL
    ) STRICT""",
)


class Rows:
    """A statement for several rows at once: `{rows}` in its text stands for so many copies of `row`.

    One statement for many rows is one visit to SQLite, and each visit gives up the interpreter's lock; getting
    it back from a busy event loop can take 5 ms (sys.getswitchinterval), whatever the statement costs.
    """

    SIZES = (64, 32, 16, 8, 4, 2, 1)

    def __init__(self, text: str, row: str) -> None:
        self.texts = {size: text.format(rows=", ".join([row] * size)) for size in self.SIZES}


# Inbox
ADD_MESSAGES = Rows(
    """INSERT INTO inbox (channel, account, event_key, state, received_at, turn_id, conversation, payload, sender,
        attempts)
    VALUES {rows} ON CONFLICT (channel, account, event_key) DO NOTHING""",
    "(?, ?, ?, 'new', ?, ?, ?, ?, ?, ?)",
)
ADD_KEY = """INSERT INTO inbox (channel, account, event_key, state, received_at)
    VALUES (?, ?, ?, 'key', ?) ON CONFLICT (channel, account, event_key) DO NOTHING"""
KEPT_MESSAGE = "SELECT turn_id FROM inbox WHERE turn_id = ?"
EDIT_MESSAGE = "UPDATE inbox SET edited = ? WHERE turn_id = ? AND state = 'new'"
MESSAGES_DONE = Rows("UPDATE inbox SET state = 'done' WHERE turn_id IN ({rows}) AND state = 'new'", "?")
BEGIN = "UPDATE inbox SET attempts = attempts + 1 WHERE turn_id = ? AND state = 'new'"
REST = "UPDATE inbox SET attempts = attempts - 1 WHERE turn_id = ? AND state = 'new' AND attempts > 0"
NOTE_ERROR = "UPDATE inbox SET errors = errors + 1, error = ? WHERE turn_id = ? AND state = 'new'"
_WAITING = """SELECT inbox.turn_id, inbox.payload, inbox.edited, inbox.received_at, inbox.attempts, inbox.errors,
        turn.text, turn.state, turn.inbox_ids
    FROM inbox JOIN turn ON turn.turn_id = inbox.turn_id WHERE inbox.state = 'new'"""
_PARTS = """SELECT part.turn_id, part.part, part.message_id, part.send_key, part.text
    FROM inbox JOIN part ON part.turn_id = inbox.turn_id WHERE inbox.state = 'new'"""
PENDING = f"{_WAITING} ORDER BY inbox.id"
# The newest rows alone: who said more than that today is not held back by a count anyway.
SAID_SINCE = """SELECT channel, account, sender, conversation, count(*) FROM inbox
    WHERE id > (SELECT coalesce(max(id), 0) - 20000 FROM inbox) AND received_at >= ? AND sender IS NOT NULL
    GROUP BY channel, account, sender, conversation"""
PENDING_PARTS = f"{_PARTS} ORDER BY inbox.id, part.part"
PENDING_ONE = f"{_WAITING} AND inbox.turn_id = ?"
PENDING_PARTS_OF_ONE = f"{_PARTS} AND inbox.turn_id = ? ORDER BY part.part"

# Dead letters
DEAD = """SELECT inbox.turn_id, inbox.conversation, inbox.payload, inbox.edited, inbox.received_at, inbox.attempts,
        inbox.errors, inbox.error, turn.text
    FROM inbox LEFT JOIN turn ON turn.turn_id = inbox.turn_id WHERE inbox.state = 'dead'
    ORDER BY inbox.id DESC LIMIT ?"""
BURY = "UPDATE inbox SET state = 'dead', error = ? WHERE turn_id = ? AND state = 'new'"
REVIVE = """UPDATE inbox SET state = 'new', attempts = 0, errors = 0, error = NULL, received_at = ?
    WHERE turn_id = ? AND state = 'dead' AND payload IS NOT NULL"""
DROP_LETTER = """UPDATE inbox SET state = 'key', payload = NULL, edited = NULL, error = NULL, turn_id = NULL,
        conversation = NULL, sender = NULL
    WHERE turn_id = ? AND state = 'dead'"""
BEGIN_ANEW = "UPDATE turn SET state = 'open', text = '' WHERE turn_id = ? AND state IN ('open', 'final')"
DROP_PARTS_OF_ONE = "DELETE FROM part WHERE turn_id = ?"
DROP_TURN = "DELETE FROM turn WHERE turn_id = ?"

# Turns
ADD_TURNS = Rows(
    "INSERT INTO turn (turn_id, conversation, state, added_at) VALUES {rows} ON CONFLICT (turn_id) DO NOTHING",
    "(?, ?, 'open', ?)",
)
PARTS_SENT = Rows(
    """INSERT INTO part (turn_id, part, send_key, message_id, text) VALUES {rows}
    ON CONFLICT (turn_id, part) DO UPDATE SET send_key = excluded.send_key, message_id = excluded.message_id,
        text = coalesce(excluded.text, part.text)""",
    "(?, ?, ?, ?, ?)",
)
PROGRESS = Rows(
    """UPDATE turn SET text = latest.column2 FROM (VALUES {rows}) AS latest
    WHERE turn.turn_id = latest.column1 AND turn.state = 'open'""",
    "(?, ?)",
)
FINAL = Rows(
    """UPDATE turn SET text = latest.column2, state = 'final' FROM (VALUES {rows}) AS latest
    WHERE turn.turn_id = latest.column1 AND turn.state IN ('open', 'final')""",
    "(?, ?)",
)
END_TURNS = Rows(
    """INSERT INTO turn (turn_id, conversation, session, state, outcome, model, cost_usd, added_at, started_at,
        ended_at, inbox_ids, parts, detail)
    VALUES {rows}
    ON CONFLICT (turn_id) DO UPDATE SET conversation = excluded.conversation, session = excluded.session,
        state = 'done', text = '', outcome = excluded.outcome, model = excluded.model,
        cost_usd = excluded.cost_usd, started_at = excluded.started_at, ended_at = excluded.ended_at,
        inbox_ids = excluded.inbox_ids, parts = excluded.parts, detail = excluded.detail
    WHERE turn.state <> 'done'""",
    "(?, ?, ?, 'done', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
)
JOIN_TURNS = "UPDATE turn SET inbox_ids = ? WHERE turn_id = ? AND state IN ('open', 'final')"
MERGE_TURNS = Rows(
    """UPDATE turn SET state = 'merged', text = '' WHERE turn_id IN ({rows})
    AND state IN ('open', 'final')""",
    "?",
)
_TURN_COLUMNS = """turn_id, conversation, session, inbox_ids, outcome, parts, model, cost_usd, started_at,
    ended_at, detail"""
TURNS = f"SELECT {_TURN_COLUMNS} FROM turn WHERE state = 'done' ORDER BY id DESC LIMIT ?"  # noqa: S608 - our own columns
TURNS_OF = f"""SELECT {_TURN_COLUMNS} FROM turn WHERE state = 'done' AND conversation = ?
    ORDER BY id DESC LIMIT ?"""  # noqa: S608 - our own columns
SET_FEEDBACK = """UPDATE turn SET detail = json_set(coalesce(detail, '{}'), '$.feedback.' || ?, ?)
    WHERE turn_id = ? AND state = 'done'"""
UNSET_FEEDBACK = """UPDATE turn SET detail = json_remove(detail, '$.feedback.' || ?)
    WHERE turn_id = ? AND state = 'done'"""
ADD_HISTORY = Rows(
    """INSERT INTO history (conversation, session, role, text, message_id, at, speaker, outcome, turn_id, note,
        added_at, exchange, sender)
    VALUES {rows}""",
    "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
)
CUT_HISTORY = """DELETE FROM history WHERE conversation = ? AND session = ? AND id <= (SELECT id FROM history
    WHERE conversation = ? AND session = ? ORDER BY id DESC LIMIT 1 OFFSET ?)"""
# One row of JSON, not many rows, for the reason given at Rows. Seventeen digits carry any float exactly.
HISTORY = """SELECT json_group_array(json_array(role, text, message_id, printf('%!.17g', at), speaker, outcome,
        turn_id, note, exchange, added_at))
    FROM (SELECT * FROM history WHERE conversation = ? AND session = ? ORDER BY id DESC LIMIT ?) AS latest"""

# Conversations, cursors, choices
CONVERSATION = "SELECT session, choices, handle FROM conversation WHERE conversation = ?"
SAVE_CONVERSATION = """INSERT INTO conversation (conversation, session, choices, handle, used_at)
    VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (conversation) DO UPDATE SET session = excluded.session, choices = excluded.choices,
        handle = excluded.handle, used_at = excluded.used_at"""
CURSOR = "SELECT value FROM cursor WHERE channel = ? AND account = ? AND name = ?"
SET_CURSOR = """INSERT INTO cursor (channel, account, name, value) VALUES (?, ?, ?, ?)
    ON CONFLICT (channel, account, name) DO UPDATE SET value = excluded.value"""
CHOICES = "SELECT name, value FROM choice WHERE scope = ?"
SET_CHOICE = """INSERT INTO choice (scope, name, value) VALUES (?, ?, ?)
    ON CONFLICT (scope, name) DO UPDATE SET value = excluded.value"""
UNSET_CHOICE = "DELETE FROM choice WHERE scope = ? AND name = ?"

# Pruning: a slice of the oldest rows at a time, found by their id, which needs no index on time.
SLICE_OF_INBOX = """SELECT max(id), min(received_at), max(received_at)
    FROM (SELECT id, received_at FROM inbox WHERE id > ? ORDER BY id LIMIT ?) AS slice"""
DROP_PAYLOADS = """UPDATE inbox SET payload = NULL, edited = NULL WHERE id > ? AND id <= ? AND state = 'done'
    AND received_at < ? AND payload IS NOT NULL"""
BURIED_LONG_AGO = "SELECT turn_id FROM inbox WHERE state = 'dead' AND received_at < ? LIMIT ?"
DROP_KEYS = "DELETE FROM inbox WHERE id > ? AND id <= ? AND state IN ('key', 'done') AND received_at < ?"
SLICE_OF_TURNS = """SELECT max(id), min(added_at), max(added_at)
    FROM (SELECT id, added_at FROM turn WHERE id > ? ORDER BY id LIMIT ?) AS slice"""
DROP_PARTS = """DELETE FROM part WHERE turn_id IN (SELECT turn_id FROM turn WHERE id > ? AND id <= ?
    AND state IN ('done', 'merged') AND added_at < ?)"""
DROP_TURNS = "DELETE FROM turn WHERE id > ? AND id <= ? AND state IN ('done', 'merged') AND added_at < ?"
SLICE_OF_HISTORY = """SELECT max(id), min(added_at), max(added_at)
    FROM (SELECT id, added_at FROM history WHERE id > ? ORDER BY id LIMIT ?) AS slice"""
DROP_HISTORY = "DELETE FROM history WHERE id > ? AND id <= ? AND added_at < ?"
# Conversations have no number; a slice goes on behind the key where the last one ended.
SLICE_OF_CONVERSATIONS = """SELECT max(conversation), count(*)
    FROM (SELECT conversation FROM conversation WHERE conversation > ? ORDER BY conversation LIMIT ?) AS slice"""
DROP_CONVERSATIONS = """DELETE FROM conversation WHERE conversation > ? AND conversation <= ? AND used_at < ?
    AND NOT EXISTS (SELECT 1 FROM history WHERE history.conversation = conversation.conversation)"""
