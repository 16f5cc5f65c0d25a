//! Reading along the log: several conversations merged in the order of their ids. Every function
//! reads at most a page. The steps are those of store/sqlite/merge.rs; what that looks up one by one
//! is looked up together here, since each question is a round trip. Marks are not in lanes of their
//! own: a lane has the ids of both, merged by the query.

use std::sync::Arc;

use super::PgReader;
use super::decode::kind;
use super::expire;
use super::log::{PgLogRow, Shown};
use super::value::{Param, PgRow};
use crate::entry::{AccountId, ConversationId, EntryId};
use crate::limits;
use crate::store::ids::{Ids, encode};
use crate::store::walk::{Lane, LaneKey, Merge, Unopened, Walk, Window, is_made_by};
use crate::store::{ConversationKind, Error};

/// The first ids above an entry of a conversation, marks included: as many as a block has in SQLite.
/// The columns by which the conversation, the entry and the number of ids are known.
macro_rules! above {
    ($conversation: literal, $entry: literal, $count: literal) => {
        concat!(
            "SELECT id FROM ((SELECT id FROM entry WHERE kind BETWEEN -1 AND 1 AND conversation = ",
            $conversation,
            " AND id > ",
            $entry,
            " ORDER BY id LIMIT ",
            $count,
            ") UNION ALL (SELECT id FROM entry WHERE kind > 1 AND conversation = ",
            $conversation,
            " AND id > ",
            $entry,
            " ORDER BY id LIMIT ",
            $count,
            ")) AS both_kinds ORDER BY id LIMIT ",
            $count
        )
    };
}

const ABOVE: &str = above!("$1", "$2", "$3");

/// Conversations with their next ids above `$3` and, if only waiting entries are wanted (`$4`),
/// above the delivered cursor; and the parts that may be seen, the oldest first.
const OPEN: &str = concat!(
    "SELECT c.id, c.low, c.high, r.name, n.start, ARRAY(",
    above!("c.id", "n.start", "$5"),
    "), ARRAY(SELECT s.since - 1 FROM stay s WHERE r.name IS NOT NULL
              AND s.conversation = c.id AND s.account = $2 ORDER BY s.since),
        ARRAY(SELECT coalesce(s.until, 9223372036854775807) FROM stay s WHERE r.name IS NOT NULL
              AND s.conversation = c.id AND s.account = $2 ORDER BY s.since)
     FROM (SELECT n.id, n.at, CASE WHEN $4 THEN greatest($3, m.delivered) ELSE $3 END AS start
           FROM unnest($1) WITH ORDINALITY AS n(id, at)
           JOIN member m ON m.conversation = n.id AND m.account = $2) AS n
     JOIN conversation c ON c.id = n.id
     LEFT JOIN group_info r ON r.conversation = c.id
     WHERE greatest(c.head, c.marked) > n.start ORDER BY n.at"
);

/// The parts of a conversation that an account may see, the oldest first: all of a direct chat, its
/// stays in a group.
pub(super) fn windows(
    reader: &mut PgReader,
    me: AccountId,
    conversation: ConversationId,
    is_group: bool,
) -> Result<Vec<Window>, Error> {
    let newest = EntryId(i64::MAX);
    if !is_group {
        return Ok(vec![(EntryId(0), newest)]);
    }
    let sql = "SELECT since, until FROM stay WHERE conversation = $1 AND account = $2
               ORDER BY since";
    let rows = reader.rows(sql, &[Param::Int(conversation.0), Param::Int(me.0)])?;
    let window = |row: &PgRow| {
        let until: Option<i64> = row.get(1)?;
        Ok((EntryId(row.get::<i64>(0)? - 1), until.map_or(newest, EntryId)))
    };
    rows.iter().map(window).collect()
}

/// An entry of a page, before its text is read.
struct PickedEntry {
    id: EntryId,
    lane: LaneKey,
    of: ConversationKind,
}

