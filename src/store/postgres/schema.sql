-- The tables, and the views that people and their tools may rely on: those of
-- store/sqlite/schema.sql, in the same words, which says what each column means. Where something
-- differs, the reason is here. Times are milliseconds since 1970-01-01 UTC.

CREATE TABLE schema_version(
    version integer NOT NULL
);

-- One row: who may write, and the newest numbers given. Each batch updates it first, and names the
-- term and the number of the batch before: so a papod that is not the leader any more writes
-- nothing, whatever it believes, and it is always known whether a batch was recorded. Leader and
-- term are what consensus protocols call them: a term has one leader, and terms only grow.
CREATE TABLE leader(
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    term bigint NOT NULL,
    batch bigint NOT NULL,              -- the number of the last batch
    beat bigint NOT NULL,               -- grows whenever the leader does anything
    node text NOT NULL,                 -- which process it is: a random number
    host text NOT NULL,                 -- the name of its machine, for operators
    pid integer,                        -- the server process of its connection, and when that began:
    started timestamptz,                -- while pg_stat_activity has it, the leader is there
    -- The columns of `newest` in SQLite.
    entry bigint NOT NULL,
    moved bigint NOT NULL,
    account bigint NOT NULL,
    conversation bigint NOT NULL,
    token bigint NOT NULL,
    floor bigint NOT NULL
) WITH (fillfactor = 10);               -- room in its page, so that no update touches an index

-- The papods of this database, some of which may have ended without a word. A leader has a row here.
CREATE TABLE node(
    name text PRIMARY KEY,              -- as in leader
    number bigint NOT NULL,             -- never given again
    host text NOT NULL,                 -- the name of its machine, for operators
    address text NOT NULL,              -- where the others reach it, HOST:PORT
    key bytea NOT NULL,                 -- by which they know it: a public key, as in X.509
    began timestamptz NOT NULL DEFAULT now()
);

CREATE SEQUENCE node_number;

-- One row: what papods prove to each other that they know. Who can read it can become one of them.
CREATE TABLE node_secret(
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    secret bytea NOT NULL
);

-- One row for each term.
CREATE TABLE term(
    term bigint PRIMARY KEY,
    node text NOT NULL,
    host text NOT NULL,
    began timestamptz NOT NULL DEFAULT now(),
    batch_before bigint NOT NULL,       -- the last batch of the terms before it
    entry_before bigint NOT NULL,       -- and the newest entry by then
    server text NOT NULL,               -- the cluster, and the timeline of its log: a promotion begins
                                        -- a new one, and so does a restored backup
    standby boolean NOT NULL,           -- whether commits waited for a standby as it began
    forced boolean NOT NULL             -- the leader before was connected, and silent
);

CREATE TABLE account(
    id bigint PRIMARY KEY,
    handle text NOT NULL UNIQUE COLLATE "C",
    name text NOT NULL,
    secret text NOT NULL,
    created bigint NOT NULL,
    shown bigint NOT NULL,
    seen bigint,
    later bigint NOT NULL DEFAULT 0,
    disabled boolean NOT NULL DEFAULT false,
    device bigint NOT NULL DEFAULT 0,
    gone bigint NOT NULL DEFAULT 0,
    read_off boolean NOT NULL DEFAULT false,
    seen_by bigint NOT NULL DEFAULT 0,
    added_by bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 80);

-- It has no list of ids: `entry` has indexes by conversation. With that, a message writes no page
-- of another conversation than its own.
CREATE TABLE conversation(
    id bigint PRIMARY KEY,
    low bigint,
    high bigint,
    head bigint NOT NULL,
    seq bigint NOT NULL,
    moved bigint NOT NULL,
    marked bigint NOT NULL DEFAULT 0,
    gone_seq bigint NOT NULL DEFAULT 0,
    gone_author bigint NOT NULL DEFAULT 0,
    gone_author_seq bigint NOT NULL DEFAULT 0,
    begun bigint NOT NULL DEFAULT 0,
    ttl bigint,
    UNIQUE(low, high)
) WITH (fillfactor = 60);               -- room for updates in place: see `member`

