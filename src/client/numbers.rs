//! How the command line's numbers are parsed, each with a sentence for a value that does not fit.

/// An id; the server stores it as a signed number.
///
/// # Errors
/// A sentence for the user.
pub fn id(typed: &str) -> Result<u64, String> {
    let id = number(typed).filter(|id| i64::try_from(*id).is_ok());
    id.ok_or_else(|| "expected an id".to_owned())
}

/// A number of which there has to be one at least.
///
/// # Errors
/// A sentence for the user.
pub fn from_one(typed: &str) -> Result<u64, String> {
    let number = number(typed).filter(|number| *number > 0);
    number.ok_or_else(|| "expected a whole number, at least 1".to_owned())
}

/// Returns a parser of numbers from 1 to `most`.
pub fn up_to<T: TryFrom<u64>>(
    most: u64,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |typed| {
        let number = number(typed).filter(|number| (1..=most).contains(number));
        let number = number.and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| format!("expected a whole number, 1 to {most}"))
    }
}

fn number(typed: &str) -> Option<u64> {
    typed.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_bounds() {
        assert_eq!(id("0"), Ok(0));
        assert_eq!(id("9223372036854775807"), Ok(i64::MAX as u64));
        for odd in ["9223372036854775808", "x", "", "-1", "1.5"] {
            assert_eq!(id(odd), Err("expected an id".to_owned()), "{odd}");
        }
        assert_eq!(from_one("1"), Ok(1));
        assert!(from_one("0").is_err());
        let rows = up_to::<u16>(1_000);
        assert_eq!((rows("1"), rows("1000")), (Ok(1), Ok(1_000)));
        for odd in ["0", "1001", "99999999999999999999", "ten"] {
            let why = "expected a whole number, 1 to 1000".to_owned();
            assert_eq!(rows(odd), Err(why), "{odd}");
        }
        // What the type cannot hold is refused, too.
        assert!(up_to::<u8>(1_000)("256").is_err());
    }
}