/// The next page of a walk.
pub(super) fn page(
    reader: &mut PgReader,
    me: AccountId,
    walk: &mut Walk,
    rows: usize,
) -> Result<Vec<PgLogRow>, Error> {
    let floor = expire::floor(reader)?;
    if walk.at < floor {
        // What is known of the entries ahead may have expired.
        (walk.at, walk.merge) = (floor, None);
    }
    let mut picked: Vec<PickedEntry> = Vec::new();
    let mut opened = 0;
    loop {
        let merge = walk.merge.get_or_insert_with(Merge::new);
        let next = merge.peek();
        // If some conversations were dropped for lack of room, they are looked up again after the
        // others.
        let is_sure = match next {
            Some(id) => merge.unopened.is_above(id),
            None => merge.is_cut() || matches!(merge.unopened, Unopened::Nothing),
        };
        if !is_sure {
            if opened >= limits::OPENED {
                break;
            }
            opened += open_more(reader, me, (walk.at, walk.upto, walk.waiting), merge)?;
            continue;
        }
        if next.is_none() && merge.is_cut() {
            walk.merge = None;
            continue;
        }
        if next.is_none() {
            walk.done = true;
            break;
        }
        if picked.len() >= rows {
            break;
        }
        let Some((id, key, lane)) = merge.pop() else { break };
        if id <= walk.at {
            continue;
        }
        let mut lane = match lane {
            Some(lane) => lane,
            None => {
                let below = EntryId(id.0 - 1);
                let again = open(reader, me, &[key.0], below, walk.waiting)?;
                match again.into_iter().next() {
                    Some((there, lane)) if there == id => lane,
                    // The entry was acknowledged meanwhile.
                    Some((later, lane)) if later <= walk.upto => {
                        merge.push(later, lane);
                        continue;
                    }
                    _ => continue,
                }
            }
        };
        walk.at = id;
        picked.push(PickedEntry { id, lane: key, of: lane.kind.clone() });
        if let Some(next) = follow(reader, &mut lane, id)?.filter(|next| *next <= walk.upto) {
            merge.push(next, lane);
        }
    }
    let (ids, of): (Vec<_>, Vec<_>) = picked.iter().map(|one| (one.id.0, one.of.clone())).unzip();
    let how = if walk.waiting { Shown::OfOthers } else { Shown::Now };
    let mut found = reader.log_rows(me, &ids, &of, how)?;
    if let Some(last) = picked.get(found.len().wrapping_sub(1))
        && found.len() < picked.len()
    {
        // The others do not fit in the page.
        (walk.at, walk.done) = (last.id, false);
        let merge = walk.merge.get_or_insert_with(Merge::new);
        for one in &picked[found.len()..] {
            merge.put_back(one.id, one.lane);
        }
    }
    found.retain(|row| {
        let is_own = row.author == me;
        let is_wanted = !walk.waiting || !is_own || row.is_late_note;
        row.is_shown && is_wanted && !is_made_by(walk.without, is_own, row.tags.as_deref())
    });
    Ok(found)
}

