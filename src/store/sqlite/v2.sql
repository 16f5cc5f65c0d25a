-- Groups: a name that is never given again, and who was in from which entry to which.
CREATE TABLE room(
    conversation INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    topic TEXT NOT NULL
) STRICT;

CREATE TABLE stay(
    conversation INTEGER NOT NULL,
    account INTEGER NOT NULL,
    since INTEGER NOT NULL,
    since_seq INTEGER NOT NULL,
    until INTEGER,
    until_seq INTEGER,
    PRIMARY KEY(conversation, account, since)
) STRICT, WITHOUT ROWID;

ALTER TABLE member ADD COLUMN admin INTEGER NOT NULL DEFAULT 0;
ALTER TABLE member ADD COLUMN until_seq INTEGER;

CREATE TABLE skipped(
    conversation INTEGER NOT NULL,
    account INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY(conversation, account, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE once(
    account INTEGER NOT NULL,
    key TEXT NOT NULL,
    digest BLOB NOT NULL,
    entry INTEGER NOT NULL,
    time INTEGER NOT NULL,
    PRIMARY KEY(account, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE block(
    account INTEGER NOT NULL,
    blocked INTEGER NOT NULL,
    PRIMARY KEY(account, blocked)
) STRICT, WITHOUT ROWID;

CREATE TABLE token(
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    label TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    used INTEGER,
    UNIQUE(account, label)
) STRICT;

ALTER TABLE account ADD COLUMN seen INTEGER;

CREATE TABLE word(
    word TEXT NOT NULL,
    account INTEGER NOT NULL,
    PRIMARY KEY(word, account)
) STRICT, WITHOUT ROWID;

CREATE INDEX word_of ON word(account);

ALTER TABLE newest ADD COLUMN token INTEGER NOT NULL DEFAULT 0;

-- For people and their tools; promised to stay. No secret is in any of them.
CREATE VIEW conversations AS
SELECT c.id,
       coalesce('#' || r.name, l.handle || ' ' || h.handle) AS name,
       coalesce(r.topic, '') AS topic,
       c.seq AS entries,
       c.head AS newest
FROM conversation c
LEFT JOIN room r ON r.conversation = c.id
LEFT JOIN account l ON l.id = c.low
LEFT JOIN account h ON h.id = c.high;

CREATE VIEW messages AS
SELECT e.id,
       strftime('%Y-%m-%dT%H:%M:%fZ', e.time / 1000.0, 'unixepoch') AS time,
       a.handle AS sender,
       coalesce('#' || r.name, o.handle) AS recipient,
       CASE e.kind WHEN 0 THEN 'message' ELSE 'group' END AS kind,
       e.body,
       e.conversation
FROM entry e
JOIN conversation c ON c.id = e.conversation
JOIN account a ON a.id = e.author
LEFT JOIN room r ON r.conversation = c.id
LEFT JOIN account o ON o.id = CASE WHEN c.low = e.author THEN c.high ELSE c.low END;

CREATE VIEW members AS
SELECT m.conversation,
       coalesce('#' || r.name, '-') AS name,
       a.handle,
       CASE WHEN m.admin THEN 'admin' ELSE 'member' END AS role,
       m.until_seq IS NULL AS present
FROM member m
JOIN account a ON a.id = m.account
LEFT JOIN room r ON r.conversation = m.conversation;

CREATE VIEW receipts AS
SELECT m.conversation,
       a.handle,
       m.delivered_told AS delivered,
       strftime('%Y-%m-%dT%H:%M:%fZ', nullif(m.delivered_time, 0) / 1000.0, 'unixepoch') AS delivered_time,
       m.read_told AS read,
       strftime('%Y-%m-%dT%H:%M:%fZ', nullif(m.read_time, 0) / 1000.0, 'unixepoch') AS read_time
FROM member m
JOIN account a ON a.id = m.account
WHERE m.delivered_told > 0;
