//! A server's address: `HOST:PORT`, `tls:HOST:PORT` or `unix:PATH`, and several of them, separated
//! by commas. No name is resolved here.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;
use std::str::FromStr;

/// A server's address, as typed and as saved in the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// Plain TCP.
    Tcp(Host),
    Tls(Host),
    Unix(PathBuf),
}

/// Where a server can be reached: one address or several, the preferred one first. Several are those
/// of nodes that share a database, so every account is the same at each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses(Vec<Address>);

/// A name or an IP address, and a port. An IPv6 address is written in brackets but stored without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Includes the zone of a link-local address: `fe80::1%eth0`.
    pub name: String,
    /// 1 to 65,535.
    pub port: u16,
}

/// The default ports, plain and TLS: P-A-P-O on a phone's keypad, and the next one.
pub const PLAIN_PORT: u16 = 7276;
const TLS_PORT: u16 = 7277;

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Address, String> {
        // The settings hold one address per line.
        if text.contains(char::is_control) {
            return Err("it contains a control character".to_owned());
        }
        match text.split_once(':') {
            Some(("unix", "")) => Err("expected unix:PATH".to_owned()),
            // Absolute, since it is saved for commands run in other folders.
            Some(("unix", path)) => {
                std::path::absolute(path).map(Address::Unix).map_err(|e| e.to_string())
            }
            Some(("tls", host)) => Host::parse(host, TLS_PORT).map(Address::Tls),
            _ => Host::parse(text, PLAIN_PORT).map(Address::Tcp),
        }
    }
}

impl Address {
    /// The default address at a host: plain on this machine, TLS elsewhere. `None` if it is not a
    /// host alone.
    pub fn customary(host: &str) -> Option<Address> {
        let host = Host { name: host.to_owned(), port: TLS_PORT };
        match host.is_near() {
            _ if host.name.contains(':') || !host.is_whole() => None,
            true => Some(Address::Tcp(Host { port: PLAIN_PORT, ..host })),
            false => Some(Address::Tls(host)),
        }
    }

    /// Whether it is on this machine.
    pub fn is_near(&self) -> bool {
        match self {
            Address::Tcp(host) | Address::Tls(host) => host.is_near(),
            Address::Unix(_) => true,
        }
    }
}

impl Host {
    /// Parses typed text. A link-local address with its zone needs neither brackets nor a port;
    /// `otherwise` is the port then.
    fn parse(text: &str, otherwise: u16) -> Result<Host, String> {
        let expected = || "expected HOST:PORT, tls:HOST:PORT or unix:PATH".to_owned();
        let (name, port) = match text.rsplit_once(':') {
            // The text after the last colon belongs to the address.
            Some((_, rest)) if rest.contains(['%', ']']) => (text, None),
            Some((name, port)) => (name, Some(port)),
            None => (text, None),
        };
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        let host = bare.unwrap_or(name);
        if bare.is_none() && host.contains(':') && !host.contains('%') {
            return Err("an IPv6 address goes in brackets, as in [::1]:7276".to_owned());
        }
        let port = match port {
            Some(port) => port.parse().ok().filter(|port| *port != 0),
            None => Some(otherwise).filter(|_| host.contains('%')),
        };
        let host = port.map(|port| Host { name: host.to_owned(), port });
        host.filter(Host::is_whole).ok_or_else(expected)
    }

    /// Whether it has the form of a host name or an address.
    fn is_whole(&self) -> bool {
        let is_address = self.without_zone().parse::<Ipv6Addr>().is_ok();
        !self.name.is_empty()
            && !self.name.contains(char::is_whitespace)
            && (is_address || !self.name.contains([':', '%']))
    }

    /// The name without the zone of a link-local address, which means nothing outside this machine.
    pub fn without_zone(&self) -> &str {
        self.name.split_once('%').map_or(&*self.name, |(address, _)| address)
    }

    fn is_near(&self) -> bool {
        let is_loopback = |address: IpAddr| address.is_loopback();
        self.name == "localhost" || self.name.parse().is_ok_and(is_loopback)
    }
}