/// Opens some more conversations, that is, looks up their next ids. Returns how much work that was,
/// in opened conversations.
fn open_more(
    reader: &mut PgReader,
    me: AccountId,
    (from, upto, waiting): (EntryId, EntryId, bool),
    merge: &mut Merge,
) -> Result<usize, Error> {
    let page = limits::PAGE_ROWS as i64;
    let mut list = |sql: &'static str, keys: &[i64]| -> Result<Vec<(i64, ConversationId)>, Error> {
        let keys: Vec<Param> =
            [me.0].iter().chain(keys).chain([&page]).map(|n| Param::Int(*n)).collect();
        let rows = reader.rows(sql, &keys)?;
        rows.iter().map(|row| Ok((row.get(0)?, ConversationId(row.get(1)?)))).collect()
    };
    let next;
    let found = match std::mem::replace(&mut merge.unopened, Unopened::Nothing) {
        Unopened::Nothing => return Ok(1),
        Unopened::Groups(above) => {
            let found = list(
                "SELECT conversation, conversation FROM member
                 WHERE account = $1 AND recent = 0 AND conversation > $2
                 ORDER BY conversation LIMIT $3",
                &[above.0],
            )?;
            next = match found.last().filter(|_| found.len() == limits::PAGE_ROWS) {
                Some((_, last)) => Unopened::Groups(*last),
                None if waiting => Unopened::Waiting(EntryId(0)),
                None => {
                    let then = recent(reader, me, from)?;
                    marked(reader, me, from, then)?
                }
            };
            found
        }
        Unopened::Marked { above, before, then } => {
            let mut found = list(
                "SELECT marked, conversation FROM member
                 WHERE account = $1 AND marked > $2 ORDER BY marked LIMIT $3",
                &[above.0],
            )?;
            next = match found.last().filter(|_| found.len() == limits::PAGE_ROWS) {
                Some((last, _)) => Unopened::Marked { above: EntryId(*last), before, then },
                None => *then,
            };
            found.retain(|(_, id)| before.is_none_or(|before| *id < before));
            found
        }
        Unopened::Waiting(above) => {
            let found = list(
                "SELECT waits, conversation FROM member
                 WHERE account = $1 AND waits > $2 AND waits <= $3
                 ORDER BY waits LIMIT $4",
                &[above.0, upto.0],
            )?;
            next = match found.last().filter(|_| found.len() == limits::PAGE_ROWS) {
                Some((last, _)) => Unopened::Waiting(EntryId(*last)),
                None => Unopened::Nothing,
            };
            found
        }
        Unopened::Recent { above, before } => {
            let mut found = list(
                "SELECT recent, conversation FROM member
                 WHERE account = $1 AND recent > $2 ORDER BY recent LIMIT $3",
                &[above.0],
            )?;
            next = match (found.last().filter(|_| found.len() == limits::PAGE_ROWS), before) {
                (Some((last, _)), _) => Unopened::Recent { above: EntryId(*last), before },
                (None, Some(from)) => Unopened::Later { from, reached: EntryId(0) },
                (None, None) => Unopened::Nothing,
            };
            found.retain(|(_, id)| before.is_none_or(|before| *id < before));
            found
        }
        Unopened::Later { from: first, .. } => {
            let found = list(
                "SELECT c.begun, c.id FROM member m JOIN conversation c ON c.id = m.conversation
                 WHERE m.account = $1 AND m.conversation >= $2 AND m.direct
                 ORDER BY m.conversation LIMIT $3",
                &[first.0],
            )?;
            // The conversations that follow were begun after the last of these.
            next = match found.last().filter(|_| found.len() == limits::PAGE_ROWS) {
                Some((begun, last)) if *begun < upto.0 => {
                    Unopened::Later { from: ConversationId(last.0 + 1), reached: EntryId(*begun) }
                }
                _ => Unopened::Nothing,
            };
            found
        }
    };
    // Reading a page of an index costs as much as opening some conversations.
    let work = limits::PAGE_ROWS / 16 + found.len();
    let ids: Vec<ConversationId> = found.into_iter().map(|(_, id)| id).collect();
    for (id, lane) in open(reader, me, &ids, from, waiting)? {
        if id <= upto {
            merge.push(id, lane);
        }
    }
    merge.unopened = next;
    Ok(work)
}

/// The direct chats with entries above `from`: those whose rank lies above it, and the one that
/// came first at that time, which kept its rank. If they are many, those begun after `from` are
/// opened only when the walk gets to them.
fn recent(reader: &mut PgReader, me: AccountId, from: EntryId) -> Result<Unopened, Error> {
    let sql = "SELECT recent FROM member WHERE account = $1 AND recent > 0 AND recent <= $2
               ORDER BY recent DESC LIMIT 1";
    let first = reader.row(sql, &[Param::Int(me.0), Param::Int(from.0)])?;
    let first: Option<i64> = first.map(|row| row.get(0)).transpose()?;
    let above = EntryId(first.map_or(from.0, |first| first - 1));
    let sql = "SELECT FROM member WHERE account = $1 AND recent > $2
               ORDER BY recent LIMIT 1 OFFSET $3";
    let page = Param::Int(limits::PAGE_ROWS as i64);
    if !reader.exists(sql, &[Param::Int(me.0), Param::Int(above.0), page])? {
        return Ok(Unopened::Recent { above, before: None });
    }
    let later = begun_after(reader, me, from)?;
    let sql = "SELECT FROM member WHERE account = $1 AND conversation < $2 AND direct LIMIT 1";
    let is_older = reader.exists(sql, &[Param::Int(me.0), Param::Int(later.0)])?;
    Ok(if is_older {
        Unopened::Recent { above, before: Some(later) }
    } else {
        Unopened::Later { from: later, reached: EntryId(0) }
    })
}

/// The direct chats with marks above `from`, before those in `then`: found by their rank, as in
/// [`recent`]. Those that are opened when the walk gets to them are opened with their marks.
fn marked(
    reader: &mut PgReader,
    me: AccountId,
    from: EntryId,
    then: Unopened,
) -> Result<Unopened, Error> {
    // All chats were begun after `from`.
    let Unopened::Recent { before, .. } = then else { return Ok(then) };
    let sql = "SELECT marked FROM member WHERE account = $1 AND marked <= $2
               ORDER BY marked DESC LIMIT 1";
    let first = reader.row(sql, &[Param::Int(me.0), Param::Int(from.0)])?;
    let first: Option<i64> = first.map(|row| row.get(0)).transpose()?;
    let above = EntryId(first.map_or(from.0, |first| first - 1));
    Ok(Unopened::Marked { above, before, then: Box::new(then) })
}

