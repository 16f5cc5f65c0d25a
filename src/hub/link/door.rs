//! The hub's thread of a node that does not lead: it hands work to the leader, puts what that says
//! into outboxes, and takes the leader's place if it goes.
//!
//! As long as there is no leader work waits, each session's up to a bound. What is known of the
//! leader comes over the line; only when nothing has come for a moment is the database asked.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::asking::{changes_key, question};
use super::dial::converse;
use super::frames::{Missed, Packet, Seated, Ticket, ToDoor, ToLeader, decode, encode};
use super::lead::{DoorEnd, Lead};
use super::line::{Line, line};
use super::standing::{DoorSession, Left};
use super::{LinkWork, Node, NodeHooks};
use crate::chat::Act;
use crate::counters::Counters;
use crate::entry::{Key, MoveNumber, SessionId};
use crate::hub::inbox::InboxReceiver;
use crate::hub::{Entered, Work, digest};
use crate::limits;
use crate::outbox::{Block, Watermark};
use crate::store::{BatchId, Candidate, Cause, Error, LeaderSeen, Writer};
use crate::wakeups;
use crate::wire::refusal::Refusal;
use crate::wire::request::Events;

/// See the module documentation.
pub(super) struct LinkDoor {
    candidate: Box<dyn Candidate>,
    node: Arc<Node>,
    waiting: InboxReceiver,
    is_door: Arc<AtomicBool>,
    sessions: FxHashMap<SessionId, DoorSession>,
    /// Questions that the leader has not answered. They can be asked again, and those that cannot
    /// have no answer if the leader goes.
    asked: BTreeMap<Ticket, Work>,
    last_ticket: Ticket,
    /// Work that has to wait for a leader, to be done in this order.
    held: VecDeque<Work>,
    line: Option<Leader>,
    /// Numbers lines.
    lines: u64,
    /// No attempt to reach the leader before.
    pause: Option<Instant>,
    told: Watermark,
    /// The last batch that a leader has told it of.
    heard: BatchId,
    /// The last batch that was heard of or seen, and since when there was no other.
    last: (BatchId, Instant),
    hooks: NodeHooks,
    counters: Arc<Counters>,
}

/// What a door is made of.
pub(super) struct DoorStart {
    pub(super) candidate: Box<dyn Candidate>,
    pub(super) node: Arc<Node>,
    pub(super) waiting: InboxReceiver,
    pub(super) is_door: Arc<AtomicBool>,
    pub(super) hooks: NodeHooks,
    pub(super) counters: Arc<Counters>,
}

/// The line to the leader.
struct Leader {
    /// Its name in the database.
    node: String,
    line: Line,
    number: u64,
    /// It has answered.
    is_up: bool,
    /// When it last said something.
    heard: Instant,
    /// What it is told next.
    frames: Vec<ToLeader>,
}

impl LinkDoor {
    pub(super) fn new(start: DoorStart) -> LinkDoor {
        let DoorStart { candidate, node, waiting, is_door, hooks, counters } = start;
        let (sessions, asked, held) = Default::default();
        let told = Watermark { entries: Default::default(), moves: Default::default() };
        let last = (BatchId::default(), Instant::now());
        let (line, pause, lines, last_ticket) = (None, None, 0, 0);
        LinkDoor {
            candidate,
            node,
            waiting,
            is_door,
            sessions,
            asked,
            last_ticket,
            held,
            line,
            lines,
            pause,
            told,
            heard: BatchId::default(),
            last,
            hooks,
            counters,
        }
    }

    /// The same, with sessions that were told everything up to `told`, and their work.
    pub(super) fn with(
        self,
        sessions: FxHashMap<SessionId, DoorSession>,
        held: VecDeque<Work>,
        told: Watermark,
    ) -> LinkDoor {
        LinkDoor { sessions, held, told, ..self }
    }

