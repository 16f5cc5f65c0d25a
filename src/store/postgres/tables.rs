//! The tables as they are copied from PostgreSQL into a SQLite database of papo's, and back.
//!
//! What is the same in both is copied row by row. What differs: SQLite has lists of the ids of each
//! conversation, which are made anew, and its newest numbers in a table of their own.

/// A table, with its columns in the order of both schemas: `i` an integer, `t` a text, `b` bytes,
/// `f` a flag, `e` a text that
/// may be overwritten, in part at its end.
pub(super) struct Table {
    pub(super) name: &'static str,
    /// Declares a cursor for its rows.
    pub(super) declare: &'static str,
    /// Fetches some of them.
    pub(super) fetch: &'static str,
    pub(super) select: &'static str,
    pub(super) insert: &'static str,
    pub(super) kinds: &'static str,
}

/// A table named `$name` with these columns; `$rows` says which rows of it are read from SQLite.
macro_rules! table {
    ($name: literal, $columns: literal, $kinds: literal, $values: literal, $rows: literal) => {
        Table {
            name: $name,
            declare: concat!(
                "DECLARE papo_",
                $name,
                " NO SCROLL CURSOR FOR SELECT ",
                $columns,
                " FROM ",
                $name
            ),
            fetch: concat!("FETCH 8192 FROM papo_", $name),
            select: concat!("SELECT ", $columns, " FROM ", $name, " ", $rows),
            insert: concat!("INSERT INTO ", $name, "(", $columns, ") VALUES(", $values, ")"),
            kinds: $kinds,
        }
    };
}

pub(super) const TABLES: [Table; 24] = [
    table!(
        "account",
        "id, handle, name, secret, created, shown, seen, later, disabled, device, gone, read_off, \
         seen_by, added_by",
        "itttiiiifiifii",
        "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14",
        ""
    ),
    table!(
        "conversation",
        "id, low, high, head, seq, moved, marked, gone_seq, gone_author, gone_author_seq, \
         begun, ttl",
        "iiiiiiiiiiii",
        "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12",
        ""
    ),
    table!(
        "group_info",
        "conversation, name, topic, admins_write, all_add, open",
        "ittfff",
        "$1, $2, $3, $4, $5, $6",
        ""
    ),
    // What tells that a message has expired differs.
    Table {
        name: "entry",
        declare: "DECLARE papo_entry NO SCROLL CURSOR FOR
            SELECT id, conversation, seq, author, author_seq, time,
                   CASE kind WHEN -2 THEN 1 ELSE kind END, body, re, tags, changed FROM entry",
        fetch: "FETCH 8192 FROM papo_entry",
        select: "SELECT id, conversation, seq, author, author_seq, time,
                    iif(kind = 1 AND changed, -2, kind), body, re, tags, changed FROM entry
                 WHERE id > (SELECT floor FROM newest)",
        insert: "INSERT INTO entry(id, conversation, seq, author, author_seq, time, kind, body, re,
                     tags, changed)
                 VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, nullif($10, ''), $11)",
        kinds: "iiiiiiieief",
    },
    table!("expiring", "due, entry", "ii", "$1, $2", ""),
    table!("erasing", "message", "i", "$1", ""),
    table!("file", "entry, content, bytes", "ibi", "$1, $2, $3", ""),
    table!("about", "message, kind, account, mark", "iiii", "$1, $2, $3, $4", ""),
    table!("tally", "message, word, count", "iii", "$1, $2, $3", ""),
    table!("reply", "message, reply, author", "iii", "$1, $2, $3", ""),
    table!("marking", "conversation, author, other, count", "iiii", "$1, $2, $3, $4", ""),
    table!(
        "member",
        "conversation, account, exempt, last_own, delivered, delivered_seq, delivered_exempt, \
         delivered_told, delivered_time, delivered_number, read, read_seq, read_exempt, read_told, \
         read_time, read_number, admin, until_seq, waits, recent, moved, marked, \
         delivered_history, read_history, direct, shown_read, shown_read_time, \
         shown_read_number, flags",
        "iiiiiiiiiiiiiiiifiiiiibbfiiit",
        "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, \
         $20, $21, $22, $23, $24, $25, $26, $27, $28, $29",
        ""
    ),
    table!(
        "stay",
        "conversation, account, since, since_seq, until, until_seq, removed",
        "iiiiiif",
        "$1, $2, $3, $4, $5, $6, $7",
        ""
    ),
    table!("invitation", "hash, conversation, uses, expires", "biii", "$1, $2, $3, $4", ""),
    table!("exempt_mark", "conversation, account, seq, count", "iiii", "$1, $2, $3, $4", ""),
    table!(
        "cursor_history",
        "conversation, account, cursor, upto, moves",
        "iiiib",
        "$1, $2, $3, $4, $5",
        ""
    ),
    table!("stale", "conversation, account", "ii", "$1, $2", ""),
    table!(
        "once",
        "account, key, digest, entry, time, content, bytes",
        "itbiibi",
        "$1, $2, $3, $4, $5, $6, $7",
        ""
    ),
    table!(
        "later",
        "account, number, due, message, condition, command",
        "iiiiit",
        "$1, $2, $3, $4, $5, $6",
        "WHERE done = 0"
    ),
    table!("block", "account, blocked", "ii", "$1, $2", ""),
    table!(
        "token",
        "id, account, label, hash, created, used, target",
        "iitbiit",
        "$1, $2, $3, $4, $5, $6, $7",
        ""
    ),
    table!("account_invitation", "hash, created, uses, until", "biii", "$1, $2, $3, $4", ""),
    table!(
        "device",
        "account, number, name, place, shown, seen",
        "iitiii",
        "$1, $2, $3, $4, $5, $6",
        ""
    ),
    table!("link", "account, \"user\"", "ii", "$1, $2", ""),
];