/// The lowest number of a direct chat of the account that was begun at entry `at` or later; any
/// number above its last chat if there is none. Conversations are numbered in the order in which
/// they were begun, so this is a binary search.
fn begun_after(reader: &mut PgReader, me: AccountId, at: EntryId) -> Result<ConversationId, Error> {
    let sql = "SELECT c.id, c.begun FROM member m JOIN conversation c ON c.id = m.conversation
               WHERE m.account = $1 AND m.conversation >= $2 AND m.direct
               ORDER BY m.conversation LIMIT 1";
    let newest = reader.row("SELECT conversation FROM leader", &[])?;
    let newest = newest.map(|row| row.get::<i64>(0)).transpose()?.unwrap_or(0);
    let (mut low, mut high) = (0, newest + 1);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        let next = reader.row(sql, &[Param::Int(me.0), Param::Int(middle)])?;
        let next =
            next.map(|row| Ok::<_, Error>((row.get(0)?, EntryId(row.get(1)?)))).transpose()?;
        match next {
            Some((id, begun)) if begun < at => low = id,
            _ => high = middle,
        }
    }
    Ok(ConversationId(high))
}

/// Opens conversations at their next ids above `from` and, if only waiting entries are wanted,
/// above the delivered cursor. Those without such an id are left out.
fn open(
    reader: &mut PgReader,
    me: AccountId,
    which: &[ConversationId],
    from: EntryId,
    waiting: bool,
) -> Result<Vec<(EntryId, Lane)>, Error> {
    let ids: Vec<i64> = which.iter().map(|id| id.0).collect();
    let block = limits::ID_BLOCK as i64;
    let params = [
        Param::Ints(&ids),
        Param::Int(me.0),
        Param::Int(from.0),
        Param::Bool(waiting),
        Param::Int(block),
    ];
    let mut found = Vec::new();
    for row in reader.rows(OPEN, &params)? {
        let conversation = ConversationId(row.get(0)?);
        let kind = kind(&row, 1, conversation)?;
        let above_this: Vec<i64> = row.get(6)?;
        let upto: Vec<i64> = row.get(7)?;
        let stays = above_this.into_iter().zip(upto).map(|(a, u)| (EntryId(a), EntryId(u)));
        let windows: Arc<[Window]> = match kind {
            ConversationKind::Direct(_) => [(EntryId(0), EntryId(i64::MAX))].into(),
            ConversationKind::Group(_) => stays.collect(),
        };
        let (ids, whole) = list(row.get(5)?);
        let (is_of_marks, passed) = (false, 0);
        let mut lane = Lane { conversation, kind, is_of_marks, windows, passed, ids, whole };
        let start = EntryId(row.get(4)?);
        found.extend(follow(reader, &mut lane, start)?.map(|id| (id, lane)));
    }
    Ok(found)
}

/// A list of ids, and whether none follow.
fn list(ids: Vec<i64>) -> (Ids, bool) {
    let whole = ids.len() < limits::ID_BLOCK;
    let ids: Vec<EntryId> = ids.into_iter().map(EntryId).collect();
    (Ids::new(encode(EntryId(0), &ids)), whole)
}

/// The first id above `floor` in a lane, reading further lists of ids if necessary.
fn follow(
    reader: &mut PgReader,
    lane: &mut Lane,
    floor: EntryId,
) -> Result<Option<EntryId>, Error> {
    while let Some((above_this, upto)) = lane.windows.get(lane.passed).copied() {
        let floor = floor.max(above_this);
        match lane.ids.seek(floor) {
            Some(id) if id <= upto => return Ok(Some(id)),
            None if lane.whole => return Ok(None),
            None if floor < upto => {
                let block = Param::Int(limits::ID_BLOCK as i64);
                let params = [Param::Int(lane.conversation.0), Param::Int(floor.0), block];
                let rows = reader.rows(ABOVE, &params)?;
                let ids = rows.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
                (lane.ids, lane.whole) = list(ids);
            }
            _ => lane.passed += 1,
        }
    }
    Ok(None)
}
