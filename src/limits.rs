//! Every limit, with its reason. Nothing in papo is unbounded, and every bound is here.

mod expiry;
mod operators;
#[cfg(feature = "postgres")]
mod postgres;
mod search;
mod turns;

use std::time::Duration;

pub use expiry::*;
pub use operators::*;
#[cfg(feature = "postgres")]
pub use postgres::*;
pub use search::*;
pub use turns::*;

/// Bytes in a line from a client, LF included. Long enough for a page of text or a stack trace,
/// short enough that a thousand clients' unfinished lines fit in memory.
pub const LINE: usize = 65_536;
/// Minimum characters in a handle, so that a stray keystroke is not an account.
pub const HANDLE_MIN: usize = 2;
/// Maximum characters in a handle: a column of a terminal's line.
pub const HANDLE_MAX: usize = 32;
/// Maximum characters (Unicode scalar values) in a display name.
pub const DISPLAY_NAME_MAX: usize = 64;
/// Minimum characters in a password. NIST SP 800-63B asks for 8; 6 is for a service on a trusted
/// host, where the brake on guessing does the rest.
pub const PASSWORD_MIN: usize = 6;
/// Maximum characters in a password, so that nobody can have a megabyte hashed.
pub const PASSWORD_MAX: usize = 128;
/// Characters of an unknown verb that the `ERR` line repeats.
pub const VERB_ECHO: usize = 64;
/// Rows of a `HIST` that gives no number.
pub const HIST_DEFAULT: usize = 50;
/// Maximum rows of a `HIST`.
pub const HIST_MAX: usize = 1_000;

/// How far the ids of a restored database jump ahead if the clock cannot tell which ids the
/// original has issued since, and the range of a random number added to that: a thousand years at
/// 2.7 million a day. Two restored copies share ids with a probability of about the number they
/// issue, divided by this.
pub const JUMP: i64 = 1_000_000_000_000;

/// How often a migration asks the service manager for more time. Each request is for three times as
/// long, so that one may be late.
pub const MIGRATION_BEAT: Duration = Duration::from_secs(10);

