//! Every limit, with its reason. Nothing in papo is unbounded; what bounds it stands here.

use std::time::Duration;

/// Bytes in a line from a client, LF included. Long enough for a page of text or a stack trace,
/// short enough that the lines waiting of a thousand clients fit in memory.
pub const LINE: usize = 65_536;
/// Characters in a handle: two at least, so that a slip of one key is no account.
pub const HANDLE_MIN: usize = 2;
/// Characters in a handle at most: a column of a terminal's line.
pub const HANDLE_MAX: usize = 32;
/// Characters (Unicode scalar values) in a display name.
pub const DISPLAY_NAME_MAX: usize = 64;
/// Characters in a password: NIST SP 800-63B asks for 8 in general; 6 is for a service on a
/// trusted host, and the brake on guessing does the rest.
pub const PASSWORD_MIN: usize = 6;
/// Characters in a password at most, so that hashing cannot be fed a megabyte.
pub const PASSWORD_MAX: usize = 128;
/// Characters of an unknown verb that are said back in the `ERR` line.
pub const VERB_ECHO: usize = 64;
/// Rows of a `HIST` that names no number.
pub const HIST_DEFAULT: usize = 50;
/// Rows of a `HIST` at most.
pub const HIST_MAX: usize = 1_000;

/// By how much ids of a restored database go on above its own, and how much chance adds to it, where
/// the time cannot say what its original has given meanwhile: a thousand years of a thousand a day,
/// and two restored ones have ids in common about as often as they gave of this.
pub const JUMP: i64 = 1_000_000_000_000;

/// How often the service manager is told that a migration goes on. It waits three times as long, so
/// that one message may come late.
pub const MIGRATION_BEAT: Duration = Duration::from_secs(10);

/// Rows of a `SYNC` at most.
pub const SYNC_MAX: usize = 1_000;
/// Rows of a `FIND` at most: who is not among them is found by one more letter.
pub const FIND_MAX: usize = 20;
/// Words of a `FIND`: who has more to say has named the person.
pub const FIND_WORDS: usize = 8;
/// Accounts that match of which a `FIND` looks at the names, to show the best first. As many rows of
/// each word's list are read to find out whether the word is a rare one.
pub const FIND_MATCHES: usize = 256;
/// Rows of all words' lists that a `FIND` reads where no word is rare: some 0.1 µs each. Of eight
/// words each has 1,024, so the list of a word that fewer accounts have is read whole.
pub const FIND_POSTINGS: usize = 8_192;
/// Single accounts whose words a `FIND` looks up: some 1 µs each. With all of the above a `FIND` takes
/// 3 to 5 ms at most among a million people.
pub const FIND_LOOKS: usize = 1_024;
/// Characters in a `ONCE` key and in the label of a token: a UUID or a name, with room.
pub const KEY_MAX: usize = 64;
/// Tokens of one account: one for each device and script of a busy person.
pub const TOKENS: usize = 100;
/// System users who need no secret for one account.
pub const LINKS: usize = 100;
/// Members of one group. A message to it is one entry however many there are; what grows is the
/// work of telling them, and the memory of the group while it is in use: some 450 bytes each.
pub const GROUP_MEMBERS: usize = 5_000;
/// Seconds of a `WAIT` at most: a day.
pub const WAIT_MAX: u64 = 86_400;
/// Time within which a session writes down once how far its account was shown receipts, in
/// milliseconds: after a crash of the server those since then come twice.
pub const SHOWN_MILLIS: u64 = 5 * 60_000;
/// Time within which a token's last use is written down once.
pub const TOKEN_USED_MILLIS: i64 = 60_000;

