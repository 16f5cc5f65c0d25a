//! Who asks: the credentials of a request, by which it logs in like any other client.

use base64ct::{Base64, Base64UrlUnpadded, Encoding};

use super::HttpConnection;
use super::answer::Denial;
use super::request::Head;
use crate::name::{Handle, Target};
use crate::readers::Asker;
use crate::session::token_hash;
use crate::store::Reader;

/// A handle and a secret, which may still be wrong. Both have the form of one: neither can become
/// another field or line of a command.
pub struct Login {
    pub handle: Handle,
    pub secret: Box<str>,
}

/// What a request shows.
#[derive(Debug, PartialEq, Eq)]
enum Credential {
    Pair(Handle, Box<str>),
    /// A token, which says itself whose it is.
    Token(Box<str>),
}

/// The credentials of a request. `may_be_asked`: they may also stand in the address.
///
/// # Errors
/// There are none, they have no form that could be right, or no token like this exists.
pub(super) async fn login(
    head: &Head,
    may_be_asked: bool,
    on: &mut HttpConnection,
) -> Result<Login, Denial> {
    let asked_for = head.query("auth").or(head.query("authorization"));
    let credential = match (head.header("authorization"), asked_for) {
        (Some(value), _) => credential(value),
        (None, Some(_)) if !may_be_asked => {
            return Err(Denial::new(
                40301,
                "forbidden: ?auth= is for /…/ws and /…/sse; a sender that knows an address only \
                 needs a hook: TOKEN NEW <label> to <target>",
            ));
        }
        (None, Some(value)) => asked(value),
        (None, None) => return Err(Denial::nobody()),
    };
    let (known, secret) = match credential {
        Some(Credential::Pair(handle, secret)) => return Ok(Login { handle, secret }),
        Some(Credential::Token(secret)) => (owner(&secret, on).await?, secret),
        None => (None, Box::default()),
    };
    match known {
        Some((handle, _)) => Ok(Login { handle, secret }),
        None => {
            on.wrong_token().await?;
            Err(Denial::wrong_secret())
        }
    }
}

/// A hook: whom its token belongs to, and the target for which alone it is.
///
/// # Errors
/// There is no such hook.
pub(super) async fn hook(token: &str, on: &mut HttpConnection) -> Result<(Login, Target), Denial> {
    // One that may do everything must not stand in an address.
    if let Some(secret) = secret(token)
        && let Some((handle, Some(target))) = owner(&secret, on).await?
    {
        return Ok((Login { handle, secret }, target));
    }
    on.wrong_token().await?;
    Err(Denial::new(40401, "no-such-token: there is no such hook"))
}

/// Whether a part of a path has the form of a token.
pub fn is_token(text: &str) -> bool {
    token_hash(text).is_some()
}

/// Whether a text has something like a token in it, which no log may show.
pub fn may_hold_token(text: &str) -> bool {
    text.to_ascii_lowercase().contains("papo_")
}

/// The account of a token, and the target that it is for.
async fn owner(
    token: &str,
    on: &mut HttpConnection,
) -> Result<Option<(Handle, Option<Target>)>, Denial> {
    let Some(hash) = token_hash(token) else { return Ok(None) };
    let question = move |reader: &mut dyn Reader| {
        let Some(token) = reader.token(&hash)? else { return Ok(None) };
        let account = reader.account_by_id(token.account)?.filter(|account| !account.gone);
        Ok(account.map(|account| (account.handle, token.to)))
    };
    let readers = &on.shared.services.readers;
    let found = match readers.answer_now(question) {
        Some(found) => found,
        None => {
            let asker = Asker { origin: on.origin, account: None, logs_in: true };
            readers.ask(asker, question).await
        }
    };
    found.map_err(|_| Denial::unreadable())
}

/// `Authorization`, or what stands for it in an address.
fn credential(value: &str) -> Option<Credential> {
    let (scheme, rest) = value.trim().split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("basic") {
        let bytes = Base64::decode_vec(rest).or_else(|_| {
            // Some leave out the padding.
            Base64::decode_vec(&format!("{rest}{}", "=".repeat(rest.len().wrapping_neg() % 4)))
        });
        return pair(&String::from_utf8(bytes.ok()?).ok()?);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    match rest.contains(':') {
        true => pair(rest),
        false => secret(rest).map(Credential::Token),
    }
}

fn pair(text: &str) -> Option<Credential> {
    let (handle, rest) = text.split_once(':')?;
    let secret = secret(rest)?;
    if handle.is_empty() {
        return Some(Credential::Token(secret));
    }
    Some(Credential::Pair(Handle::new(handle)?, secret))
}

/// `?auth=`
fn asked(value: &str) -> Option<Credential> {
    let bytes = Base64UrlUnpadded::decode_vec(value.trim_end_matches('=')).ok()?;
    credential(&String::from_utf8(bytes).ok()?)
}

/// A secret that can stand in a line; `-` there means none.
fn secret(text: &str) -> Option<Box<str>> {
    let is_plain = |c: char| !c.is_control() && !c.is_whitespace();
    let fits = !text.is_empty() && text != "-" && text.len() <= 1_024 && text.chars().all(is_plain);
    fits.then(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair_of(handle: &str, secret: &str) -> Option<Credential> {
        Some(Credential::Pair(Handle::new(handle).unwrap(), secret.into()))
    }

    #[test]
    fn all_forms_are_known() {
        let basic =
            |text: &str| credential(&format!("Basic {}", Base64::encode_string(text.as_bytes())));
        assert_eq!(basic("ana:sec:ret"), pair_of("ana", "sec:ret"));
        assert_eq!(basic(":token"), Some(Credential::Token("token".into())));
        assert_eq!(credential("bAsIc YW5hOng"), pair_of("ana", "x"), "without padding");
        assert_eq!(credential("Bearer ana:x"), pair_of("ana", "x"));
        assert_eq!(credential("bearer  papo_1 "), Some(Credential::Token("papo_1".into())));
        let encoded = Base64UrlUnpadded::encode_string(b"Bearer ana:x");
        assert_eq!(asked(&encoded), pair_of("ana", "x"));
        assert_eq!(asked(&format!("{encoded}==")), pair_of("ana", "x"));
    }

    #[test]
    fn nothing_of_them_becomes_another_command() {
        let basic =
            |text: &str| credential(&format!("Basic {}", Base64::encode_string(text.as_bytes())));
        for bad in
            ["ana:x\nQUIT", "ana:x\r", "ana:x y", "ana:x\ty", "ana: ", "ana:", "ana:-", "ana", ""]
        {
            assert_eq!(basic(bad), None, "{bad:?}");
        }
        for bad in ["ana x:y", "a\nb:y", "1ana:y", "ana:\u{85}", "ana:\u{2028}", "ana:\0"] {
            assert_eq!(basic(bad), None, "{bad:?}");
        }
        for bad in ["Basic", "Basic ", "Digest a=b", "Bearer ", "Bearer -", "Basic /w==", "Basic *"]
        {
            assert_eq!(credential(bad), None, "{bad:?}");
        }
        assert_eq!(asked("%"), None);
    }
}