/// Maximum rows of a `SYNC`.
pub const SYNC_MAX: usize = 1_000;
/// Maximum rows of a `FIND`; one more letter finds the others.
pub const FIND_MAX: usize = 20;
/// Maximum words of a `FIND`: more than a name needs.
pub const FIND_WORDS: usize = 8;
/// Matching accounts whose names a `FIND` reads in order to show the best first. It reads as many
/// rows of each word's list to find out whether the word is rare.
pub const FIND_MATCHES: usize = 256;
/// Rows of all words' lists together that a `FIND` reads if no word is rare: some 0.1 µs each. With
/// eight words each gets 1,024, so shorter lists are read whole.
pub const FIND_POSTINGS: usize = 8_192;
/// Accounts whose words a `FIND` looks up one by one: 1 µs each, 3 to 5 ms among a million people.
pub const FIND_LOOKS: usize = 1_024;
/// Characters in a `ONCE` key and in the label of a token: a UUID or a name, with room.
pub const KEY_MAX: usize = 64;
/// Tokens of one account: one for each device and script of a busy person.
pub const TOKENS: usize = 100;
/// Devices of one account.
pub const DEVICES: usize = 20;
/// System users linked to one account, who need no secret.
pub const LINKS: usize = 100;
/// Members of one group. A message is one entry whatever their number; what grows is the work of
/// notifying them, and the group's memory while in use: some 450 bytes a member.
pub const GROUP_MEMBERS: usize = 5_000;
/// Names in one `GROUP NEW` or `GROUP ADD`, which takes effect at once: some 1.5 µs to write each
/// member, and as much to decide it. A larger group is made with several commands.
pub const GROUP_NAMES: usize = 1_000;
/// Characters in a reaction: an emoji that is joined from many, or a short word.
pub const REACTION_MAX: usize = 16;
/// Different reactions to one message. Each is shown in every row of `HIST`, and a vote has fewer
/// answers.
pub const REACTIONS: usize = 20;
/// People that one message calls: with more, it is for everyone.
pub const CALLS: usize = 20;
/// Different names after `@` that are looked up in one text: enough for all that are called, with
/// people who are not in the group among them.
pub const CALLS_READ: usize = 100;
/// Maximum rows of a `MARKS`.
pub const MARKS_MAX: usize = 1_000;
/// Maximum seconds until a command is due: a year.
pub const LATER_SECONDS: u64 = 31_536_000;
/// Commands of one account that wait for their time, as many as it may have tokens.
pub const LATER: usize = 100;
/// Commands that are due and share a batch with other work: some 10 ms if they have nothing in
/// common, so that ten thousand are done in a second.
pub const DUE: usize = 128;
/// How often the hub looks at the clock while commands wait for their time, as the clock may be
/// set, and how long it waits after a failure of the store.
pub const DUE_LOOK: Duration = Duration::from_secs(1);
/// Bytes in a file's name, as file systems allow.
pub const FILE_NAME_MAX: usize = 255;
/// Bytes of a file: a photograph, a recording of some minutes, a day's log.
pub const FILE: u64 = 16 * 1024 * 1024;
/// Bytes of files that one account may put in a day: sixteen of the largest.
pub const FILES_DAY: u64 = 256 * 1024 * 1024;
/// Bytes of all files together, so that a server does not fill its disk unnoticed.
pub const FILES: u64 = 10 * 1024 * 1024 * 1024;
/// Uploads under way at a time. They are on disk and cost little; what it bounds is the disk that
/// those who never finish can hold: a GiB with files of the largest size.
pub const UPLOADS: usize = 64;
/// Bytes that an upload takes in advance from what all files together may have, where several papods
/// share them: they have to be asked once for every five rows or so.
pub const FILE_RESERVE: u64 = 256 * 1024;
/// Threads that write and read files. Each waits for the disk most of the time, and for a sync some
/// 100 ms at worst; with four, downloads go on while two or three uploads are synced.
pub const FILE_WORKERS: usize = 4;
/// The nice(2) increment of those threads: messages go before files.
pub const FILE_WORKERS_NICE: i32 = 5;
/// Bytes of a file in one row of a `GET`: 64,000 characters of Base64, a multiple of three, so that
/// only the last row is padded.
pub const FILE_ROW: usize = 48_000;
/// Names of content that the keeper reads from the store at once.
pub const SWEEP: usize = 256;
/// Maximum seconds of a `WAIT`: a day.
pub const WAIT_MAX: u64 = 86_400;
/// How often, in seconds, a session stores how far its account has been shown receipts. After
/// a crash of the server the receipts since then are sent again.
pub const SHOWN_SECONDS: u64 = 5 * 60;
/// Milliseconds before a token's last use is stored again.
pub const TOKEN_USED_MILLIS: i64 = 60_000;