/// Bytes read from or written to a socket at once. The buffer belongs to the thread, not to the
/// connection, so an idle connection holds none.
pub const SCRATCH: usize = 65_536;
/// Bytes read at once, so that what is understood in one turn stays short.
pub const READ: usize = 16_384;
/// For how long a session works before the others have their turn: as long as one write of a whole
/// buffer takes, and 200 of them take 10 ms.
pub const SESSION_TURN: Duration = Duration::from_micros(50);
/// Acts that a session takes up before it looks whether its turn is over: some 0.5 µs each.
pub const TAKEN: usize = 32;
/// Commands of one session that wait for their commit. One batch of the hub is at most a few of
/// these, so a session that floods waits for itself.
pub const UNCONFIRMED: usize = 512;
/// Bytes of commands of one session that wait for their commit.
pub const UNCONFIRMED_BYTES: usize = 65_536;
/// Bytes waiting for one session before entries and receipts stop being pushed to it and it is
/// served from the log instead. Replies are held back by not reading further commands.
pub const OUTBOX: usize = 262_144;
/// Bytes of answers waiting for a session that has not logged in: a strangers' crowd that asks for
/// `HELP` and reads nothing is to cost little.
pub const STRANGER: usize = 16_384;
/// Bytes of lines in one block of entries that several readers share.
pub const BLOCK: usize = 65_536;
/// Commands that the hub decides in one batch: one transaction, one sync. Measured: the commit's
/// cost per message is flat from some 500 on, while memory and delay go on growing: some 10 ms here on
/// a core that sessions share. Half of it where more waits than fits in one.
pub const BATCH: usize = 1_024;
/// The part of a batch that one account has while more waits than fits in one: at 10 µs a message,
/// those of others come 3 ms later.
pub const SHARE: usize = BATCH / 4;
/// The part of it that one session has before another: less would tear apart what goes to a
/// conversation in one block.
pub const TURN: usize = 32;
/// The same for one that comes after a rest.
pub const FIRST_TURN: usize = 4;
/// For how long at most everything else comes before the next act that is more than a batch: a group of
/// thousands takes some 70 ms.
pub const CALM: Duration = Duration::from_secs(1);
/// What a look-up in the store weighs, in messages of a busy conversation: some 10 µs to read, and as
/// much to write what was read and is changed.
pub const LOOK_UP: usize = 4;
/// Conversations of an account that are looked at in one step of its deletion.
pub const LEAVE: usize = 256;
/// Bytes of commands in one batch, since as many lines of 64 KiB would be 64 MiB; a quarter of it where
/// more waits.
pub const BATCH_BYTES: usize = 1_048_576;
/// Entries read from the log at once on behalf of one session.
pub const PAGE_ROWS: usize = 256;
/// Bytes of text after which a page is closed: it is the writer's buffer, so a page of the largest
/// entries is two of them.
pub const PAGE_BYTES: usize = 65_536;
/// Members, groups or blocked accounts that are looked at on behalf of one session at once: 2 to
/// 10 ms.
pub const LIST_ROWS: i64 = 1_024;
/// Members that are counted in one go for the rows of a `GROUP LIST`: 0.1 µs each.
pub const LIST_COUNTED: i64 = 16_384;
/// Ids of a conversation in one row of the store. A page of `HIST` is one or two of these; the row
/// of a conversation, which holds what is not yet one, stays small enough to be written often.
pub const ID_BLOCK: usize = 64;
/// Moves of a cursor in one row of the store: a row is written for each so many, and until then they
/// are a part of the member's own, at some 5 bytes each.
pub const MOVES: usize = 32;
/// Conversations of which a walk over all of someone's knows what comes next, 16 bytes each. Who has
/// more where something is ahead is served in rounds of as many.
pub const AHEAD: usize = 16_384;
/// Of those it has a list of ids at hand, some 200 bytes each. Beyond it reads them again.
pub const LANES: usize = 1_024;
/// Conversations that one question about a walk looks up: some 5 ms.
pub const OPENED: usize = 1_024;
/// Conversations in which something waits that a log-in counts: some 5 ms. Who has more is told at
/// least what waits in so many.
pub const PENDING: usize = 2_048;
/// Accounts, conversations and blocks (each) that the hub keeps in memory. Beyond it, what is not in
/// use is evicted: some 300 bytes each, so a few MiB.
pub const DIRECTORY: usize = 32_768;
/// Bytes of all those conversations, whose members are what grows: 180,000 members of groups.
pub const DIRECTORY_BYTES: usize = 32 * 1024 * 1024;
/// Bytes of conversations that a batch looks up before it ends: a group of 5,000 takes some
/// milliseconds to read, so others are not to wait for a second one.
pub const LOOKED_UP: usize = 512 * 1024;
/// Steps of eviction between two batches: twice what a batch can bring in, since what was used is
/// passed over once. Some 0.1 µs each.
pub const EVICT: usize = 2 * BATCH;
/// Pages of the write-ahead log that are written back at once beside what is written, at least: 4 MB,
/// so that rows that change often are written back once.
pub const WRITE_BACK: i64 = 1_000;
/// Pages after which the log is begun anew as soon as little of it is left to write back: 40 MB.
pub const LOG_PAGES: i64 = 10_000;
/// Chats of which the store may say that something waits where nothing does any more: a log-in looks
/// at each in vain, some 3 µs.
pub const UNSETTLED: usize = 1_024;
/// Newest entries whose place the hub knows without asking the store, 40 bytes each.
pub const RECENT: usize = 16_384;

