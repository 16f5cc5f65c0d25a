//! Links to files, which work without a login, since apps send none with them.
//!
//! The token of a link is for one file, one reader and some time: an authentication code (HMAC) under
//! the stored hash of the reader's password. So nothing is kept for it, each node accepts it, it opens
//! nothing else, and it ends with the password, the account, and the reader's right to see the file.

use base64ct::{Base64UrlUnpadded, Encoding};
use ring::hmac;

use super::HttpConnection;
use super::answer::Denial;
use super::commands::written_id;
use super::escapes::encode;
use super::request::Head;
use crate::entry::{AccountId, EntryId, FileState, Millis};
use crate::limits;
use crate::name::Handle;
use crate::readers::Asker;

/// The address by which a request came, as it is for whoever sent it; empty if it named none.
pub fn base(head: &Head, is_tls: bool) -> String {
    let host = head.header("host").unwrap_or_default();
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b".:-_[]".contains(&b);
    if host.is_empty() || !host.bytes().all(is_plain) {
        return String::new();
    }
    // Believed only for what is told to the same peer: a proxy may have ended its TLS.
    let is_told = head.header("x-forwarded-proto").is_some_and(|p| p.eq_ignore_ascii_case("https"));
    let scheme = if is_tls || is_told { "https" } else { "http" };
    format!("{scheme}://{host}")
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FileToken {
    account: AccountId,
    /// Unix time
    expires: i64,
    tag: Vec<u8>,
}

impl FileToken {
    fn new(secret: &str, account: AccountId, id: EntryId, expires: i64) -> FileToken {
        let tag = hmac::sign(&key(secret), FileToken::said(account, id, expires).as_bytes());
        FileToken { account, expires, tag: tag.as_ref().to_vec() }
    }

    fn parse(text: &str) -> Option<FileToken> {
        let mut parts = text.splitn(3, '.');
        let mut number = || {
            let digits = parts.next()?;
            digits.parse().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()))
        };
        let (account, expires) = (AccountId(number()?), number()?);
        let tag = Base64UrlUnpadded::decode_vec(parts.next()?).ok()?;
        Some(FileToken { account, expires, tag })
    }

    fn text(&self) -> String {
        let tag = Base64UrlUnpadded::encode_string(&self.tag);
        format!("{}.{}.{tag}", self.account.0, self.expires)
    }

    fn said(account: AccountId, id: EntryId, expires: i64) -> String {
        format!("papo file {} {} {expires}", account.0, id.0)
    }

    /// Whether it was made for this file under this secret.
    fn is_right(&self, secret: &str, id: EntryId) -> bool {
        let said = FileToken::said(self.account, id, self.expires);
        !secret.is_empty() && hmac::verify(&key(secret), said.as_bytes(), &self.tag).is_ok()
    }
}

fn key(secret: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())
}

impl HttpConnection {
    fn asker(&self, account: Option<AccountId>) -> Asker {
        Asker { origin: self.origin, account, logs_in: false }
    }

    /// A link for `me` to the file of a message, under its name, and until when it works: for some
    /// time after `from`.
    ///
    /// # Errors
    /// The database cannot be read, or there is no such account.
    pub(super) async fn file_link(
        &mut self,
        base: &str,
        me: &Handle,
        (id, name): (EntryId, &str),
        from: Millis,
    ) -> Result<(String, Millis), Denial> {
        let handle = me.clone();
        let known = self.shared.services.readers.ask(self.asker(None), move |reader| {
            let Some(account) = reader.account(&handle)? else { return Ok(None) };
            Ok(reader.secret(account.id)?.map(|secret| (account.id, secret)))
        });
        let known = known.await.map_err(|_| Denial::unreadable())?;
        let (account, secret) = known.ok_or_else(Denial::wrong_secret)?;
        let expires = from.0.div_euclid(1_000) + limits::HTTP_LINK_SECONDS;
        let token = FileToken::new(&secret, account, id, expires).text();
        let url = format!("{base}/file/{}/{}?token={token}", written_id(id), encode(name));
        Ok((url, Millis(expires * 1_000)))
    }

    /// The size of the file of a message that `me` may see; `None` if it has none, or no more.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(super) async fn file_bytes(
        &mut self,
        me: &Handle,
        id: EntryId,
    ) -> Result<Option<u64>, Denial> {
        let handle = me.clone();
        let known = self.shared.services.readers.ask(self.asker(None), move |reader| {
            let Some(account) = reader.account(&handle)? else { return Ok(None) };
            reader.file(account.id, id)
        });
        match known.await.map_err(|_| Denial::unreadable())? {
            Some(FileState::Kept(file)) => Ok(Some(file.bytes)),
            _ => Ok(None),
        }
    }

    /// Whose token for a file this is.
    ///
    /// # Errors
    /// It is none, or its time is over.
    pub(super) async fn by_file_token(
        &mut self,
        said: &str,
        id: EntryId,
    ) -> Result<AccountId, Denial> {
        let Some(token) = FileToken::parse(said) else { return Err(self.no_link().await) };
        let account = token.account;
        let secret = self.shared.services.readers.ask(self.asker(None), move |reader| {
            let known = reader.account_by_id(account)?;
            match known.filter(|account| !account.gone && !account.disabled) {
                Some(account) => reader.secret(account.id),
                None => Ok(None),
            }
        });
        let secret = secret.await.map_err(|_| Denial::unreadable())?;
        if !secret.is_some_and(|secret| token.is_right(&secret, id)) {
            return Err(self.no_link().await);
        }
        if token.expires <= self.now().0.div_euclid(1_000) {
            return Err(Denial::new(40401, "this link to a file has expired"));
        }
        Ok(account)
    }

    async fn no_link(&mut self) -> Denial {
        match self.wrong_token().await {
            Ok(()) => Denial::new(40401, "there is no such file here, or the link is for another"),
            Err(denial) => denial,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_for_one_reader_one_file_and_one_time() {
        let (account, id) = (AccountId(3), EntryId(17));
        let token = FileToken::new("hash", account, id, 1_795_959_773);
        let text = token.text();
        assert!(text.starts_with("3.1795959773.") && text.len() == 56, "{text}");
        assert_eq!(FileToken::parse(&text), Some(token.clone()));
        assert!(token.is_right("hash", id));
        assert!(!token.is_right("other", id) && !token.is_right("hash", EntryId(18)));
        assert!(!FileToken { account: AccountId(4), ..token.clone() }.is_right("hash", id));
        assert!(!FileToken { expires: 1_795_959_774, ..token.clone() }.is_right("hash", id));
        assert!(!FileToken { tag: Vec::new(), ..token }.is_right("hash", id));
        // A deleted account has no secret.
        assert!(!FileToken::new("", account, id, 1).is_right("", id));
        for bad in ["", ".", "3.1", "3.1.!", "-3.1.AA", "x.1.AA", "3.99999999999999999999.AA"] {
            assert_eq!(FileToken::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_base_is_where_the_request_went() {
        let of = |lines: &str, is_tls| {
            let text = format!("GET / HTTP/1.0\r\n{lines}\r\n");
            base(&Head::parse(text.as_bytes()).unwrap().unwrap().0, is_tls)
        };
        assert_eq!(of("Host: h:7278\r\n", false), "http://h:7278");
        assert_eq!(of("Host: [::1]:80\r\n", true), "https://[::1]:80");
        assert_eq!(of("Host: h\r\nX-Forwarded-Proto: https\r\n", false), "https://h");
        for none in ["", "Host: \r\n", "Host: a b\r\n", "Host: h/\"><x\r\n"] {
            assert_eq!(of(none, false), "", "{none:?}");
        }
    }
}