/// Size of the I/O buffer, and so of one write. It belongs to the thread, not to the connection, so
/// idle connections hold none.
pub const SCRATCH: usize = 65_536;
/// Bytes read from a socket at once, which bounds the parsing in one turn.
pub const READ: usize = 16_384;
/// How long a session works before it yields to the others: about as long as one write of a whole
/// buffer; 200 of them take 10 ms.
pub const SESSION_TURN: Duration = Duration::from_micros(50);
/// How long a thread serves other sessions before it wakes a sleeping hub for work that one of them
/// has queued; it looks between their turns. About as long as one sync, so waiting for the others
/// delays that work by little more than just missing a commit would.
pub const PASS: Duration = Duration::from_micros(200);
/// Acts that a session parses before it checks whether its turn is over: some 0.5 µs each.
pub const TAKEN: usize = 32;
/// Commands of one session waiting for their commit. A batch of the hub is only twice as many, so a
/// session that floods waits for itself.
pub const UNCONFIRMED: usize = 512;
/// Bytes of one session's commands waiting for their commit.
pub const UNCONFIRMED_BYTES: usize = 65_536;
/// Bytes waiting for one session before entries and receipts stop being pushed to it and it is
/// served from the log instead. Replies are bounded by not reading further commands.
pub const OUTBOX: usize = 262_144;
/// Bytes of replies waiting for a session that has not logged in, so that many strangers who send
/// `HELP` and read nothing stay cheap.
pub const STRANGER: usize = 16_384;
/// Bytes of lines in one block of entries, shared by all its recipients.
pub const BLOCK: usize = 65_536;
/// Commands that the hub decides in one batch: one transaction, one sync. Measured: the commit's
/// cost per message is flat from some 500 on, while memory and delay keep growing: some 10 ms here
/// on a core shared with sessions. Halved while more is waiting than fits.
pub const BATCH: usize = 1_024;
/// Members of a conversation that is looked up that count as one more lookup: some 0.8 µs each.
pub const MEMBERS_READ: usize = 8;
/// Members in memory that are looked through for the weight of one message: some 10 ns each.
pub const MEMBERS_SEEN: usize = 128;
/// Lookups for a long act that are made together, some 4 µs each: between two such pieces others are
/// served.
pub const PIECE: usize = BATCH / 2;
/// The most pieces. Two lookups for each name of a group are a third of that; if they were not
/// enough, what was looked up did not stay in memory, and the rest is done at once.
pub const PIECES: usize = 6 * GROUP_NAMES / PIECE;
/// Accounts that are told something for the weight of one message.
pub const TOLD: usize = 16;
/// Members from which on a conversation is large: it is remembered who has written there, and what
/// is said there weighs more if many are online.
pub const LARGE_GROUP: usize = 64;
/// Bytes of commands in one batch, since as many lines of 64 KiB would be 64 MiB. A quarter of this
/// while more is waiting than fits.
pub const BATCH_BYTES: usize = 1_048_576;
/// Entries read from the log at once for one session.
pub const PAGE_ROWS: usize = 256;
/// Bytes of text after which a page ends: the size of the I/O buffer. A page of the largest entries
/// has two.
pub const PAGE_BYTES: usize = 65_536;
/// Members, groups or blocked accounts read at once for one session: 2 to 10 ms.
pub const LIST_ROWS: i64 = 1_024;
/// Invitations to one group that are good at the same time.
pub const INVITATIONS: usize = 100;
/// Uses of one invitation: as many as a group has members.
pub const INVITATION_USES: u32 = 5_000;
/// Seconds in which an invitation is good if nothing else is said: a day.
pub const INVITATION_SECONDS: u64 = 86_400;
/// And at most: a year.
pub const INVITATION_SECONDS_MAX: u64 = 31_536_000;
/// Seconds that a flag of a conversation can be set for: ten years, which still have a time to be
/// written down.
pub const FLAG_SECONDS_MAX: u64 = 315_360_000;
/// Groups in the list of the open ones: what a person may want to look through.
pub const OPEN_GROUPS: i64 = 1_000;
/// Members counted at once for the rows of a `GROUP LIST`: 0.1 µs each.
pub const LIST_COUNTED: i64 = 16_384;
/// Ids of a conversation in one block, a row of the store. A page of `HIST` is one or two blocks.
/// The conversation's own row holds the ids that do not fill a block yet, and stays small enough to
/// be rewritten often.
pub const ID_BLOCK: usize = 64;
/// Moves of a cursor in one row of the store. Until there are this many they stay in the member's
/// row, at some 5 bytes each.
pub const MOVES: usize = 32;
/// Conversations whose next entry a walk over all of an account's keeps in memory, 16 bytes each.
/// An account with more is served in rounds of this many.
pub const AHEAD: usize = 16_384;
/// Conversations of these whose list of ids is kept as well, some 200 bytes each. Beyond this all
/// lists are dropped and read again.
pub const LANES: usize = 1_024;
/// Conversations that one question of a walk looks up: some 5 ms.
pub const OPENED: usize = 1_024;
/// Conversations with waiting entries that a login counts: some 5 ms. Beyond this the count it
/// reports is a lower bound.
pub const PENDING: usize = 2_048;
/// Accounts, conversations and blocks (each) that the hub keeps in memory, some 300 bytes each, so
/// a few MiB. Beyond this, those not in use are evicted.
pub const DIRECTORY: usize = 32_768;
/// Bytes of those conversations together, most of them members: 180,000 fit.
pub const DIRECTORY_BYTES: usize = 32 * 1024 * 1024;
/// Bytes of conversations that a batch looks up before it ends: a group of 5,000 takes some
/// milliseconds to read, so others should not wait for a second one.
pub const LOOKED_UP: usize = 512 * 1024;
/// Eviction steps between two batches, some 0.1 µs each: twice what a batch can bring in, since
/// what has been used is passed over once.
pub const EVICT: usize = 2 * BATCH;
/// Minimum pages of the write-ahead log to copy to the database at once: 4 MB, so that rows that
/// change often are copied once.
pub const WRITE_BACK: i64 = 1_000;
/// Pages below which the writer copies what is left of a long log itself: 1 MB, for which a batch
/// waits.
pub const WRITE_BACK_END: i64 = WRITE_BACK / 4;
/// Pages after which the write-ahead log is restarted, once little of it is left to copy: 40 MB.
pub const LOG_PAGES: i64 = 10_000;
/// Bytes from the last frame of the write-ahead log to the end of its file, at least, at most twice
/// that, when a batch is written: some ten messages. With a megabyte, p99 is half as long again.
pub const LOG_ROOM: u64 = 128 * 1024;
/// Chats that the store may list as having something waiting when nothing does any more; a login
/// looks at each in vain, some 3 µs.
pub const UNSETTLED: usize = 1_024;
/// Newest entries whose position the hub keeps in memory, 57 bytes each.
pub const RECENT: usize = 16_384;

