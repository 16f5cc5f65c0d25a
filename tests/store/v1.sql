PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA application_id = 1885433967;
PRAGMA user_version = 1;
CREATE TABLE generation(
    id INTEGER PRIMARY KEY CHECK(id = 1),
    current BLOB NOT NULL,              -- also beside the database, in its file `.generation`
    before BLOB NOT NULL                -- the number before that
) STRICT;
CREATE TABLE account(
    id INTEGER PRIMARY KEY,
    handle TEXT NOT NULL UNIQUE,        -- lower case; never changed, never given again
    name TEXT NOT NULL,                 -- display name
    secret TEXT NOT NULL,               -- Argon2id hash in PHC form; empty for a deleted account
    created INTEGER NOT NULL,
    shown INTEGER NOT NULL,             -- the newest cursor move whose receipt it has been shown
    seen INTEGER,                       -- when a session of it, not a quiet one, last ended
    later INTEGER NOT NULL DEFAULT 0,   -- the highest number given to what it sends later
    disabled INTEGER NOT NULL DEFAULT 0, -- 1: an operator lets nobody in
    device INTEGER NOT NULL DEFAULT 0,  -- the highest number given to a device of it
    gone INTEGER NOT NULL DEFAULT 0,    -- 1: deleted by an operator; 2: the same, but maybe still in groups
    read_off INTEGER NOT NULL DEFAULT 0,    -- 1: in direct chats nobody learns what it reads
    seen_by INTEGER NOT NULL DEFAULT 0, -- who sees when it is online: 0 all, 1 whom it has written to, 2 nobody
    added_by INTEGER NOT NULL DEFAULT 0 -- likewise, who may add it to a group
) STRICT;
CREATE TABLE conversation(
    id INTEGER PRIMARY KEY,
    low INTEGER,
    high INTEGER,
    head INTEGER NOT NULL,              -- its newest entry, 0 if there is none
    seq INTEGER NOT NULL,               -- how many entries it has had
    moved INTEGER NOT NULL,             -- the newest cursor move in it
    marked INTEGER NOT NULL DEFAULT 0,  -- its newest mark, 0 if there is none; see `marking`
    tail BLOB NOT NULL DEFAULT x'',     -- ids that do not fill a block yet; see `id_block`
    gone_seq INTEGER NOT NULL DEFAULT 0,    -- how many of its entries were deleted by age
    gone_author INTEGER NOT NULL DEFAULT 0, -- of the last of those: its author
    gone_author_seq INTEGER NOT NULL DEFAULT 0, -- and its `author_seq`
    begun INTEGER NOT NULL DEFAULT 0,   -- of a direct chat: all its entries and marks are newer
    ttl INTEGER,                        -- messages are deleted after this many seconds; 0: some were,
                                        -- new ones are not; NULL: none ever was
    UNIQUE(low, high)
) STRICT;
CREATE TABLE group_info(
    conversation INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,          -- without #; never given again
    topic TEXT NOT NULL,                -- may be empty
    admins_write INTEGER NOT NULL DEFAULT 0,    -- only admins may write
    all_add INTEGER NOT NULL DEFAULT 0, -- all members may add others
    open INTEGER NOT NULL DEFAULT 0     -- anybody may join
) STRICT;
CREATE INDEX group_open ON group_info(name) WHERE open = 1;
CREATE TABLE entry(
    id INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL,
    seq INTEGER NOT NULL,               -- its place in the conversation, from 1; of a mark: that of
                                        -- the counted entry before it
    author INTEGER NOT NULL,
    author_seq INTEGER NOT NULL,        -- its author's `exempt` up to here, itself included
    time INTEGER NOT NULL,
    kind INTEGER NOT NULL,              -- 0 a message, 1 a change of a group, -1 how long messages are
                                        -- kept; marks: 2 a new text, 3 a deletion, 4 a reaction,
                                        -- 5 a flag, which is about no message. 1 and `changed`: a
                                        -- message that has expired. Only its place is left, and it
                                        -- is in no `id_block`
    body TEXT NOT NULL,                 -- the first text of a message; of a reaction its word, or -
    re INTEGER,                         -- the message that it answers or, for a mark, is about
    tags TEXT,                          -- what else it says, and the device that made it, as
                                        -- store/sqlite/tags.rs writes it
    changed INTEGER NOT NULL DEFAULT 0  -- 1: `about` knows more of a message; a mark may not hold
) STRICT;
CREATE TABLE expiring(
    due INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    PRIMARY KEY(due, entry)
) STRICT, WITHOUT ROWID;
CREATE TABLE erasing(
    message INTEGER PRIMARY KEY
) STRICT;
CREATE TABLE about(
    message INTEGER NOT NULL,
    kind INTEGER NOT NULL,              -- 2 a new text, 3 that it is deleted, 4 a reaction, 5 that a
                                        -- reaction was taken back
    account INTEGER NOT NULL,           -- whose reaction; otherwise 0
    mark INTEGER NOT NULL,
    PRIMARY KEY(message, kind, account, mark)
) STRICT, WITHOUT ROWID;
CREATE TABLE tally(
    message INTEGER NOT NULL,
    word INTEGER NOT NULL,              -- the id of that reaction
    count INTEGER NOT NULL,
    PRIMARY KEY(message, word)
) STRICT, WITHOUT ROWID;
CREATE TABLE file(
    entry INTEGER PRIMARY KEY,
    content BLOB NOT NULL,              -- its SHA-256
    bytes INTEGER NOT NULL
) STRICT;
CREATE INDEX file_content ON file(content);
CREATE TABLE dropped_file(
    id INTEGER PRIMARY KEY,
    content BLOB NOT NULL               -- its SHA-256
) STRICT;
CREATE TABLE reply(
    message INTEGER NOT NULL,
    reply INTEGER NOT NULL,
    author INTEGER NOT NULL,
    PRIMARY KEY(message, reply)
) STRICT, WITHOUT ROWID;
CREATE TABLE id_block(
    conversation INTEGER NOT NULL,
    upto INTEGER NOT NULL,              -- the last id of the list
    ids BLOB NOT NULL,
    PRIMARY KEY(conversation, upto)
) STRICT, WITHOUT ROWID;
CREATE TABLE marking(
    conversation INTEGER PRIMARY KEY,
    author INTEGER NOT NULL,            -- of the newest mark
    other INTEGER NOT NULL,             -- the newest one by anybody else, 0 if there is none
    count INTEGER NOT NULL,             -- how many it has had
    tail BLOB NOT NULL                  -- as in `conversation`
) STRICT;
CREATE TABLE mark_block(
    conversation INTEGER NOT NULL,
    upto INTEGER NOT NULL,
    ids BLOB NOT NULL,
    PRIMARY KEY(conversation, upto)
) STRICT, WITHOUT ROWID;
CREATE TABLE member(
    conversation INTEGER NOT NULL,
    account INTEGER NOT NULL,
    exempt INTEGER NOT NULL,            -- entries that do not wait for it: its own, and unseen ones
    last_own INTEGER NOT NULL,          -- its last own entry, 0 if there is none
    delivered INTEGER NOT NULL,         -- the cursor: everything up to this entry was received
    delivered_seq INTEGER NOT NULL,     -- `seq` of that entry
    delivered_exempt INTEGER NOT NULL,  -- what `exempt` is up to that entry
    delivered_told INTEGER NOT NULL,    -- the entry that the newest move named
    delivered_time INTEGER NOT NULL,    -- when that move was
    delivered_number INTEGER NOT NULL,  -- its number
    read INTEGER NOT NULL,              -- the same six for what was read
    read_seq INTEGER NOT NULL,
    read_exempt INTEGER NOT NULL,
    read_told INTEGER NOT NULL,
    read_time INTEGER NOT NULL,
    read_number INTEGER NOT NULL,
    admin INTEGER NOT NULL DEFAULT 0,   -- 1: may change the group
    until_seq INTEGER,                  -- NULL while it is in; else the `seq` of its last entry
    -- By these an account's direct chats are found in their order; groups are not.
    waits INTEGER,                      -- lower bound of the first entry or mark that waits for it;
                                        -- NULL: none does
    recent INTEGER NOT NULL,            -- the entry with which the chat came before the others; 0: a group, or
                                        -- a chat without entries
    moved INTEGER,                      -- the same for moves that concern the account
    marked INTEGER,                     -- the same for marks
    delivered_history BLOB NOT NULL DEFAULT x'', -- earlier moves of each cursor, encoded as in
    read_history BLOB NOT NULL DEFAULT x'',     -- `cursor_history`, until they fill a row there
    direct INTEGER NOT NULL,            -- 1: a direct chat, 0: a group. Unlike `recent` it never
                                        -- changes, so no message rewrites `member_direct`
    shown_read INTEGER,                 -- if the newest move of what was read is private: `told`,
    shown_read_time INTEGER,            -- time and number of the newest one that is not, or 0;
    shown_read_number INTEGER,          -- else NULL
    flags TEXT,                         -- its notes about the conversation, as src/chat_flags.rs
                                        -- writes them; NULL: it has none
    PRIMARY KEY(conversation, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX member_recent ON member(account, recent);
CREATE INDEX member_direct ON member(account, conversation) WHERE direct;
CREATE INDEX member_waits ON member(account, waits) WHERE waits IS NOT NULL;
CREATE INDEX member_moved ON member(account, moved) WHERE moved IS NOT NULL;
CREATE INDEX member_marked ON member(account, marked) WHERE marked IS NOT NULL;
CREATE TABLE stay(
    conversation INTEGER NOT NULL,
    account INTEGER NOT NULL,
    since INTEGER NOT NULL,
    since_seq INTEGER NOT NULL,
    until INTEGER,
    until_seq INTEGER,
    removed INTEGER NOT NULL DEFAULT 0, -- an admin ended it
    PRIMARY KEY(conversation, account, since)
) STRICT, WITHOUT ROWID;
CREATE TABLE invitation(
    hash BLOB PRIMARY KEY,              -- SHA-256 of the token, which is stored nowhere
    conversation INTEGER NOT NULL,
    uses INTEGER NOT NULL,              -- how many may still join with it
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX invitation_to ON invitation(conversation);
CREATE TABLE exempt_mark(
    conversation INTEGER NOT NULL,
    account INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY(conversation, account, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE cursor_history(
    conversation INTEGER NOT NULL,
    account INTEGER NOT NULL,
    cursor INTEGER NOT NULL,
    upto INTEGER NOT NULL,              -- the entry that the last move of the list named
    moves BLOB NOT NULL,
    PRIMARY KEY(conversation, account, cursor, upto)
) STRICT, WITHOUT ROWID;
CREATE TABLE stale(
    conversation INTEGER PRIMARY KEY,
    account INTEGER NOT NULL
) STRICT;
CREATE TABLE once(
    account INTEGER NOT NULL,
    key TEXT NOT NULL,
    digest BLOB NOT NULL,               -- SHA-256 of the command without its text (of MSG
                                        -- the target alone), a zero byte, and the text
    entry INTEGER NOT NULL,
    time INTEGER NOT NULL,
    content BLOB,                       -- of a file: SHA-256 of its content
    bytes INTEGER,                      -- and how many it has
    PRIMARY KEY(account, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE later(
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    number INTEGER NOT NULL,            -- from 1 in each account
    due INTEGER NOT NULL,
    message INTEGER,                    -- NULL: unconditionally; else unless this message
    condition INTEGER,                  -- is delivered (0), read (1) or answered (2) by then
    command TEXT NOT NULL,
    done INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX later_of ON later(account, number) WHERE done = 0;
CREATE INDEX later_due ON later(due, account, number) WHERE done = 0;
CREATE INDEX later_open ON later(id) WHERE done = 0;
CREATE TABLE block(
    account INTEGER NOT NULL,
    blocked INTEGER NOT NULL,
    PRIMARY KEY(account, blocked)
) STRICT, WITHOUT ROWID;
CREATE TABLE token(
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    label TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,          -- SHA-256; the token itself is stored nowhere
    created INTEGER NOT NULL,
    used INTEGER,                       -- when it was last used, to the minute
    target TEXT,                        -- the only handle or #group it may write to; NULL: no limit
    UNIQUE(account, label)
) STRICT;
CREATE TABLE account_invitation(
    hash BLOB PRIMARY KEY,              -- SHA-256; the invitation itself is stored nowhere
    created INTEGER NOT NULL,
    uses INTEGER NOT NULL,              -- how many accounts it can still create
    until INTEGER NOT NULL              -- when it ends
) STRICT, WITHOUT ROWID;
CREATE TABLE device(
    account INTEGER NOT NULL,
    number INTEGER NOT NULL,            -- in its account, from 1; never given again
    name TEXT NOT NULL,                 -- lower case
    place INTEGER NOT NULL,             -- everything up to this entry was received, in all conversations
    shown INTEGER NOT NULL,             -- the newest cursor move whose receipt it has been shown
    seen INTEGER,                       -- when a session of it, not a quiet one, last ended
    PRIMARY KEY(account, number),
    UNIQUE(account, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE link(
    account INTEGER NOT NULL,
    user INTEGER NOT NULL,
    PRIMARY KEY(account, user)
) STRICT, WITHOUT ROWID;
CREATE TABLE word(
    word TEXT NOT NULL,
    account INTEGER NOT NULL,
    PRIMARY KEY(word, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX word_of ON word(account);
CREATE TABLE newest(
    id INTEGER PRIMARY KEY CHECK(id = 1),
    entry INTEGER NOT NULL,
    moved INTEGER NOT NULL,
    account INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    token INTEGER NOT NULL,
    floor INTEGER NOT NULL
) STRICT;
CREATE VIEW conversations AS
SELECT c.id,
       coalesce('#' || r.name, l.handle || ' ' || h.handle) AS name,
       coalesce(r.topic, '') AS topic,
       c.seq AS entries,
       c.head AS newest
FROM conversation c
LEFT JOIN group_info r ON r.conversation = c.id
LEFT JOIN account l ON l.id = c.low
LEFT JOIN account h ON h.id = c.high;
CREATE VIEW messages AS
SELECT e.id,
       strftime('%Y-%m-%dT%H:%M:%fZ', e.time / 1000.0, 'unixepoch') AS time,
       a.handle AS sender,
       coalesce('#' || r.name, o.handle) AS recipient,
       CASE e.kind WHEN 0 THEN 'message' WHEN 1 THEN 'group' ELSE 'expire' END AS kind,
       CASE WHEN NOT e.changed THEN e.body
            WHEN EXISTS(SELECT 1 FROM about WHERE message = e.id AND kind = 3) THEN ''
            ELSE coalesce((SELECT t.body FROM about b JOIN entry t ON t.id = b.mark
                           WHERE b.message = e.id AND b.kind = 2 ORDER BY b.mark DESC LIMIT 1),
                          e.body)
       END AS body,
       e.conversation,
       e.re,
       (SELECT max(mark) FROM about WHERE message = e.id AND kind = 2) AS edited,
       (SELECT mark FROM about WHERE message = e.id AND kind = 3) AS deleted,
       lower(hex(f.content)) AS file,
       f.bytes AS file_bytes
FROM entry e
LEFT JOIN file f ON f.entry = e.id
JOIN conversation c ON c.id = e.conversation
JOIN account a ON a.id = e.author
LEFT JOIN group_info r ON r.conversation = c.id
LEFT JOIN account o ON o.id = CASE WHEN c.low = e.author THEN c.high ELSE c.low END
WHERE e.kind < 2 AND NOT (e.kind = 1 AND e.changed) AND e.id > (SELECT floor FROM newest);
CREATE VIEW marks AS
SELECT e.id,
       strftime('%Y-%m-%dT%H:%M:%fZ', e.time / 1000.0, 'unixepoch') AS time,
       a.handle AS sender,
       coalesce('#' || r.name, o.handle) AS recipient,
       CASE e.kind WHEN 2 THEN 'edit' WHEN 3 THEN 'del' ELSE 'react' END AS kind,
       b.message,
       e.body,
       e.conversation
FROM about b
JOIN entry e ON e.id = b.mark
JOIN conversation c ON c.id = e.conversation
JOIN account a ON a.id = e.author
LEFT JOIN group_info r ON r.conversation = c.id
LEFT JOIN account o ON o.id = CASE WHEN c.low = e.author THEN c.high ELSE c.low END
WHERE b.kind < 5 AND (b.kind = 3 OR b.message NOT IN (SELECT message FROM erasing));
CREATE VIEW reactions AS
SELECT t.message, e.body AS word, t.count
FROM tally t
JOIN entry e ON e.id = t.word;
CREATE VIEW groups AS
SELECT r.conversation,
       '#' || r.name AS name,
       r.topic,
       CASE WHEN r.admins_write THEN 'admins' ELSE 'all' END AS "write",
       CASE WHEN r.all_add THEN 'all' ELSE 'admins' END AS "add",
       CASE WHEN r.open THEN 'open' ELSE 'closed' END AS "join"
FROM group_info r;
CREATE VIEW members AS
SELECT m.conversation,
       coalesce('#' || r.name, '-') AS name,
       a.handle,
       CASE WHEN m.admin THEN 'admin' ELSE 'member' END AS role,
       m.until_seq IS NULL AS present
FROM member m
JOIN account a ON a.id = m.account
LEFT JOIN group_info r ON r.conversation = m.conversation;
CREATE VIEW devices AS
SELECT a.handle,
       d.name AS device,
       d.place,
       strftime('%Y-%m-%dT%H:%M:%fZ', d.seen / 1000.0, 'unixepoch') AS last_seen
FROM device d
JOIN account a ON a.id = d.account;
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
INSERT INTO account VALUES(1, 'ana', 'ana', 'hash', 0, 0, NULL, 0, 0, 0, 0, 0, 0, 0);
INSERT INTO account VALUES(2, 'bia', 'bia', 'hash', 0, 0, NULL, 0, 0, 0, 0, 0, 0, 0);
INSERT INTO account VALUES(3, 'caio', 'caio', 'hash', 0, 0, NULL, 0, 0, 0, 0, 0, 0, 0);
INSERT INTO conversation VALUES(1, 1, 2, 2, 2, 1, 0, X'0101', 0, 0, 0, 0, NULL);
INSERT INTO conversation VALUES(2, 1, 1, 3, 1, 0, 0, X'03', 0, 0, 0, 2, NULL);
INSERT INTO entry VALUES(1, 1, 1, 1, 1, 1000000, 0, '1', NULL, NULL, 0);
INSERT INTO entry VALUES(2, 1, 2, 1, 2, 1000000, 0, 'dois
linhas', NULL, NULL, 0);
INSERT INTO entry VALUES(3, 2, 1, 1, 1, 1000000, 0, '3', NULL, NULL, 0);
INSERT INTO generation VALUES(1, X'BFBE8440FBC5CFB21A04A21A4B48018B', X'B887A7762737C543699B576E9A079F7F');
INSERT INTO member VALUES(1, 1, 2, 2, 2, 2, 2, 0, 0, 0, 2, 2, 2, 0, 0, 0, 0, NULL, NULL, 1, 1, NULL, X'', X'', 1, NULL, NULL, NULL, NULL);
INSERT INTO member VALUES(1, 2, 0, 0, 1, 1, 0, 1, 1000000, 1, 1, 1, 0, 1, 1000000, 1, 0, NULL, 1, 1, 1, NULL, X'', X'', 1, NULL, NULL, NULL, NULL);
INSERT INTO member VALUES(2, 1, 1, 3, 3, 1, 1, 0, 0, 0, 3, 1, 1, 0, 0, 0, 0, NULL, NULL, 3, NULL, NULL, X'', X'', 1, NULL, NULL, NULL, NULL);
INSERT INTO newest VALUES(1, 3, 1, 3, 2, 0, 0);
INSERT INTO word VALUES('ana', 1);
INSERT INTO word VALUES('bia', 2);
INSERT INTO word VALUES('caio', 3);
