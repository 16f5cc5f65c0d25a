//! The leader's side: the sessions of doors, and what they are told.
//!
//! Such a session has an outbox here that nobody reads. After each batch those with something in
//! them are emptied into the lines of their doors: one packet a door, which ends with how far
//! everything was told. An entry for many sessions of a door is in it once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Wake, Waker};
use std::time::Instant;

use rustc_hash::FxHashMap;
use serde_bytes::ByteBuf;

use super::frames::{
    Item, Packet, Seated, SessionNumber, SourceOutbox, Ticket, ToDoor, ToLeader, Told, encode,
};
use super::line::Line;
use super::reports::Inquiries;
use super::takeover::Takeover;
use super::{LinkWork, NodeHooks};
use crate::chat::Act;
use crate::entry::SessionId;
use crate::hub::{Answer, HubState, Work, digest};
use crate::limits;
use crate::node_report::{NodeQuestion, NodeReport};
use crate::outbox::{Block, Drained, Outbox, Outgoing, Watermark};
use crate::store::BatchId;

/// The doors, by the numbers of their nodes.
pub(in crate::hub) struct Doors {
    pub(super) doors: FxHashMap<u64, Joined>,
    pub(super) hooks: NodeHooks,
    /// This node's own number.
    number: u64,
    pub(super) inquiries: Inquiries,
    /// How many of their sessions have a seat.
    seated: usize,
    pub(super) own: OwnSessions,
    /// For doors that come late.
    pub(super) takeover: Takeover,
    /// When something was recorded last.
    recorded: Instant,
}

/// What has to be known of this node's own sessions if it ceases to lead.
#[derive(Default)]
pub(super) struct OwnSessions {
    /// Digests of the hashes of passwords that may have opened them.
    pub(super) secrets: FxHashMap<SessionId, [u64; 2]>,
    /// Those with work in this batch.
    in_hand: Vec<InHand>,
}

/// A session with work in a batch that is not on disk.
pub(super) struct InHand {
    pub(super) session: SessionId,
    /// It waits for an answer.
    pub(super) is_asked: bool,
}

/// What is left of doors when another node leads.
pub(super) struct DoorParts {
    pub(super) in_hand: Vec<InHand>,
    pub(super) secrets: FxHashMap<SessionId, [u64; 2]>,
    pub(super) hooks: NodeHooks,
}

/// A door.
pub(super) struct Joined {
    pub(super) number: u64,
    pub(super) line: Line,
    pub(super) given: Arc<Mutex<Given>>,
}

/// A door that comes.
pub struct Joining {
    pub(super) node: u64,
    /// That of its line.
    pub(super) number: u64,
    pub(super) line: Line,
    pub(super) given: Arc<Mutex<Given>>,
    pub(super) sessions: Vec<Seated>,
    pub(super) told: Watermark,
    pub(super) heard: BatchId,
}

/// What waits to be said to a door.
#[derive(Default)]
pub(super) struct Given {
    pub(super) said: Vec<ToDoor>,
    /// Sessions with something in their outboxes.
    changed: Vec<SessionId>,
    sessions: FxHashMap<SessionId, Proxy>,
}

/// A session of a door.
struct Proxy {
    outbox: Arc<Outbox>,
    waker: Waker,
    /// [`Outbox::lost_moves`], as far as the door knows it.
    lost_moves: u32,
    has_bye: bool,
}

/// Notes that a session has something in its outbox.
struct Changed {
    given: Weak<Mutex<Given>>,
    session: SessionId,
}

impl Wake for Changed {
    fn wake(self: Arc<Self>) {
        if let Some(given) = self.given.upgrade() {
            lock(&given).changed.push(self.session);
        }
    }
}