/// Faults of a damaged database that are named, and looked for: what a person reads before putting
/// back a backup.
pub const FINDINGS: usize = 100;
/// Entries that are forgotten in one step, which shares a batch with what people do: a quarter of
/// the acts that a batch may hold, since each is looked at, blanked and deleted.
pub const FORGET: usize = 512;
/// Entries behind the floor that are blank, but still there. SQLite leaves copies of rows where it
/// moves them between three neighbouring pages as rows are deleted. No row takes fewer than 20
/// bytes, so those pages hold some 600 at most, and all that is moved is blank. If all of these were
/// as long as can be, they would be 64 MiB.
pub const BLANK: i64 = 1_024;
/// Rows about forgotten entries that are deleted in one step; the last member's may be as many more
/// as there are entries in a step, twice.
pub const FORGET_ROWS: usize = 2_048;
/// Empty pages that are given back to the system in one step: 1 MiB, as much as a batch may hold.
pub const FORGET_PAGES: usize = 256;
/// Of the database this part may be empty pages, which what is said next fills again. To give back
/// all of them would be to move pages now and to ask for new ones soon.
pub const EMPTY_PART: i64 = 8;
/// Days for which entries can be kept at most: a century, and no sum overflows.
pub const KEEP_MAX: u64 = 36_500;

/// Times 10,000 steps of SQLite's machine in one question, or it is ended: some 5 s. Questions are
/// bounded by the rows they look at and take a thousandth of this, but for one: the receipts that an
/// account has missed are looked up at once, 100,000 of them in some 2 s.
pub const READ_STEPS: i64 = 20_000;
/// How much nicer readers are than the threads that serve sessions and decide, so that where a core
/// is short, old messages come later and new ones do not: a third of the weight.
pub const READER_NICE: i32 = 5;
/// Threads that read the log, besides the one for log-ins. Two: a slow question does not stop all
/// others, and they share two cores with everything else.
pub const READERS: usize = 2;
/// Secrets waiting to be hashed. At 16 ms each, 256 take one core four seconds: about as long as a
/// person waits before trying again. Addresses take turns, so the first of each waits for one of
/// each other address only.
pub const SECRETS: usize = 256;
/// Threads that hash, where there are as many cores. Each keeps 19 MiB, so these keep 152; they let
/// five hundred people in a second, and who needs more than that uses tokens.
pub const HASHERS: usize = 8;
/// How far those threads stand back behind all others (nice(2)): messages go before log-ins.
pub const HASHER_NICE: i32 = 5;