    /// Serves until this node leads, or papod ends.
    ///
    /// # Errors
    /// This node can never lead, and what it knows is not true any more.
    pub(super) fn run(mut self) -> Result<DoorEnd, Error> {
        loop {
            let time = if self.hears_leader() { limits::LINK_BEAT } else { limits::PG_LOOK };
            let Ok(first) = self.waiting.recv(Some(time)) else { return Ok(self.end()) };
            let mut works = self.waiting.take();
            if let Some(first) = first {
                works.push_front(first);
            }
            let ended = wakeups::together(|| self.serve(works))?;
            if let Some(leader) = &mut self.line
                && leader.is_up
                && !leader.frames.is_empty()
            {
                leader.line.send(&encode(&mem::take(&mut leader.frames)));
            }
            self.counters.logged_in.set(self.sessions.len() as u64);
            if ended {
                return Ok(self.end());
            }
            if let Some(writer) = self.look()? {
                self.is_door.store(false, Ordering::Release);
                self.lose_leader();
                let number = self.node.number;
                let LinkDoor { candidate, waiting, sessions, told, heard, hooks, .. } = self;
                let mut works = self.held;
                let again = self.asked.into_values().rev();
                again.for_each(|work| works.push_front(work));
                return Ok(DoorEnd::Leads(Box::new(Lead {
                    candidate,
                    writer,
                    waiting,
                    sessions,
                    works,
                    told,
                    heard,
                    hooks,
                    number,
                })));
            }
        }
    }

    fn end(mut self) -> DoorEnd {
        if let Some(leader) = self.line {
            leader.line.close();
        }
        self.candidate.leave();
        DoorEnd::Papod
    }

    /// Does all work. Returns whether papod ends.
    ///
    /// # Errors
    /// The leader lacks what this node was told.
    fn serve(&mut self, works: VecDeque<Work>) -> Result<bool, Error> {
        let mut ended = false;
        for work in works {
            let line = self.line.as_ref().map(|leader| leader.number);
            match work {
                Work::End => ended = true,
                Work::Link(LinkWork::Packet { line: from, packet }) => {
                    if line == Some(from) && !self.take_in(&packet)? {
                        self.lose_leader();
                    }
                }
                Work::Link(LinkWork::Down { line: from }) => {
                    if line == Some(from) {
                        self.pause = Some(Instant::now() + limits::LINK_PAUSE);
                        self.lose_leader();
                    }
                }
                // Whoever comes believes that this node leads.
                Work::Link(LinkWork::Join(joining)) => joining.line.close(),
                // Only the leader's thread looks after those.
                Work::Expire { answer, .. } | Work::Wipe { answer } => answer.give(false),
                // So that an idle leader records something.
                Work::Online { accounts, answer } if accounts.is_empty() => answer.give(Vec::new()),
                work => self.hand_over(work),
            }
        }
        Ok(ended)
    }

    /// Gives work to the leader, or has it wait for one.
    fn hand_over(&mut self, work: Work) {
        if !work.is_wanted() {
            return;
        }
        let Some(leader) = self.line.as_mut().filter(|leader| leader.is_up) else {
            return self.held.push_back(work);
        };
        let frame = match work {
            Work::Acts { session, acts } => {
                let Some(standing) = self.sessions.get_mut(&session) else { return };
                for act in &acts {
                    standing.unanswered += u32::from(act.is_asked());
                    standing.has_unasked |= !act.is_asked();
                    match act {
                        Act::SetSecret { secret, .. } => standing.secrets[1] = digest(secret),
                        Act::SendFile { put, .. } => standing.put.clone_from(put),
                        _ => {}
                    }
                    if changes_key(act)
                        && let Some(handle) = standing.outbox.owner()
                    {
                        leader.frames.push(ToLeader::Owner { session: session.0, handle });
                    }
                }
                ToLeader::Acts { session: session.0, acts }
            }
            Work::Watch { session, id, until } => {
                let Some(standing) = self.sessions.get_mut(&session) else { return };
                standing.unanswered += 1;
                standing.watch = Some((id, until));
                ToLeader::Watch { session: session.0, id, until }
            }
            Work::Unwatch { session } => ToLeader::Unwatch { session: session.0 },
            Work::Leave { session, shown } => {
                let Some(standing) = self.sessions.remove(&session) else { return };
                let shown = standing.shown(shown, self.told);
                ToLeader::Leave { session: session.0, shown }
            }
            Work::Used(token) => ToLeader::Used(token),
            Work::Shown { account, device, upto, seen } => {
                ToLeader::Shown { account, device, upto, seen }
            }
            Work::Link(LinkWork::Event { event, .. }) => ToLeader::Event(event),
            Work::Link(LinkWork::Proved { session, upto }) => {
                ToLeader::Proved { session: session.0, upto }
            }
            work => {
                self.last_ticket += 1;
                let Some(frame) = question(self.last_ticket, &work) else { return };
                self.asked.insert(self.last_ticket, work);
                frame
            }
        };
        leader.frames.push(frame);
    }