pub(super) fn lock(given: &Mutex<Given>) -> MutexGuard<'_, Given> {
    // No code that holds the lock can panic halfway through a change.
    given.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Given {
    /// The outbox of a new session.
    pub(super) fn seat(
        given: &Arc<Mutex<Given>>,
        session: SessionId,
        source: SourceOutbox,
    ) -> Arc<Outbox> {
        // Emptied after each batch, so it is bounded by what one can say.
        let SourceOutbox { lost_moves, origin } = source;
        let outbox = Arc::new(Outbox::new(usize::MAX, origin));
        (0..lost_moves).for_each(|_| outbox.lose_moves());
        outbox.take();
        let waker = Waker::from(Arc::new(Changed { given: Arc::downgrade(given), session }));
        outbox.register(&waker);
        let proxy = Proxy { outbox: outbox.clone(), waker, lost_moves, has_bye: false };
        lock(given).sessions.insert(session, proxy);
        outbox
    }

    /// What a door asks for, as work; `None`: what does not belong here.
    pub(super) fn work(given: &Arc<Mutex<Given>>, node: u64, frame: ToLeader) -> Option<Work> {
        let of = |session: SessionNumber| SessionId::of_node(node, session);
        Some(match frame {
            ToLeader::Hello { .. } => return None,
            ToLeader::Acts { session, acts } => Work::Acts { session: of(session), acts },
            ToLeader::Owner { session, handle } => {
                Work::Link(LinkWork::Owner { session: of(session), handle })
            }
            ToLeader::Register { ticket, session, newcomer, outbox } => {
                let session = of(session);
                let outbox = Given::seat(given, session, outbox);
                let answer = Given::entered(given, ticket, session);
                Work::Register { session, newcomer, outbox, answer }
            }
            ToLeader::Enter { ticket, session, account, device, key, events, most, outbox } => {
                let session = of(session);
                let outbox = Given::seat(given, session, outbox);
                let answer = Given::entered(given, ticket, session);
                let secret = 0;
                Work::Enter { session, account, device, key, events, most, secret, outbox, answer }
            }
            ToLeader::Used(token) => Work::Used(token),
            ToLeader::Order { ticket, order } => {
                let answer = Given::answer(given, move |done: Result<usize, _>| ToDoor::Done {
                    ticket,
                    answer: done.map_err(Into::into),
                });
                Work::Order { order, answer }
            }
            ToLeader::Watch { session, id, until } => {
                Work::Watch { session: of(session), id, until }
            }
            ToLeader::Unwatch { session } => Work::Unwatch { session: of(session) },
            ToLeader::Online { ticket, accounts } => {
                let answer = Given::answer(given, move |answer| ToDoor::Online { ticket, answer });
                Work::Online { accounts, answer }
            }
            ToLeader::CaughtUp { ticket, session, upto } => {
                let answer =
                    Given::answer(given, move |answer| ToDoor::CaughtUp { ticket, answer });
                Work::CaughtUp { session: of(session), upto, answer }
            }
            ToLeader::Leave { session, shown } => {
                Work::Leave { session: of(session), shown: Some(shown) }
            }
            ToLeader::Shown { account, device, upto, seen } => {
                Work::Shown { account, device, upto, seen }
            }
            ToLeader::Fell { session } => Work::Link(LinkWork::Fell { session: of(session) }),
            ToLeader::Event(event) => Work::Link(LinkWork::Event { event, from: node }),
            ToLeader::Ask { ticket, question } => {
                let answer = Given::answer(given, move |answer| ToDoor::Reports { ticket, answer });
                Work::Link(LinkWork::Ask { question, from: node, answer })
            }
            ToLeader::Reported { inquiry, report } => {
                let report = NodeReport { node, ..report };
                Work::Link(LinkWork::Reported { inquiry, report })
            }
            ToLeader::Proved { session, upto } => {
                Work::Link(LinkWork::Proved { session: of(session), upto })
            }
        })
    }

    fn answer<T: 'static>(
        given: &Arc<Mutex<Given>>,
        frame: impl FnOnce(T) -> ToDoor + Send + 'static,
    ) -> Answer<T> {
        let given = given.clone();
        Answer::There(Box::new(move |answer| lock(&given).said.push(frame(answer))))
    }

    fn entered(
        given: &Arc<Mutex<Given>>,
        ticket: Ticket,
        session: SessionId,
    ) -> Answer<Result<crate::hub::Entered, crate::wire::refusal::Refusal>> {
        let given = given.clone();
        Answer::There(Box::new(move |answer| {
            let mut given = lock(&given);
            if answer.is_err() {
                given.sessions.remove(&session);
            }
            let answer = answer.map_err(Into::into);
            given.said.push(ToDoor::Entered { ticket, answer });
        }))
    }

    /// Takes out what is to be said.
    fn take(&mut self) -> Vec<ToDoor> {
        let mut said = std::mem::take(&mut self.said);
        // The blocks stay until the end, so that no other has the address of one.
        let mut blocks = FxHashMap::<*const Block, (usize, Arc<Block>)>::default();
        let mut block = |block: Arc<Block>, said: &mut Vec<ToDoor>| {
            let next = blocks.len();
            let known = blocks.entry(Arc::as_ptr(&block)).or_insert_with(|| {
                let (from, to) = (block.from.clone(), block.to.clone());
                let lines = ByteBuf::from(block.lines.clone());
                said.push(ToDoor::Block { lines, last: block.last, from, to });
                (next, block)
            });
            known.0
        };
        for session in std::mem::take(&mut self.changed) {
            let Some(proxy) = self.sessions.get_mut(&session) else { continue };
            let told = proxy.take(session.in_node(), |of| block(of, &mut said));
            said.push(ToDoor::Told(told));
        }
        said
    }
}

