//! Whether newcomers are let in: not while the database is not reached.
//!
//! A node that is cut off can do nothing for whoever comes, and would have them wait for as long as
//! that lasts, while other nodes work. So it tells them to go there. Those who are logged in stay: a
//! failover of the database is a pause to them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use smol::Timer;

use crate::limits;
use crate::session::Services;

/// Turns newcomers away while nothing is confirmed, or questions have no answers. As a rule the leader
/// confirms something each [`limits::PG_BEAT`], and the others hear of it.
pub(super) async fn watch(services: Arc<Services>) {
    let (mut known, mut silence, mut looked) = (None, Duration::ZERO, Instant::now());
    loop {
        Timer::after(limits::PG_BEAT).await;
        // As long as this process is stopped it cannot hear of anything.
        let passed = looked.elapsed().min(limits::PG_BEAT * 2);
        looked = Instant::now();
        let confirmed = services.maintenance.confirmed();
        silence = if confirmed == known { silence + passed } else { Duration::ZERO };
        known = confirmed;
        // Others may hear the leader, and not reach the database.
        let asked = services.maintenance.unanswered_since();
        let is_unanswered = asked.is_some_and(|asked| asked.elapsed() >= limits::CUT_OFF);
        let is_cut_off = silence >= limits::CUT_OFF || is_unanswered;
        if !services.roster.set_unavailable(is_cut_off) {
            continue;
        }
        services.counters.unavailable.set(is_cut_off.into());
        if is_cut_off {
            let seconds = limits::CUT_OFF.as_secs();
            log::warn!("the database is out of reach for {seconds} s: newcomers are turned away");
        } else {
            log::info!("the database is reached again: newcomers are let in");
        }
    }
}