/// Faults of a damaged database that a check names before it stops: as many as a person reads
/// before restoring a backup.
pub const FINDINGS: usize = 100;

/// Expired entries whose rows are blanked but not deleted yet. When rows are deleted, SQLite moves
/// others between three neighbouring pages and leaves copies behind. A row takes at least 20 bytes,
/// so those pages hold some 600 at most, and only blank ones are moved. If all were of the largest
/// size, they would be 64 MiB.
pub const BLANK: i64 = 1_024;
/// Rows about expired entries that are deleted in one step; the last member's may exceed this by
/// twice the entries of a step.
pub const EXPIRE_ROWS: usize = 2_048;
/// Empty pages returned to the file system in one step: 1 MiB, as much as a batch may hold.
pub const EXPIRE_PAGES: usize = 256;
/// One part in this many of the database may be empty pages, which new entries fill again.
/// Returning them all would mean moving pages now and allocating new ones soon.
pub const EMPTY_PART: i64 = 8;
/// Maximum days for which entries are kept: a century, so that no sum overflows.
pub const KEEP_MAX: u64 = 36_500;

/// Steps of SQLite's virtual machine after which it is checked whether a question has had its own:
/// some 20 µs.
pub const STEPS: i32 = 1_000;
/// Units of [`STEPS`] after which a question is aborted: some 5 s. Questions are bounded by the
/// rows they read and take a thousandth of this, with one exception: all receipts that an account
/// has missed are looked up at once, 100,000 of them in some 2 s.
pub const READ_STEPS: i64 = 200_000;
/// The same for a question that is answered while sockets wait, which is then left to the reader
/// threads: some 0.1 ms. Those of a login for which nothing waits take a tenth of it.
pub const SMALL_STEPS: i64 = 4;
/// Units of [`STEPS`] after which a reader lets those threads go first that wait for its core: some
/// 0.2 ms. Otherwise they wait until Linux takes the core away from it, up to 5 ms later.
pub const READ_TURN: i64 = 10;
/// The nice(2) increment of readers. They get a third of the weight of other threads, so that on a
/// busy core history is delayed and new messages are not.
pub const READER_NICE: i32 = 5;
/// Threads that read the log, in addition to the one for logins. Two, so that a slow question does
/// not stop all others; they share two cores with everything else.
pub const READERS: usize = 2;
/// Secrets waiting to be hashed. At 16 ms each, 256 take one core four seconds: about as long as a
/// person waits before trying again. Addresses take turns, so the first secret of an address waits
/// for one of each other address only.
pub const SECRETS: usize = 256;
/// Maximum threads that hash, one per core. At 19 MiB each they take 152 MiB; they admit five
/// hundred people a second, and anyone who needs more uses tokens.
pub const HASHERS: usize = 8;
/// The nice(2) increment of those threads: messages go before logins.
pub const HASHER_NICE: i32 = 5;