CREATE TABLE group_info(
    conversation bigint PRIMARY KEY,
    name text NOT NULL UNIQUE COLLATE "C",
    topic text NOT NULL,
    admins_write boolean NOT NULL DEFAULT false,
    all_add boolean NOT NULL DEFAULT false,
    open boolean NOT NULL DEFAULT false
);

CREATE INDEX group_open ON group_info(name) WHERE open;

-- One table. In partitions by `id`, which `--keep` could drop as a whole, a quiet conversation would
-- be looked for in each of them: with 50 that reads 125 pages for 4. Deleting rows costs 73 bytes of
-- write-ahead log for each, vacuum included. If that is ever too much, this table becomes the first
-- partition of another by ATTACH PARTITION, which copies nothing, since `id` is its key.
CREATE TABLE entry(
    id bigint PRIMARY KEY,
    conversation bigint NOT NULL,
    seq bigint NOT NULL,
    author bigint NOT NULL,
    author_seq bigint NOT NULL,
    time bigint NOT NULL,
    kind bigint NOT NULL,               -- -2: a message that has expired
    body text NOT NULL,                 -- empty once it is overwritten
    re bigint,
    tags text,
    changed boolean NOT NULL DEFAULT false
) WITH (autovacuum_vacuum_scale_factor = 0,     -- what is overwritten or deleted leaves the table as
        autovacuum_vacuum_threshold = 1000,     -- soon when it is large as when it is small
        toast_tuple_target = 8160);             -- a text that fits in a page stays in its row: see
                                                -- `overwritten`

-- No copies of texts in the planner's statistics. No query asks for them.
ALTER TABLE entry ALTER body SET STATISTICS 0, ALTER tags SET STATISTICS 0;

-- Messages and marks apart, so that no part of a history is read through its marks.
CREATE INDEX entry_conversation ON entry(conversation, id) WHERE kind BETWEEN -1 AND 1;
CREATE INDEX entry_mark ON entry(conversation, id) WHERE kind > 1;

CREATE TABLE expiring(
    due bigint NOT NULL,
    entry bigint NOT NULL,
    PRIMARY KEY(due, entry)
);

-- Pages of `entry` in which a text was deleted or overwritten, or from which a row with a text moved
-- away, each with the last batch that did so; -1 if a row of `later` was deleted, and -2 if one of
-- `content` was. PostgreSQL keeps such rows until VACUUM, and their bytes even longer: see erasure.rs.
CREATE TABLE overwritten(
    page bigint PRIMARY KEY,
    batch bigint NOT NULL
);

-- Always empty: whether VACUUM gets it down to no page shows whether it can remove what was deleted
-- last.
CREATE TABLE removable(
    one integer NOT NULL
);

CREATE TABLE erasing(       -- up to which row of `about` they are
    message bigint PRIMARY KEY, kind bigint NOT NULL DEFAULT 0,
    account bigint NOT NULL DEFAULT 0, mark bigint NOT NULL DEFAULT 0
);

CREATE TABLE about(
    message bigint NOT NULL,
    kind bigint NOT NULL,
    account bigint NOT NULL,
    mark bigint NOT NULL,
    PRIMARY KEY(message, kind, account, mark)
);

CREATE TABLE tally(
    message bigint NOT NULL,
    word bigint NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY(message, word)
) WITH (fillfactor = 60);

CREATE TABLE reply(
    message bigint NOT NULL,
    reply bigint NOT NULL,
    author bigint NOT NULL,
    PRIMARY KEY(message, reply)
);

CREATE TABLE file(
    entry bigint PRIMARY KEY,
    content bytea NOT NULL,
    bytes bigint NOT NULL
);

CREATE INDEX file_content ON file(content);

CREATE TABLE dropped_file(
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    content bytea NOT NULL
);

-- The contents of files. Only with its key can the pieces of one be read: see contents.rs.
CREATE TABLE content(
    hash bytea PRIMARY KEY,             -- SHA-256
    bytes bigint NOT NULL,
    upload bigint NOT NULL UNIQUE,      -- its pieces: a random number
    key bytea NOT NULL                  -- for AES-256-GCM
);

-- The sum of their bytes.
CREATE TABLE content_total(
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    bytes bigint NOT NULL
) WITH (fillfactor = 10);               -- always updated in place