impl Proxy {
    fn take(&mut self, session: SessionNumber, mut block: impl FnMut(Arc<Block>) -> usize) -> Told {
        let outbox = &self.outbox;
        outbox.register(&self.waker);
        let Drained { items, answered, unspent, forwarded, .. } = outbox.take();
        let items = items.into_iter().map(|item| match item {
            Outgoing::Replies(lines) => Item::Replies(ByteBuf::from(lines)),
            Outgoing::Receipts { lines, upto } => {
                Item::Receipts { lines: ByteBuf::from(lines), upto }
            }
            Outgoing::Notices(lines) => Item::Notices(ByteBuf::from(lines)),
            Outgoing::Block(of) => Item::Block(block(of)),
        });
        let (lost, bye) = (outbox.lost_moves(), outbox.bye());
        Told {
            session,
            items: items.collect(),
            answered,
            sent: outbox.last_sent(),
            entries: outbox.take_authored(),
            moves: outbox.take_moved(),
            unspent,
            forwarded,
            deleted: outbox.take_deleted(),
            lost_moves: lost.wrapping_sub(std::mem::replace(&mut self.lost_moves, lost)),
            bye: bye
                .filter(|_| !std::mem::replace(&mut self.has_bye, true))
                .map(|bye| bye.as_str().into()),
            cut: false,
        }
    }
}

impl Doors {
    pub(super) fn new(hooks: NodeHooks, number: u64, takeover: Takeover) -> Doors {
        let (doors, inquiries, seated, own) = Default::default();
        let recorded = Instant::now();
        Doors { doors, hooks, number, inquiries, seated, own, takeover, recorded }
    }

    /// Ends the lines.
    pub(super) fn into_parts(mut self) -> DoorParts {
        let OwnSessions { secrets, in_hand } = std::mem::take(&mut self.own);
        let nothing = NodeHooks {
            on_event: Box::new(|_| {}),
            known: Box::new(Vec::new),
            report: Box::new(|_| NodeReport::default()),
        };
        DoorParts { in_hand, secrets, hooks: std::mem::replace(&mut self.hooks, nothing) }
    }

    /// Nothing was recorded for so long that another node may lead by now.
    pub(in crate::hub) fn are_stale(&self) -> bool {
        self.recorded.elapsed() >= limits::LEADER_SILENCE
    }

    /// Some work comes into the batch.
    pub(in crate::hub) fn take_up(&mut self, work: &Work) {
        let OwnSessions { secrets, in_hand } = &mut self.own;
        let (session, is_asked) = match work {
            Work::Acts { session, acts } if session.node() == 0 => {
                for act in acts {
                    if let Act::SetSecret { secret, .. } = act {
                        secrets.entry(*session).or_default()[1] = digest(secret);
                    }
                }
                (*session, acts.iter().any(Act::is_asked))
            }
            Work::Enter { session, secret, .. } if session.node() == 0 => {
                secrets.insert(*session, [*secret; 2]);
                (*session, true)
            }
            Work::Register { session, newcomer, .. } if session.node() == 0 => {
                secrets.insert(*session, [digest(&newcomer.secret); 2]);
                (*session, true)
            }
            Work::Watch { session, .. } | Work::Unwatch { session } if session.node() == 0 => {
                (*session, true)
            }
            _ => return,
        };
        in_hand.push(InHand { session, is_asked });
    }