/// Consecutive failures, for one account from one address, before the next attempt has to wait:
/// enough to try a few passwords and mistype one.
pub const GUESSES: u32 = 6;
/// The first pause. It doubles with each further failure.
pub const GUESS_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause: an attacker gets 14 attempts an hour, and someone who only mistyped, however
/// often, waits four minutes at most.
pub const GUESS_PAUSE_MAX: Duration = Duration::from_secs(256);
/// How long an attempt is held before it is answered. One that would have to wait longer is refused
/// at once, since a person would take the silence for a fault.
pub const GUESS_WAIT: Duration = Duration::from_secs(5);
/// Time after the last failure at which all are forgotten. The sixteen attempts up to the longest
/// pause, at the price of an hour of silence, are no more than going on would give.
pub const GUESS_MEMORY: Duration = Duration::from_secs(60 * 60);
/// Pairs of handle and address whose failures are remembered: some 150 bytes each, so 2.5 MiB.
/// Pushing one out takes as many failures, which at 16 ms each last as long as the longest pause.
pub const GUESSERS: usize = 16_384;

/// Connections for metrics at once: two of Prometheus', a person's, and some that hang. Beyond
/// this, a new one replaces one that has not sent a request.
pub const METRICS_CONNECTIONS: usize = 16;
/// Bytes of a request for metrics: what common HTTP servers accept. Prometheus sends some 300.
pub const METRICS_REQUEST: usize = 8_192;
/// Time for which a connection for metrics may last: a scrape takes milliseconds.
pub const METRICS_TIME: Duration = Duration::from_secs(2);

/// Connections waiting to be accepted. If the queue is full the kernel may drop the end of a
/// handshake that the client thinks complete, and the client waits for a greeting forever; so this
/// is Linux's default maximum (`net.core.somaxconn`).
pub const BACKLOG: i32 = 4_096;

/// Connections in total. At a KiB or two each, and some 10 with TLS, memory is no concern; what
/// bounds them is finding an idle one among the others, and the system's open files.
pub const CONNECTIONS: usize = 20_000;
/// Connections of one address: enough for an office behind NAT, while one machine cannot use up all
/// connections.
pub const ADDRESS_CONNECTIONS: usize = 200;
/// Sessions of one account: all devices and scripts of a busy person, and dead connections that
/// have not been noticed yet.
pub const ACCOUNT_SESSIONS: usize = 50;
/// New accounts of one address in an hour: a school class can start together.
pub const REGISTRATIONS: u64 = 40;
/// Messages of one account in a second, on average: no person types so fast, and a script that
/// pours a log in is slowed down and loses nothing.
pub const MESSAGES: u64 = 50;
/// The time over which that average is taken; all that it allows may come at once.
pub const MESSAGES_BURST: Duration = Duration::from_secs(10);
/// Cost of one account's commands other than messages in a second, on average over ten. An `ACK`
/// costs 1, dearer commands more. Nobody changes their name 20 times a second, and a script may
/// `WAIT` for each of the messages that it may send. `ACK` and `READ` of what a session was sent
/// are free, so reading much never slows anyone down.
pub const COMMANDS: u64 = 200;
/// Free `ACK`s and `READ`s for each entry that a session was sent, as an event or a row: one of
/// each with its id, and one of each bare.
pub const FREE_MOVES: usize = 4;
/// New groups of one account in a day. Their names are never reused.
pub const GROUPS: u64 = 50;
/// Bytes of messages of one account in a day: two hundred books, or a day's log of a busy machine.
pub const MESSAGE_BYTES: u64 = 100 * 1024 * 1024;
/// The longest delay of a client over its rate; if more were needed, the answer is `too-fast`.
pub const DELAY: Duration = Duration::from_secs(5);
/// Accounts or addresses whose rate is tracked, 40 bytes each. Those within their limits for long
/// enough need no entry.
pub const RATED: usize = 65_536;
/// Connections over the limits that are sent `BYE too-many` at a time; further ones are closed
/// without it.
pub const REFUSED: usize = 64;
/// Bytes of a PROXY header after its first 16: addresses and optional fields, which HAProxy keeps
/// under 500.
pub const PROXY_BYTES: usize = 2_048;
/// Connections whose PROXY header has not arrived. A proxy sends it at once.
pub const INTRODUCED: usize = 1_024;
/// Time for a PROXY header, which a proxy sends at once.
pub const PROXY_TIME: Duration = Duration::from_secs(10);