/// Failures in a row, for one account from one address, before the next try has to wait: who does
/// not remember which of a few passwords it was, and mistypes one, is not held up.
pub const GUESSES: u32 = 6;
/// The first pause. It doubles with each further failure.
pub const GUESS_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause: who guesses on gets 14 tries an hour, and who only mistyped, however often,
/// waits four minutes at most.
pub const GUESS_PAUSE_MAX: Duration = Duration::from_secs(256);
/// How long a try waits before it is answered. One that would have to wait longer is refused at
/// once, since a person would take the silence for a fault.
pub const GUESS_WAIT: Duration = Duration::from_secs(5);
/// Time after the last failure at which those before it are forgotten. The sixteen tries up to the
/// longest pause, and an hour of silence to begin anew, gain nothing over going on.
pub const GUESS_MEMORY: Duration = Duration::from_secs(60 * 60);
/// Handles and addresses, together, whose failures are remembered: some 150 bytes each, so 2.5 MiB.
/// To have one forgotten for newer ones takes as many failures, which at 16 ms each is no sooner
/// than the longest pause ends.
pub const GUESSERS: usize = 16_384;

/// Connections for metrics at once: two of Prometheus', a person's, and some that hang. A new one
/// takes the place of one that says nothing.
pub const METRICS_CONNECTIONS: usize = 16;
/// Bytes of a request for metrics: what common HTTP servers take. Prometheus sends some 300.
pub const METRICS_REQUEST: usize = 8_192;
/// Time for which a connection for metrics may last: a scrape takes milliseconds.
pub const METRICS_TIME: Duration = Duration::from_secs(2);

/// Connections that wait to be accepted. Where the queue is full the system may drop the end of a
/// handshake that the client believes in, who then waits for a greeting for ever; so it is as long
/// as Linux lets it be without being told otherwise (`net.core.somaxconn`).
pub const BACKLOG: i32 = 4_096;

/// Connections in all. At a KiB or two each, and some 10 of TLS, memory is no matter; what bounds
/// them is that an idle one still has to be found among the others, and the system's open files.
pub const CONNECTIONS: usize = 20_000;
/// Connections of one address: an office behind one address has room, one machine cannot fill the
/// house.
pub const ADDRESS_CONNECTIONS: usize = 200;
/// Sessions of one account: all devices and scripts of a busy person, with those that the network
/// has not given up yet.
pub const ACCOUNT_SESSIONS: usize = 50;
/// New accounts of one address in an hour: a class of pupils can begin together.
pub const REGISTRATIONS: u64 = 40;
/// Messages of one account in a second, on average: no person types so fast, and a script that
/// pours a log in is slowed down and loses nothing.
pub const MESSAGES: u64 = 50;
/// The time over which that average is taken: what may come at once is what the time allows.
pub const MESSAGES_BURST: Duration = Duration::from_secs(10);
/// What one account has the hub decide beside messages, in a second, on average over ten; an `ACK` is
/// one, what costs more counts as more. Nobody renames themselves 20 times a second, and a script may
/// `WAIT` for each of the messages that it may send. `ACK` and `READ` of what a session was sent are
/// free, so who reads much is never slowed down.
pub const COMMANDS: u64 = 200;
/// For each entry that a session was sent, as an event or as a row: so many `ACK` or `READ` are free.
/// An `ACK` and a `READ` of it, and a bare one of each.
pub const FREE_MOVES: usize = 4;
/// New groups of one account in a day. Their names are never given again.
pub const GROUPS: u64 = 50;
/// Bytes of messages of one account in a day: two hundred books, or a day's log of a busy machine.
pub const MESSAGE_BYTES: u64 = 100 * 1024 * 1024;
/// Who is too fast waits so long at most before the answer is `too-fast`.
pub const DELAY: Duration = Duration::from_secs(5);
/// Accounts or addresses of which a rate is known, 40 bytes each. Who has rested needs none.
pub const RATED: usize = 65_536;
/// Connections beyond the limits that are told so at a time; further ones are closed without a
/// word.
pub const REFUSED: usize = 64;
/// Bytes of a PROXY header behind its first 16: addresses, and what else a proxy likes to tell,
/// which HAProxy keeps under 500.
pub const PROXY_BYTES: usize = 2_048;
/// Connections whose PROXY header has not come. A proxy sends it at once.
pub const INTRODUCED: usize = 1_024;
/// Time for a PROXY header, which a proxy sends at once.
pub const PROXY_TIME: Duration = Duration::from_secs(10);

