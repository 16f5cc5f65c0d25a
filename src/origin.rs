//! Where a connection comes from, as far as the server can know it: what limits and the brake on
//! guessing count by.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub enum Origin {
    /// A network address.
    Address(IpAddr),
    /// A system user of this machine (its uid), over a Unix socket.
    User(u32),
}

impl Origin {
    /// An IPv4-mapped IPv6 address becomes the IPv4 address.
    pub fn of(address: IpAddr) -> Origin {
        Origin::Address(address.to_canonical())
    }

    /// [`Origin::rate_key`] as one field of a log line: `192.0.2.7`, `2001:db8:1:2::/64`.
    pub fn rate_key_text(self) -> String {
        match self.rate_key() {
            Origin::Address(IpAddr::V6(network)) if !network.is_loopback() => {
                format!("{network}/64")
            }
            other => other.to_string(),
        }
    }

    /// Whether it is a loopback address or a system user.
    pub fn is_local(self) -> bool {
        match self {
            Origin::Address(address) => address.is_loopback(),
            Origin::User(_) => true,
        }
    }

    /// What limits count as one origin: for IPv6 the /64 network, since that is the least a
    /// customer gets (RFC 6177), who can use any address in it.
    pub fn rate_key(self) -> Origin {
        match self {
            Origin::Address(IpAddr::V6(address)) if !address.is_loopback() => {
                let network = u128::from(address) >> 64 << 64;
                Origin::Address(Ipv6Addr::from(network).into())
            }
            other => other,
        }
    }
}

/// One field of a log line: `192.0.2.7`, `uid:1000`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Origin::Address(address) => write!(f, "{address}"),
            Origin::User(user) => write!(f, "uid:{user}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_customer_count_as_one() {
        let counted = |text: &str| Origin::of(text.parse().unwrap()).rate_key().to_string();
        assert_eq!(counted("192.0.2.7"), "192.0.2.7");
        assert_eq!(counted("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(counted("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(counted("::1"), "::1");
        let counted_by = |text: &str| Origin::of(text.parse().unwrap()).rate_key_text();
        assert_eq!(counted_by("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(counted_by("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(counted_by("::1"), "::1");
        assert!(Origin::of("::ffff:127.0.0.1".parse().unwrap()).is_local());
        assert!(!Origin::of("192.0.2.7".parse().unwrap()).is_local());
    }
}
