//! `fair`: how long someone ordinary waits while another does the most expensive thing that its
//! limits allow; see `attacks` for what that is, and `probes` for what is measured. 1,000,000
//! accounts, some with 100,000 conversations.
//!
//! With limits, which then hold on loopback, too, for one account and for one address; and again
//! without limits, for as many. Passwords are hashed at papod's default cost.
//!
//! Whoever attacks is another thread than who is measured, and a nicer one, since they share a core.

mod attacks;
mod crew;
mod probes;
mod table;

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

pub use table::table;

use super::Scenario;
use crate::report::Subject;
use crate::stats::Latencies;
use crate::{Bench, Outcome};
use attacks::{Attack, By, What};
use crew::{Crew, Done};
use probes::{ASKED, Probes};

pub const SCENARIO: Scenario =
    Scenario { name: "fair", about: "one waits while another attacks", large: false, run };

/// Those who are measured come from here, the others from 127.0.0.1.
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// How long an attack lasts: 500 times of `MSG`, 250 of `LOGIN` and 333 of `HIST`, so that a 99th
/// percentile is not simply the slowest, which is the first moment of nearly every attack.
const TIME: Duration = Duration::from_secs(10);
/// The same for `--quick`, whose p99 is the slowest or nearly so.
const QUICK_TIME: Duration = Duration::from_secs(1);
/// Before the attack begins.
const WARM_UP: Duration = Duration::from_millis(200);
/// For how long it goes on while what was asked is not answered.
const PATIENCE: Duration = Duration::from_secs(3);
/// The same for what happens once.
const LONG_PATIENCE: Duration = Duration::from_secs(15);
/// How much nicer the attacking thread is.
const NICE: i32 = 10;

fn run(bench: &mut Bench) -> Outcome<()> {
    let mut subjects = vec![bench.subject];
    if bench.subject == Subject::Papod && !bench.quick {
        subjects.push(Subject::Unlimited);
    }
    for subject in subjects {
        let folder = bench.crowd()?;
        let wanted = bench.attack;
        for attack in attacks::ALL.iter().filter(|attack| attack.name.contains(wanted)) {
            for by in attack.by {
                // Without limits one account can do what many can.
                let is_widest = Some(by) == attack.by.last();
                if is_widest || !(bench.quick || subject == Subject::Unlimited) {
                    measure(bench, subject, &folder, attack, *by)?;
                }
            }
        }
    }
    Ok(())
}

fn measure(
    bench: &mut Bench,
    subject: Subject,
    folder: &Path,
    attack: &Attack,
    by: By,
) -> Outcome<()> {
    let admin = folder.join("admin");
    let path = admin.to_string_lossy();
    let mut flags = vec!["--admin", &*path];
    let limited = subject != Subject::Unlimited;
    flags.extend(limited.then_some("--limit-local"));
    let server = bench.papod_in(folder, &flags)?;
    let time = if bench.quick { QUICK_TIME } else { TIME };
    let patience = if matches!(attack.what, What::Delete) { LONG_PATIENCE } else { PATIENCE };
    let name = named(attack, by);
    let (ready, begun) = mpsc::channel();
    let over = AtomicBool::new(false);
    let crew = Crew { server: server.address, admin: &admin, by, limited, ready, over: &over };
    let found = under_attack(crew, attack, &begun, time, patience);
    let said = server.said();
    server.kill();
    let (times, done) = match found {
        Ok(found) => found,
        // Its row is missing, and the others are still worth having.
        Err(e) => {
            eprintln!("bench: {name}: {e}\n{said}");
            return Ok(());
        }
    };
    for (what, times) in ASKED.iter().zip(&times) {
        for (which, part) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
            let value = times.micros(part) / 1e3;
            bench.note(subject, &format!("{name}: {what}, {which}"), "ms", value);
        }
    }
    let worst = times.each_ref().map(|times| (times.micros(1.0) / 1e3).round());
    let Done { answered, refused, closed, refusal } = done;
    let refusal = refusal.unwrap_or_default();
    eprintln!(
        "  {name}: {worst:?} ms at most; {answered} OK, {refused} ERR, {closed} closed {refusal}"
    );
    Ok(())
}

/// What an attack is called in the table.
fn named(attack: &Attack, by: By) -> String {
    match by {
        By::Account if attack.by.len() == 1 => attack.name.into(),
        By::Account => format!("{}, by an account", attack.name),
        By::Address => format!("{}, by an address", attack.name),
    }
}

fn under_attack(
    crew: Crew,
    attack: &Attack,
    begun: &Receiver<()>,
    time: Duration,
    patience: Duration,
) -> Outcome<([Latencies; 3], Done)> {
    let mut probes = Probes::start(crew.server, ADDRESS)?;
    probes.measure(WARM_UP, PATIENCE)?;
    let over = crew.over;
    thread::scope(|scope| {
        let attacking = scope.spawn(|| {
            let _ = rustix::process::nice(NICE);
            crew.attack(attack).map_err(|e| e.to_string())
        });
        // Where the preparation fails nobody says that it is done, and the reason is told below.
        let times = begun.recv().is_ok().then(|| probes.measure(time, patience));
        over.store(true, Ordering::Relaxed);
        let done = attacking.join().map_err(|_| "the attacking thread has panicked")??;
        Ok((times.ok_or("the attack did not begin")??, done))
    })
}
