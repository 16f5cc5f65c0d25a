-- A database as the first release made it. It must open for ever, so this file is never changed.
PRAGMA page_size = 4096;
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA application_id = 1885433967;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE account(
    id INTEGER PRIMARY KEY,
    handle TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    secret TEXT NOT NULL,
    created INTEGER NOT NULL,
    shown INTEGER NOT NULL
) STRICT;
INSERT INTO account VALUES(1,'ana','Ana Maria','$argon2id$v=19$m=8,t=1,p=1$aGpHXFubv2EyrlSw1Nv71Q$i59yT+SR+IPDim6/ynGFNkR4Cdz1Ur2mhWHmpJQXmGg',1795338439513,0);
INSERT INTO account VALUES(2,'bia','bia','$argon2id$v=19$m=8,t=1,p=1$1bwt4y5wGtbphf87vMv6xQ$VwRhZASxjltQoLJOJDQNviIdwKYalStDS3qg6wCJrm0',1795338439525,0);
CREATE TABLE conversation(
    id INTEGER PRIMARY KEY,
    low INTEGER,
    high INTEGER,
    head INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    moved INTEGER NOT NULL,
    UNIQUE(low, high)
) STRICT;
INSERT INTO conversation VALUES(1,1,2,2,2,1);
INSERT INTO conversation VALUES(2,1,1,3,1,0);
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
INSERT INTO entry VALUES(1,1,1,0,1,1,1795338439531,0,'um');
INSERT INTO entry VALUES(2,1,2,1,1,2,1795338439531,0,replace('dois\nlinhas','\n',char(10)));
INSERT INTO entry VALUES(3,2,1,0,1,1,1795338439531,0,'nota');
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
INSERT INTO member VALUES(1,1,2,2,2,2,2,0,0,0,2,2,2,0,0,0);
INSERT INTO member VALUES(1,2,0,0,1,1,0,1,1795338439537,1,1,1,0,1,1795338439537,1);
INSERT INTO member VALUES(2,1,1,3,3,1,1,0,0,0,3,1,1,0,0,0);
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
INSERT INTO newest VALUES(1,3,1,2,2);
CREATE INDEX member_of ON member(account, conversation);
COMMIT;