-- What a papod is writing, or has placed for a message that has not been recorded yet. Its bytes
-- count until it is placed; from then on it holds its content. Renewed three times a minute: see
-- papo_renew_uploads.
CREATE TABLE upload(
    id bigint PRIMARY KEY,              -- a random number
    bytes bigint NOT NULL,
    content bytea,
    renewed timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 60);

CREATE INDEX upload_content ON upload(content);

-- No copies of keys in the planner's statistics.
ALTER TABLE content ALTER key SET STATISTICS 0;

-- The bytes of contents, encrypted, 256 KiB in each row but the last one.
CREATE TABLE piece(
    upload bigint NOT NULL,
    n bigint NOT NULL,                  -- from 0
    data bytea NOT NULL,
    PRIMARY KEY(upload, n)
) WITH (autovacuum_vacuum_scale_factor = 0.02,          -- what is deleted makes room for what comes
        toast.autovacuum_vacuum_scale_factor = 0.02);   -- next, before the table grows

ALTER TABLE piece ALTER data SET STORAGE EXTERNAL, ALTER data SET STATISTICS 0;

-- It has no list of ids either.
CREATE TABLE marking(
    conversation bigint PRIMARY KEY,
    author bigint NOT NULL,
    other bigint NOT NULL,
    count bigint NOT NULL
) WITH (fillfactor = 60);

-- Most updates change no indexed column. Where the page has room for the new row, they then leave
-- the indexes alone.
CREATE TABLE member(
    conversation bigint NOT NULL,
    account bigint NOT NULL,
    exempt bigint NOT NULL,
    last_own bigint NOT NULL,
    delivered bigint NOT NULL,
    delivered_seq bigint NOT NULL,
    delivered_exempt bigint NOT NULL,
    delivered_told bigint NOT NULL,
    delivered_time bigint NOT NULL,
    delivered_number bigint NOT NULL,
    read bigint NOT NULL,
    read_seq bigint NOT NULL,
    read_exempt bigint NOT NULL,
    read_told bigint NOT NULL,
    read_time bigint NOT NULL,
    read_number bigint NOT NULL,
    admin boolean NOT NULL,
    until_seq bigint,
    waits bigint,
    recent bigint NOT NULL,
    moved bigint,
    marked bigint,
    delivered_history bytea NOT NULL,
    read_history bytea NOT NULL,
    direct boolean NOT NULL,
    shown_read bigint,
    shown_read_time bigint,
    shown_read_number bigint,
    flags text,
    PRIMARY KEY(conversation, account)
) WITH (fillfactor = 60);

CREATE INDEX member_recent ON member(account, recent);
CREATE INDEX member_direct ON member(account, conversation) WHERE direct;
CREATE INDEX member_group ON member(account, conversation) WHERE recent = 0;
CREATE INDEX member_waits ON member(account, waits) WHERE waits IS NOT NULL;
CREATE INDEX member_moved ON member(account, moved) WHERE moved IS NOT NULL;
CREATE INDEX member_marked ON member(account, marked) WHERE marked IS NOT NULL;

CREATE TABLE stay(
    conversation bigint NOT NULL,
    account bigint NOT NULL,
    since bigint NOT NULL,
    since_seq bigint NOT NULL,
    until bigint,
    until_seq bigint,
    removed boolean NOT NULL DEFAULT false,
    PRIMARY KEY(conversation, account, since)
);

CREATE TABLE invitation(
    hash bytea PRIMARY KEY,
    conversation bigint NOT NULL,
    uses bigint NOT NULL,
    expires bigint NOT NULL
);

CREATE INDEX invitation_to ON invitation(conversation);

CREATE TABLE exempt_mark(
    conversation bigint NOT NULL,
    account bigint NOT NULL,
    seq bigint NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY(conversation, account, seq)
);

CREATE TABLE cursor_history(
    conversation bigint NOT NULL,
    account bigint NOT NULL,
    cursor bigint NOT NULL,
    upto bigint NOT NULL,
    moves bytea NOT NULL,
    PRIMARY KEY(conversation, account, cursor, upto)
);

CREATE TABLE stale(
    conversation bigint PRIMARY KEY,
    account bigint NOT NULL
);