    /// Does what the leader says. Returns whether that made sense.
    ///
    /// # Errors
    /// It lacks what this node was told.
    fn take_in(&mut self, packet: &[u8]) -> Result<bool, Error> {
        let Some(Packet { said, told, batch }) = decode(packet) else { return Ok(false) };
        self.candidate.check(batch)?;
        let (mut blocks, mut withdrawal) = (Vec::new(), None);
        for said in said {
            match said {
                ToDoor::Welcome(missed) => self.welcomed(missed),
                ToDoor::Entered { ticket, answer } => {
                    let answer = answer.map_err(Refusal::from);
                    let Some(asked) = self.asked.remove(&ticket) else { continue };
                    self.entered(asked, answer);
                }
                ToDoor::Done { ticket, answer: done } => {
                    if let Some(Work::Order { answer, .. }) = self.asked.remove(&ticket) {
                        answer.give(done.map_err(Refusal::from));
                    }
                }
                ToDoor::Online { ticket, answer: online } => {
                    if let Some(Work::Online { answer, .. }) = self.asked.remove(&ticket) {
                        answer.give(online);
                    }
                }
                ToDoor::CaughtUp { ticket, answer: more } => {
                    let asked = self.asked.remove(&ticket);
                    let Some(Work::CaughtUp { session, upto, answer }) = asked else { continue };
                    if let Some(standing) = self.sessions.get_mut(&session) {
                        standing.online = standing.events == Events::All;
                        if more.is_none() {
                            standing.goes_live(upto);
                        }
                    }
                    answer.give(more);
                }
                ToDoor::Report { inquiry, question } => {
                    let report = (self.hooks.report)(question);
                    if let Some(leader) = &mut self.line {
                        leader.frames.push(ToLeader::Reported { inquiry, report });
                    }
                }
                ToDoor::Reports { ticket, answer: reports } => {
                    if let Some(Work::Link(LinkWork::Ask { answer, .. })) =
                        self.asked.remove(&ticket)
                    {
                        answer.give(reports);
                    }
                }
                ToDoor::Event(event) => (self.hooks.on_event)(event),
                ToDoor::Block { lines, last, from, to } => {
                    blocks.push(Arc::new(Block { lines: lines.into_vec(), last, from, to }));
                }
                ToDoor::Taken(session) => {
                    let standing = self.sessions.get(&SessionId(session));
                    standing.and_then(|it| it.put.as_ref()).inspect(|put| put.take());
                }
                ToDoor::Told(for_one) => {
                    let session = SessionId(for_one.session);
                    let Some(standing) = self.sessions.get_mut(&session) else { continue };
                    if standing.tell(for_one, &blocks, self.told, &mut withdrawal)
                        && let Some(leader) = &mut self.line
                    {
                        leader.frames.push(ToLeader::Fell { session: session.0 });
                    }
                }
            }
        }
        (self.told, self.heard) = (told, batch);
        self.counters.term.set(batch.term.unsigned_abs());
        self.candidate.confirm(batch);
        let now = Instant::now();
        self.last = (batch, now);
        let Some(leader) = &mut self.line else { return Ok(true) };
        leader.heard = now;
        if !mem::replace(&mut leader.is_up, true) {
            log::info!("node {} has joined the leader, term {}", self.node.number, batch.term);
            // Now that there is a leader: what waited, and before it what was asked before.
            let again = mem::take(&mut self.asked).into_values();
            let again: Vec<Work> = again.chain(mem::take(&mut self.held)).collect();
            again.into_iter().for_each(|work| self.hand_over(work));
        }
        Ok(true)
    }

    fn entered(&mut self, asked: Work, entered: Result<Entered, Refusal>) {
        let (session, opened, events, outbox, answer, is_new) = match asked {
            Work::Register { session, newcomer, outbox, answer } => {
                let opened = (Key::Password, digest(&newcomer.secret));
                (session, opened, Events::All, outbox, answer, true)
            }
            Work::Enter { session, key, events, secret, outbox, answer, .. } => {
                (session, (key, secret), events, outbox, answer, false)
            }
            _ => return,
        };
        if let Ok(entered) = &entered {
            let standing = DoorSession::new(entered, is_new, opened, events, outbox);
            self.sessions.insert(session, standing);
        }
        if !answer.reaches(entered) {
            // It was turned away meanwhile.
            self.hand_over(Work::Leave { session, shown: Some(MoveNumber(0)) });
        }
    }

