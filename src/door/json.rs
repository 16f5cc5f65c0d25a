//! Reading JSON of strangers: parsed by serde_json, after a look at how deep it goes.

use serde_json::{Deserializer, Value};

use super::answer::Denial;
use crate::limits;

/// Parses a body; `code` is that of the refusal.
///
/// # Errors
/// It is no JSON, or deeper than [`limits::JSON_DEPTH`].
pub fn parse(body: &[u8], code: u32) -> Result<Value, Denial> {
    if depth(body) > limits::JSON_DEPTH {
        let text = format!("invalid JSON: more than {} levels", limits::JSON_DEPTH);
        return Err(Denial::new(40017, text));
    }
    let invalid = || Denial::new(code, "invalid JSON");
    let mut parser = Deserializer::from_slice(body);
    // Its own limit is one level less.
    parser.disable_recursion_limit();
    let mut values = parser.into_iter::<Value>();
    let value = values.next().and_then(Result::ok);
    // Nothing but blanks may follow.
    value.filter(|_| values.next().is_none()).ok_or_else(invalid)
}

/// How many objects and arrays lie within each other at most.
fn depth(body: &[u8]) -> usize {
    let (mut depth, mut most, mut in_string, mut is_escaped) = (0_usize, 0, false, false);
    for byte in body {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                most = most.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_has_a_limit() {
        let nested = |n: usize| [vec![b'['; n], vec![b']'; n]].concat();
        assert!(parse(&nested(128), 40024).is_ok());
        assert_eq!(parse(&nested(129), 40024).unwrap_err().code, 40017);
        assert_eq!(parse(&vec![b'['; 200_000], 40024).unwrap_err().code, 40017);
        assert_eq!(parse(b"{\"a\":\"[[[\\\"{{{\"}", 40024).unwrap()["a"], "[[[\"{{{");
        for bad in ["", "{", "{} x", "\u{feff}{}"] {
            assert_eq!(parse(bad.as_bytes(), 40024).unwrap_err().code, 40024, "{bad:?}");
        }
    }
}
