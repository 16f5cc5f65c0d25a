//! Addresses that an operator has shut out for a time. They are forgotten when papod ends: what has
//! to stay is for a firewall.

use ipnet::IpNet;

use crate::entry::Millis;
use crate::limits;
use crate::origin::Origin;

/// The networks that are shut out, each until a time. Looked through for each new connection.
#[derive(Default)]
pub struct Bans(Vec<(IpNet, Millis)>);

impl Bans {
    /// Whether an address is shut out now.
    pub fn has(&self, origin: Origin, now: Millis) -> bool {
        let Origin::Address(address) = origin else { return false };
        self.0.iter().any(|(net, until)| *until > now && net.contains(&address))
    }

    /// Shuts a network out until then, also if it was shut out until another time. Returns false if
    /// there are too many.
    pub(super) fn add(&mut self, net: IpNet, until: Millis, now: Millis) -> bool {
        self.0.retain(|(known, until)| *known != net && *until > now);
        let fits = self.0.len() < limits::BANS;
        if fits {
            self.0.push((net, until));
        }
        fits
    }
}

impl Bans {
    /// Lets a network in again, if it was shut out by this name.
    pub(super) fn remove(&mut self, net: IpNet) {
        self.0.retain(|(known, _)| *known != net);
    }

    /// The networks that are shut out now, and until when.
    pub(super) fn list(&mut self, now: Millis) -> Vec<(IpNet, Millis)> {
        self.0.retain(|(_, until)| *until > now);
        self.0.clone()
    }
}

/// A network as a field: a single address without its bits.
pub fn shown(net: IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_shut_out_until_its_time() {
        let net = |text: &str| text.parse::<IpNet>().unwrap().trunc();
        let from = |text: &str| Origin::of(text.parse().unwrap());
        let mut bans = Bans::default();
        assert!(bans.add(net("192.0.2.7/24"), Millis(10), Millis(0)));
        assert!(bans.has(from("192.0.2.200"), Millis(9)));
        assert!(!bans.has(from("192.0.2.200"), Millis(10)));
        assert!(!bans.has(from("192.0.3.1"), Millis(0)));
        assert!(!bans.has(Origin::User(0), Millis(0)));
        assert!(bans.add(net("198.51.100.1/32"), Millis(20), Millis(0)));
        assert!(bans.has(from("198.51.100.1"), Millis(0)));
        let names: Vec<String> = bans.0.iter().map(|(net, _)| shown(*net)).collect();
        assert_eq!(names, ["192.0.2.0/24", "198.51.100.1"]);
        for n in 0..limits::BANS {
            let net = net(&format!("10.0.{}.{}/32", n / 256, n % 256));
            assert_eq!(bans.add(net, Millis(20), Millis(10)), n < limits::BANS - 1);
        }
    }
}