    /// How many sessions they have.
    pub(in crate::hub) fn sessions(&self) -> usize {
        self.seated
    }

    /// A session has a seat.
    pub(in crate::hub) fn note(&mut self, session: SessionId) {
        self.seated += usize::from(session.node() > 0);
    }

    /// A session has left.
    pub(in crate::hub) fn forget(&mut self, session: SessionId) {
        self.seated -= usize::from(session.node() > 0);
        self.own.secrets.remove(&session);
        if let Some(door) = self.doors.get(&session.node()) {
            lock(&door.given).sessions.remove(&session);
        }
    }
}

impl Drop for Doors {
    fn drop(&mut self) {
        for door in self.doors.values() {
            door.line.close();
        }
    }
}

impl HubState {
    /// What a session of a door put has its message.
    pub(in crate::hub) fn tell_taken(&self, session: SessionId) {
        let doors = self.doors.as_ref().map(|doors| &doors.doors);
        if let Some(door) = doors.and_then(|doors| doors.get(&session.node())) {
            lock(&door.given).said.push(ToDoor::Taken(session.in_node()));
        }
    }

    /// Says to all doors what the batch had for them.
    pub(in crate::hub) fn tell_doors(&mut self) {
        let Some(doors) = &mut self.doors else { return };
        let (told, batch) = (self.told, self.writer.last());
        doors.own.in_hand.clear();
        doors.recorded = Instant::now();
        for door in doors.doors.values() {
            let said = lock(&door.given).take();
            door.line.send(&encode(&Packet { said, told, batch }));
        }
        self.tally.leads(batch.term, doors.doors.len(), doors.sessions());
    }

    pub(in crate::hub) fn link(&mut self, work: LinkWork) {
        match work {
            LinkWork::Join(joining) => self.join(*joining),
            LinkWork::Gone { node, line } => {
                let doors = self.doors.as_ref().map(|doors| &doors.doors);
                if doors.and_then(|doors| doors.get(&node)).is_some_and(|it| it.number == line) {
                    self.part(node);
                }
            }
            LinkWork::Owner { session, handle } => {
                if let Some(seat) = self.seats.get(&session) {
                    seat.outbox.set_handle(handle);
                }
            }
            LinkWork::Fell { session } => {
                if let Some(seat) = self.seats.get_mut(&session).filter(|seat| seat.pushes) {
                    seat.pushes = false;
                    self.tally.behind += 1;
                }
            }
            LinkWork::Proved { session, upto } => {
                if let Some(seat) = self.seats.get(&session) {
                    seat.outbox.prove(upto);
                }
            }
            LinkWork::Event { event, from } => {
                let Some(doors) = &self.doors else { return };
                for (_, door) in doors.doors.iter().filter(|(node, _)| **node != from) {
                    lock(&door.given).said.push(ToDoor::Event(event.clone()));
                }
                if from > 0 {
                    (doors.hooks.on_event)(event);
                }
            }
            LinkWork::Ask { question, from, answer } => self.inquire(question, from, answer),
            LinkWork::Reported { inquiry, report } => {
                if let Some(doors) = &mut self.doors {
                    doors.inquiries.reported(inquiry, report);
                }
            }
            // Of a time when this node did not lead.
            LinkWork::Packet { .. } | LinkWork::Down { .. } => {}
        }
    }

    fn inquire(&mut self, question: NodeQuestion, from: u64, answer: Answer<Vec<NodeReport>>) {
        let Some(doors) = &mut self.doors else { return };
        let node = doors.number;
        let own = (from > 0).then(|| NodeReport { node, ..(doors.hooks.report)(question.clone()) });
        let awaited = doors.doors.keys().copied().filter(|node| *node != from).collect();
        let inquiry = doors.inquiries.begin(own, awaited, answer);
        for (_, door) in doors.doors.iter().filter(|(node, _)| **node != from) {
            lock(&door.given).said.push(ToDoor::Report { inquiry, question: question.clone() });
        }
    }
}
