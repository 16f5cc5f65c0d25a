//! What a door makes of the work of its sessions before the leader is told.

use super::LinkWork;
use super::frames::{SourceOutbox, Ticket, ToLeader};
use crate::chat::Act;
use crate::hub::Work;

/// Whether an act changes what opens its account, which is logged.
pub(super) fn changes_key(act: &Act) -> bool {
    matches!(
        act,
        Act::SetSecret { .. } | Act::NewToken { .. } | Act::DropToken { .. } | Act::Link { .. }
    )
}

/// A question to the leader.
pub(super) fn question(ticket: Ticket, work: &Work) -> Option<ToLeader> {
    Some(match work {
        Work::Register { session, newcomer, outbox, .. } => ToLeader::Register {
            ticket,
            session: session.0,
            newcomer: newcomer.clone(),
            outbox: SourceOutbox::of(outbox),
        },
        Work::Enter { session, account, device, key, events, most, outbox, .. } => {
            ToLeader::Enter {
                ticket,
                session: session.0,
                account: *account,
                device: device.clone(),
                key: *key,
                events: *events,
                most: *most,
                outbox: SourceOutbox::of(outbox),
            }
        }
        Work::Order { order, .. } => ToLeader::Order { ticket, order: order.clone() },
        Work::Online { accounts, .. } => ToLeader::Online { ticket, accounts: accounts.clone() },
        Work::CaughtUp { session, upto, .. } => {
            ToLeader::CaughtUp { ticket, session: session.0, upto: *upto }
        }
        Work::Link(LinkWork::Ask { question, .. }) => {
            ToLeader::Ask { ticket, question: question.clone() }
        }
        _ => return None,
    })
}