impl FromStr for Addresses {
    type Err = String;

    fn from_str(text: &str) -> Result<Addresses, String> {
        text.split(',').map(str::parse).collect::<Result<_, _>>().map(Addresses)
    }
}

impl From<Address> for Addresses {
    fn from(one: Address) -> Addresses {
        Addresses(vec![one])
    }
}

impl Addresses {
    /// The addresses, the preferred one first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Address> {
        self.0.iter()
    }

    /// Whether all are on this machine.
    pub fn is_near(&self) -> bool {
        self.0.iter().all(Address::is_near)
    }

    /// Whether all are Unix sockets.
    pub fn is_unix(&self) -> bool {
        self.0.iter().all(|address| matches!(address, Address::Unix(_)))
    }

    /// Whether each of `others` is one of these.
    pub fn include(&self, others: &Addresses) -> bool {
        others.0.iter().all(|other| self.0.contains(other))
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (n, address) in self.0.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            write!(f, "{comma}{address}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Address::Tcp(host) => write!(f, "{host}"),
            Address::Tls(host) => write!(f, "tls:{host}"),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if self.name.contains(':') {
            return write!(f, "[{}]:{}", self.name, self.port);
        }
        write!(f, "{}:{}", self.name, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_written() {
        for good in ["localhost:7276", "tls:chat.example.org:7277", "[::1]:7276", "unix:/run/papo"]
        {
            assert_eq!(good.parse::<Address>().unwrap().to_string(), good);
        }
        let there = Host { name: "::1".to_owned(), port: 7277 };
        assert_eq!("tls:[::1]:7277".parse(), Ok(Address::Tls(there)));
        let here = std::env::current_dir().unwrap().join("socket");
        assert_eq!("unix:socket".parse(), Ok(Address::Unix(here)));
    }

    #[test]
    fn several_addresses_are_separated_by_commas() {
        let both: Addresses = "a:1,tls:b:2".parse().unwrap();
        assert_eq!((both.to_string().as_str(), both.iter().len()), ("a:1,tls:b:2", 2));
        let one: Addresses = "tls:b:2".parse().unwrap();
        assert!(both.include(&one) && !one.include(&both));
        for bad in ["", "a:1,", ",a:1", "a:1,,b:2", "unix:/a,b"] {
            assert!(bad.parse::<Addresses>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_zone_belongs_to_its_address() {
        for (typed, meant) in [
            ("fe80::1%lo", "[fe80::1%lo]:7276"),
            ("fe80::1%lo:7000", "[fe80::1%lo]:7000"),
            ("[fe80::1%lo]:7000", "[fe80::1%lo]:7000"),
            ("[fe80::1%lo]", "[fe80::1%lo]:7276"),
            ("tls:fe80::1%lo", "tls:[fe80::1%lo]:7277"),
        ] {
            let address: Address = typed.parse().unwrap();
            assert_eq!(address.to_string(), meant);
            assert_eq!(meant.parse(), Ok(address));
        }
        let host = Host { name: "fe80::1%lo".to_owned(), port: 1 };
        assert_eq!(host.without_zone(), "fe80::1");
    }

    #[test]
    fn a_host_alone_means_what_is_customary_there() {
        let meant = |host| Address::customary(host).map(|address| address.to_string());
        assert_eq!(meant("localhost"), Some("localhost:7276".to_owned()));
        assert_eq!(meant("127.1.2.3"), Some("127.1.2.3:7276".to_owned()));
        assert_eq!(meant("chat.example.org"), Some("tls:chat.example.org:7277".to_owned()));
        assert_eq!((meant("a b"), meant(""), meant("a:b")), (None, None, None));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for bad in [
            "",
            ":7276",
            "a:0",
            "a:70000",
            "::1",
            "::1:7276",
            "unix:",
            "tls:",
            "[::1",
            "[::1]7276",
            "a%lo:1",
            "fe80::x%lo",
            "a b:1",
            "tls:a:",
            "[]:1",
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
        assert!("unix:/a\nb".parse::<Address>().is_err());
    }
}
