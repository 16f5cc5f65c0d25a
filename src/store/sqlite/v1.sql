CREATE TABLE account(
    id INTEGER PRIMARY KEY,
    handle TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    secret TEXT NOT NULL,
    created INTEGER NOT NULL,
    shown INTEGER NOT NULL
) STRICT;

CREATE TABLE conversation(
    id INTEGER PRIMARY KEY,
    low INTEGER,
    high INTEGER,
    head INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    moved INTEGER NOT NULL,
    UNIQUE(low, high)
) STRICT;

CREATE TABLE entry(
    id INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    prev INTEGER NOT NULL,
    author INTEGER NOT NULL,
    nth INTEGER NOT NULL,
    time INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE mark(
    conversation INTEGER NOT NULL,
    id INTEGER NOT NULL,
    PRIMARY KEY(conversation, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE member(
    conversation INTEGER NOT NULL,
    account INTEGER NOT NULL,
    own INTEGER NOT NULL,
    last_own INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    delivered_seq INTEGER NOT NULL,
    delivered_own INTEGER NOT NULL,
    delivered_told INTEGER NOT NULL,
    delivered_time INTEGER NOT NULL,
    delivered_number INTEGER NOT NULL,
    read INTEGER NOT NULL,
    read_seq INTEGER NOT NULL,
    read_own INTEGER NOT NULL,
    read_told INTEGER NOT NULL,
    read_time INTEGER NOT NULL,
    read_number INTEGER NOT NULL,
    PRIMARY KEY(conversation, account)
) STRICT, WITHOUT ROWID;

CREATE INDEX member_of ON member(account, conversation);

CREATE TABLE passed(
    conversation INTEGER NOT NULL,
    account INTEGER NOT NULL,
    cursor INTEGER NOT NULL,
    id INTEGER NOT NULL,
    time INTEGER NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY(conversation, account, cursor, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE newest(
    id INTEGER PRIMARY KEY CHECK(id = 1),
    entry INTEGER NOT NULL,
    moved INTEGER NOT NULL,
    account INTEGER NOT NULL,
    conversation INTEGER NOT NULL
) STRICT;

INSERT INTO newest VALUES(1, 0, 0, 0, 0);