/// Unsent bytes that the kernel keeps for a TCP peer (`TCP_NOTSENT_LOWAT`, tcp(7)); what is on its
/// way comes on top. Linux would keep up to 4 MiB for each peer that stops reading (`tcp_wmem`).
pub const UNSENT: u32 = 128 * 1_024;

/// Silence on a TCP connection before the first keepalive probe. Networks forget a connection that
/// is silent for some minutes; the probes prevent this as well.
pub const KEEPALIVE: Duration = Duration::from_secs(60);
/// Maximum of `TCP_KEEPIDLE` (tcp(7)), in seconds.
pub const KEEPALIVE_MAX: u64 = 32_767;
/// Unanswered probes before a peer counts as gone, spread over as much time again. So a peer that
/// vanished is gone after twice the silence: it neither stays online forever nor counts among its
/// account's sessions. The same time applies to data that is not acknowledged, where the kernel
/// alone would try for 15 minutes, but not above [`UNHEARD`].
pub const KEEPALIVE_PROBES: u32 = 4;
/// Bytes sent to a peer since it last sent something, above which it may be alive but have stopped
/// reading. It then gets [`STALLED_TIME`], since `TCP_USER_TIMEOUT` would disconnect it as well
/// (Linux, `tcp_probe_timer`). Peers' buffers hold 64 KiB and more.
pub const UNHEARD: u32 = 49_152;
/// Pause between two checks whether a client in a `WAIT` is still connected: one poll(2).
pub const PEER_LOOK: Duration = Duration::from_secs(5);
/// Time that a new connection has to log in.
pub const LOGIN_TIME: Duration = Duration::from_secs(120);
/// Connections to look through at once for those whose time to log in is over: some 50 µs.
pub const LOGINS_LOOK: usize = 1_000;
/// Time for which a peer may accept no byte while some are waiting for it.
pub const STALLED_TIME: Duration = Duration::from_secs(15 * 60);
/// After `BYE`: time for which further input is read and dropped, so that the last lines are not
/// lost to a reset.
pub const LINGER_TIME: Duration = Duration::from_secs(1);
/// Pause before `SET ack auto` retries after it failed to store what was delivered. A full disk
/// stays full for minutes; twenty thousand sessions then retry 4,000 times a second, which share a
/// few batches.
pub const ACK_PAUSE: Duration = Duration::from_secs(5);
/// Time in which a session that is being closed may still send what is waiting.
pub const FAREWELL_TIME: Duration = Duration::from_secs(2);
/// How long an operator waits for what other papods on the same database report: longer than a frozen
/// one is waited for.
pub const REPORT_WAIT: Duration = Duration::from_secs(5);
/// Pause between two looks whether PostgreSQL waits for a standby: each costs it a connection.
pub const STANDBY_LOOK: Duration = Duration::from_secs(10);
/// Pause after `accept` failed for lack of file descriptors or memory.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Time in which one such failure is logged: a line for each would fill the disk that the messages
/// go to, for as long as someone holds all descriptors.
pub const ACCEPT_WARNING: Duration = Duration::from_secs(60);
/// Seconds before a certificate expires from which on the log warns of it. Those of public CAs are
/// renewed a month ahead, so an operator who reads this has missed that for two weeks and has two
/// left.
pub const CERTIFICATE_WARNING: i64 = 14 * 24 * 60 * 60;
/// Pause between two checks of the certificate's dates.
pub const CERTIFICATE_LOOK: Duration = Duration::from_secs(24 * 60 * 60);
/// Time in which one address gets one line in the log for each limit it runs into.
pub const WARNING_PAUSE: Duration = Duration::from_secs(60);
/// Pairs of address and limit that get lines of their own: some 64 bytes each. The others share one
/// for each limit, so the log gets little more than 4,096 lines a minute.
pub const WARNINGS: usize = 4_096;
/// Time limit of the `--auth-command` program: as long as a person waits at a login, and longer
/// than a directory server takes.
pub const AUTH_COMMAND_TIME: Duration = Duration::from_secs(10);
/// Bytes of a secret that is passed to it. With the handle it fits into the smallest pipe, a page.
pub const AUTH_COMMAND_SECRET: usize = 1_024;

