//! What the values of flags are read as, each with a sentence for one that cannot be.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use log::LevelFilter;
use rustix::process::Pid;

use crate::config::PasswordCost;
use crate::limits;
use crate::preferences::Circle;

/// Any number.
pub(super) fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "expected a whole number, 0 or more".to_owned())
}

/// A number of which there has to be one at least.
pub(super) fn from_one(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "expected a whole number, at least 1".to_owned())
}

/// What a variable says for a flag that takes no value.
pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Ok(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

pub(super) fn circle(text: &str) -> Result<Circle, String> {
    Circle::new(text).ok_or_else(|| "expected all, chats or none".to_owned())
}

pub(super) fn mib(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "expected a whole number of MiB, 0 or more".to_owned())
}

pub(super) fn days(text: &str) -> Result<u64, String> {
    up_to(text, limits::KEEP_MAX, "days")
}

pub(super) fn keepalive(text: &str) -> Result<u64, String> {
    up_to(text, limits::KEEPALIVE_MAX, "seconds")
}

fn up_to(text: &str, most: u64, of: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| *number <= most);
    number.ok_or_else(|| format!("expected a whole number of {of}, 0 to {most}"))
}

pub(super) fn level(text: &str) -> Result<LevelFilter, String> {
    text.parse().map_err(|_| "expected error, warn, info or debug".to_owned())
}

pub(super) fn process(text: &str) -> Result<Pid, String> {
    let id = text.parse().ok().filter(|id| *id > 0).and_then(Pid::from_raw);
    id.ok_or_else(|| "expected a process id".to_owned())
}

pub(super) fn mode(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
    mode.ok_or_else(|| "expected an octal number up to 0777".to_owned())
}

/// What can be an address to listen on; whether it is one shows when it is listened on.
pub(super) fn host_port(text: &str) -> Result<String, String> {
    let is_one = text
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if is_one { Ok(text.to_owned()) } else { Err("expected HOST:PORT".to_owned()) }
}

/// A network, or a single address.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let network = text.parse().or_else(|_| text.parse().map(|address: IpAddr| address.into()));
    network.map_err(|_| "expected ADDRESS/BITS, 10.0.0.0/8 for example".to_owned())
}

pub(super) fn password_cost(text: &str) -> Result<PasswordCost, String> {
    let parts = text.split_once(':').and_then(|(kib, passes)| {
        Some(PasswordCost { kib: kib.parse().ok()?, passes: passes.parse().ok()? })
    });
    parts
        .filter(|cost| (8..=1_048_576).contains(&cost.kib) && (1..=100).contains(&cost.passes))
        .ok_or_else(|| "expected KIB:PASSES, 8 to 1048576 and 1 to 100".to_owned())
}