/// Silence after which the system asks a peer over TCP for a sign of life. Networks forget a
/// connection that is silent for some minutes, and this keeps it alive, too.
pub const KEEPALIVE: Duration = Duration::from_secs(60);
/// The longest silence that the system can be told (tcp(7), `TCP_KEEPIDLE`), in seconds.
pub const KEEPALIVE_MAX: u64 = 32_767;
/// How often it asks before the peer is gone, in as much time again. So a peer that vanished is gone
/// after twice the silence: it is not online for ever, nor counted among its account's sessions. A
/// peer that was sent something and does not acknowledge it is gone after the same time, where the
/// system alone would try for 15 minutes; but not beyond [`UNHEARD`].
pub const KEEPALIVE_PROBES: u32 = 4;
/// Bytes sent to a peer since it said something, beyond which it may be one that is there and has
/// stopped to read, and has [`STALLED_TIME`]: `TCP_USER_TIMEOUT` would end that one, too (Linux,
/// `tcp_probe_timer`). Buffers of peers hold 64 KiB and more.
pub const UNHEARD: usize = 49_152;
/// Pause between two looks whether a client that waits for others is still there: one poll(2).
pub const PEER_LOOK: Duration = Duration::from_secs(5);
/// Time to log in.
pub const LOGIN_TIME: Duration = Duration::from_secs(120);
/// Time for which a peer may take no byte while some wait for it.
pub const STALLED_TIME: Duration = Duration::from_secs(15 * 60);
/// After `BYE`: time for which what still comes is read and dropped, so that the last lines are
/// not lost to a reset.
pub const LINGER_TIME: Duration = Duration::from_secs(1);
/// Pause after `SET ack auto` could not write down what was delivered, before it is tried again. A
/// disk that is full stays so for minutes; twenty thousand sessions are then 4,000 tries a second,
/// which share a few batches.
pub const ACK_PAUSE: Duration = Duration::from_secs(5);
/// Time for which a session that is being ended may still take what waits for it.
pub const FAREWELL_TIME: Duration = Duration::from_secs(2);
/// Pause between two looks for entries that are old enough to be forgotten. What is kept for days
/// may be kept a minute longer.
pub const EXPIRE_PAUSE: Duration = Duration::from_secs(60);
/// Pause after `accept` failed for want of file descriptors or memory.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Time within which one such failure is logged: a line for each would fill the disk that the
/// messages go to, as long as someone holds all descriptors.
pub const ACCEPT_WARNING: Duration = Duration::from_secs(60);
/// Seconds before the end of a certificate at which it is warned of. Those of public CAs are renewed a
/// month before, so whoever reads this has missed that for two weeks and has as much left.
pub const CERTIFICATE_WARNING: i64 = 14 * 24 * 60 * 60;
/// Pause between two looks at the certificate's end.
pub const CERTIFICATE_LOOK: Duration = Duration::from_secs(24 * 60 * 60);
/// Time within which one address has one line in the log for each limit it runs into.
pub const WARNING_PAUSE: Duration = Duration::from_secs(60);
/// Addresses and limits, together, that have lines of their own: some 64 bytes each. All others share
/// one, so the log gets 4,097 lines a minute for each limit at most.
pub const WARNINGS: usize = 4_096;
/// Time for the program of `--auth-command`: as long as a person waits at a log-in, and longer than a
/// directory of another machine takes.
pub const AUTH_COMMAND_TIME: Duration = Duration::from_secs(10);
/// Bytes of a secret that it is asked about. With the handle it fits into the smallest pipe, a page.
pub const AUTH_COMMAND_SECRET: usize = 1_024;