/// Bytes of one direction of a pipe in memory between a session and a part of papod that is its
/// client: the buffer of a read, so that a session need not wait between two.
pub const PIPE: usize = 16_384;
/// Bytes of an HTTP request up to its body: what common servers accept, in one buffer of a stranger.
pub const HTTP_HEAD: usize = 16_384;
/// Header lines of an HTTP request, as common servers allow. Browsers send some 20.
pub const HTTP_HEADERS: usize = 100;
/// Bytes of the body of an HTTP request: a hook's JSON with some commits, and four times what a
/// message can have.
pub const HTTP_BODY: usize = 256 * 1_024;
/// Bytes of a line between the chunks of a body, which has a number and an extension that nobody
/// uses.
pub const HTTP_CHUNK_LINE: usize = 256;
/// Objects and arrays within each other in a body, before parsing it could exhaust the stack.
pub const JSON_DEPTH: usize = 128;
/// Time for the head of an HTTP request.
pub const HTTP_HEAD_TIME: Duration = Duration::from_secs(10);
/// Time for the body of an HTTP request.
pub const HTTP_BODY_TIME: Duration = Duration::from_secs(30);
/// Bytes of a published text, escaped, so that it fits into a [`LINE`] with a verb, a key and a name.
pub const HTTP_TEXT: usize = 60_000;
/// Characters of a hook's text; more is cut, since its sender could not send less.
pub const HOOK_TEXT: usize = 10_000;
/// Characters of JSON of an unknown form that a hook shows as it is.
pub const HOOK_JSON: usize = 2_000;
/// Commits that a hook of a forge names.
pub const HOOK_COMMITS: usize = 10;
/// Fields of a form that a hook looks at.
pub const HOOK_FIELDS: usize = 32;
/// Actions of a notice, as in ntfy.
pub const HTTP_ACTIONS: usize = 3;
/// Topics of one subscription: all that a phone app has.
pub const HTTP_TOPICS: usize = 20;
/// Bytes of an HTTP answer that may wait for the peer before more is made.
pub const HTTP_PENDING: usize = 16_384;
/// Payload of a frame from a WebSocket client: the most of a control frame (RFC 6455, 5.5), since
/// nothing else is expected.
pub const WEBSOCKET_FRAME: usize = 125;
/// Pause between two keepalives of a stream. Android's app gives up after 77 seconds of silence, and
/// proxies after 60.
pub const HTTP_KEEPALIVE: Duration = Duration::from_secs(55);
/// Pause between two Pings of a WebSocket, beside those behind messages: a peer that answers none in
/// this time is gone.
pub const HTTP_PING: Duration = Duration::from_secs(180);
/// Messages that a stream has sent whose notice it can clear: more than a phone shows.
pub const HTTP_CLEARABLE: usize = 200;
/// Messages of one name, each deleted before the next, after which a program can change none by that
/// name any more. Each is asked about with a command.
pub const HTTP_GENERATIONS: usize = 16;
/// Conversations of an account, the newest first, in which a subscription looks for what it begins
/// with. Each takes a `HIST` and some hundred bytes.
pub const HTTP_CONVERSATIONS: usize = 2_048;
/// Seconds for which a link to a file works that a subscriber is sent. Whoever subscribes again gets
/// new ones.
pub const HTTP_LINK_SECONDS: i64 = 24 * 60 * 60;
/// Time for the first bytes of a body without a name that is too long for a text, before it is taken
/// for one: they come with the head, or right behind it.
pub const HTTP_PEEK: Duration = Duration::from_secs(2);
/// Messages of each conversation that a subscriber gets who asks for all.
pub const HTTP_ALL: usize = 100;
/// Pages of `HIST` in which these are looked for; 10,000 rows take less than a second.
pub const HTTP_LAST_PAGES: usize = 10;
/// Seconds after which to try again when there was too much at once, and no time is known.
pub const RETRY_AFTER: u64 = 5;
/// Seconds of a `wait=` that names none.
pub const HTTP_WAIT: u64 = 60;
