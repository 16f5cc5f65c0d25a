//! Where a server is: `HOST:PORT`, `tls:HOST:PORT` or `unix:PATH`. Nothing is looked up here.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The address of a server, as it is typed and as it is kept in the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// TCP in the clear.
    Tcp(Host),
    /// TCP with TLS.
    Tls(Host),
    /// A Unix socket.
    Unix(PathBuf),
}

/// A name or an IP address, and a port. An IPv6 address is written in brackets, and kept without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// A name or an IP address.
    pub name: String,
    /// 1 to 65,535.
    pub port: u16,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Address, String> {
        // One line of the settings is one address.
        if text.contains(char::is_control) {
            return Err("a control character stands in it".to_owned());
        }
        match text.split_once(':') {
            Some(("unix", "")) => Err("expected unix:PATH".to_owned()),
            // It is kept for commands that are run elsewhere.
            Some(("unix", path)) => {
                std::path::absolute(path).map(Address::Unix).map_err(|e| e.to_string())
            }
            Some(("tls", host)) => host.parse().map(Address::Tls),
            _ => text.parse().map(Address::Tcp),
        }
    }
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Host, String> {
        let parts = text.rsplit_once(':').and_then(|(name, port)| {
            let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
            let name = bare.unwrap_or(name);
            let is_whole = !name.is_empty() && !name.contains(char::is_whitespace);
            // Without its brackets an IPv6 address cannot be told from its port.
            let is_plain = bare.is_some() || !name.contains(':');
            let port = port.parse().ok().filter(|port| *port != 0)?;
            (is_whole && is_plain).then(|| Host { name: name.to_owned(), port })
        });
        parts.ok_or_else(|| "expected HOST:PORT, tls:HOST:PORT or unix:PATH".to_owned())
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
    fn what_is_no_address_is_refused() {
        for bad in ["", "localhost", ":7276", "a:0", "a:70000", "::1", "::1:7276", "unix:", "tls:a"]
        {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
        assert!("unix:/a\nb".parse::<Address>().is_err());
    }
}