CREATE TABLE once(
    account bigint NOT NULL,
    key text NOT NULL COLLATE "C",
    digest bytea NOT NULL,
    entry bigint NOT NULL,
    time bigint NOT NULL,
    content bytea,
    bytes bigint,
    PRIMARY KEY(account, key)
);

-- A command that is done or struck is deleted.
CREATE TABLE later(
    account bigint NOT NULL,
    number bigint NOT NULL,
    due bigint NOT NULL,
    message bigint,
    condition bigint,
    command text NOT NULL,
    PRIMARY KEY(account, number)
);

ALTER TABLE later ALTER command SET STATISTICS 0;

CREATE INDEX later_due ON later(due, account, number);

CREATE TABLE block(
    account bigint NOT NULL,
    blocked bigint NOT NULL,
    PRIMARY KEY(account, blocked)
);

CREATE TABLE token(
    id bigint PRIMARY KEY,
    account bigint NOT NULL,
    label text NOT NULL COLLATE "C",
    hash bytea NOT NULL UNIQUE,
    created bigint NOT NULL,
    used bigint,
    target text,
    UNIQUE(account, label)
);

CREATE TABLE account_invitation(
    hash bytea PRIMARY KEY,
    created bigint NOT NULL,
    uses bigint NOT NULL,
    until bigint NOT NULL
);

CREATE TABLE device(
    account bigint NOT NULL,
    number bigint NOT NULL,
    name text NOT NULL COLLATE "C",
    place bigint NOT NULL,
    shown bigint NOT NULL,
    seen bigint,
    PRIMARY KEY(account, number),
    UNIQUE(account, name)
) WITH (fillfactor = 60);               -- room for updates in place: see `member`

CREATE TABLE link(
    account bigint NOT NULL,
    "user" bigint NOT NULL,
    PRIMARY KEY(account, "user")
);

CREATE TABLE word(
    word text NOT NULL COLLATE "C",
    account bigint NOT NULL,
    PRIMARY KEY(word, account)
);

CREATE INDEX word_of ON word(account);

-- For people and their tools; promised to stay. No secret is in any of them.
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
       to_char(to_timestamp(e.time / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS time,
       a.handle AS sender,
       coalesce('#' || r.name, o.handle) AS recipient,
       CASE e.kind WHEN 0 THEN 'message' WHEN 1 THEN 'group' ELSE 'expire' END AS kind,
       CASE WHEN NOT e.changed THEN e.body
            WHEN EXISTS(SELECT FROM about WHERE message = e.id AND kind = 3) THEN ''
            ELSE coalesce((SELECT t.body FROM about b JOIN entry t ON t.id = b.mark
                           WHERE b.message = e.id AND b.kind = 2 ORDER BY b.mark DESC LIMIT 1),
                          e.body)
       END AS body,
       e.conversation,
       e.re,
       (SELECT max(mark) FROM about WHERE message = e.id AND kind = 2) AS edited,
       (SELECT mark FROM about WHERE message = e.id AND kind = 3) AS deleted,
       encode(f.content, 'hex') AS file,
       f.bytes AS file_bytes
FROM entry e
LEFT JOIN file f ON f.entry = e.id
JOIN conversation c ON c.id = e.conversation
JOIN account a ON a.id = e.author
LEFT JOIN group_info r ON r.conversation = c.id
LEFT JOIN account o ON o.id = CASE WHEN c.low = e.author THEN c.high ELSE c.low END
WHERE e.kind BETWEEN -1 AND 1 AND e.id > (SELECT floor FROM leader);

CREATE VIEW marks AS
SELECT e.id,
       to_char(to_timestamp(e.time / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS time,
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
       to_char(to_timestamp(d.seen / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS last_seen
FROM device d
JOIN account a ON a.id = d.account;

CREATE VIEW receipts AS
SELECT m.conversation,
       a.handle,
       m.delivered_told AS delivered,
       to_char(to_timestamp(nullif(m.delivered_time, 0) / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS delivered_time,
       m.read_told AS read,
       to_char(to_timestamp(nullif(m.read_time, 0) / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS read_time
FROM member m
JOIN account a ON a.id = m.account
WHERE m.delivered_told > 0;
