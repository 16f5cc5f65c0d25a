//! Numbers of bytes, as people read them.

use std::fmt;

/// A number of bytes for people, as in `34 kB`.
#[derive(Clone, Copy, Debug)]
pub struct ByteCount(pub u64);

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (mut rest, mut unit) = (self.0 as f64, "bytes");
        for larger in ["kB", "MB", "GB", "TB"] {
            // What would be shown as 1000.
            if rest < 999.5 {
                break;
            }
            (rest, unit) = (rest / 1_000.0, larger);
        }
        match unit {
            "bytes" if self.0 == 1 => f.write_str("1 byte"),
            _ if unit != "bytes" && rest < 9.95 => write!(f, "{rest:.1} {unit}"),
            _ => write!(f, "{rest:.0} {unit}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_in_three_digits_at_most() {
        let shown = [
            (0, "0 bytes"),
            (1, "1 byte"),
            (999, "999 bytes"),
            (1_000, "1.0 kB"),
            (33_500, "34 kB"),
            (999_499, "999 kB"),
            (999_500, "1.0 MB"),
            (16 << 20, "17 MB"),
            (u64::MAX, "18446744 TB"),
        ];
        for (bytes, text) in shown {
            assert_eq!(ByteCount(bytes).to_string(), text);
        }
    }
}