    /// A leader has let this door in. What these sessions have missed they read from the log.
    fn welcomed(&mut self, missed: Missed) {
        let told = self.told;
        match missed {
            Missed::All => self.sessions.values_mut().for_each(|it| it.has_missed(told)),
            Missed::Only(these) => {
                for session in these {
                    if let Some(standing) = self.sessions.get_mut(&SessionId(session)) {
                        standing.has_missed(told);
                    }
                }
            }
        }
    }

    /// The line has ended, or the leader is another one.
    fn lose_leader(&mut self) {
        let Some(leader) = self.line.take() else { return };
        leader.line.close();
        if !leader.is_up {
            return;
        }
        log::info!("node {} has lost the leader", self.node.number);
        let mut again = Vec::new();
        self.sessions.retain(|session, standing| match standing.lose_leader(*session) {
            Left::Cut => false,
            Left::Stays(work) => {
                again.extend(work);
                true
            }
        });
        // Those that have no answer now end their sessions: an account may have been made or not.
        let sessions = &self.sessions;
        self.asked.retain(|_, work| match work {
            Work::Register { .. } | Work::Order { .. } => false,
            Work::CaughtUp { session, .. } => sessions.contains_key(session),
            _ => true,
        });
        again.into_iter().for_each(|work| self.held.push_front(work));
    }

    /// The leader has said something a moment ago.
    fn hears_leader(&self) -> bool {
        let quiet = limits::LINK_BEAT + limits::PG_LOOK;
        self.line.as_ref().is_some_and(|leader| leader.is_up && leader.heard.elapsed() < quiet)
    }

    /// Looks who leads, if nothing was heard of that for a moment, and joins it or takes its place.
    ///
    /// # Errors
    /// This node can never lead.
    fn look(&mut self) -> Result<Option<Box<dyn Writer>>, Error> {
        if self.hears_leader() {
            return Ok(None);
        }
        let began = Instant::now();
        let seen = match self.candidate.look() {
            Ok(seen) => seen,
            Err(e) if e.cause() == Cause::Over => return Err(e),
            Err(e) => {
                log::debug!("cannot look who leads: {e}");
                // The leader has to find the database again as well.
                self.last.1 = Instant::now();
                return Ok(None);
            }
        };
        if seen.last != self.last.0 {
            self.last = (seen.last, Instant::now());
        }
        let stood = began.saturating_duration_since(self.last.1);
        if self.may_take(&seen, stood) {
            return self.candidate.take();
        }
        if seen.waits_for_standby && stood >= limits::PG_ANSWER {
            self.candidate.look_elsewhere();
        }
        if self.line.as_ref().is_some_and(|leader| leader.node != seen.node) {
            // Another has taken its place, and it may not know that yet.
            self.lose_leader();
        }
        if self.line.is_none() && seen.is_there && !seen.address.is_empty() {
            self.join(&seen);
        }
        Ok(None)
    }

    /// Whether the leader has gone. One that is connected to this node may only have lost its
    /// connection to the database, and is about to make another.
    fn may_take(&self, seen: &LeaderSeen, stood: Duration) -> bool {
        // Where two nodes are both too slow, they would take it from each other for ever.
        let is_silent = stood >= limits::LEADER_SILENCE * (1 << seen.forced.min(3));
        match seen.is_there {
            true => is_silent && !seen.waits_for_standby,
            false => is_silent || !self.line.as_ref().is_some_and(|leader| leader.is_up),
        }
    }

    /// Begins a line to the leader.
    fn join(&mut self, seen: &LeaderSeen) {
        if self.pause.is_some_and(|until| Instant::now() < until) {
            return;
        }
        self.lines += 1;
        let number = self.lines;
        let (line, end) = match line() {
            Ok(both) => both,
            Err(e) => return log::error!("no line to the leader: {e}"),
        };
        let sessions: Vec<Seated> =
            self.sessions.iter().map(|(session, standing)| standing.seated(*session)).collect();
        let (told, heard) = (self.told, self.heard);
        line.send(&encode(&vec![ToLeader::Hello { sessions, told, heard }]));
        let (node, seen, leader) = (self.node.clone(), seen.clone(), seen.node.clone());
        let run = move || {
            let e = converse(&node, &seen, number, end);
            log::debug!("the line to the leader at {} has ended: {e}", seen.address);
            node.inbox.send(Work::Link(LinkWork::Down { line: number }));
        };
        if let Err(e) = thread::Builder::new().name("line".into()).spawn(run) {
            return log::error!("no thread for the line to the leader: {e}");
        }
        let (heard, node) = (Instant::now(), leader);
        self.line = Some(Leader { node, line, number, is_up: false, heard, frames: Vec::new() });
    }
}
