//! Which side of a photo is up: cameras store it as their sensor lies, and say so in its Exif data.

use super::raster::Raster;

/// How the stored pixels are turned to be looked at, numbered as Exif does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Orientation(u16);

/// The tag of the orientation in Exif data, and the type of its value, a short number.
const TAG: [u16; 2] = [0x0112, 3];

impl Orientation {
    /// What this Exif data says, which is a TIFF file; `None` if it says nothing.
    pub fn of_exif(exif: &[u8]) -> Option<Orientation> {
        let is_little = match exif.get(..4)? {
            b"II*\0" => true,
            b"MM\0*" => false,
            _ => return None,
        };
        let short = |at: usize| {
            let bytes = exif.get(at..at.checked_add(2)?)?.try_into().ok()?;
            Some(if is_little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
        };
        let (high, low) = if is_little { (6, 4) } else { (4, 6) };
        let list = usize::from(short(high)?) << 16 | usize::from(short(low)?);
        let entries = (0..usize::from(short(list)?)).map(|n| list + 2 + 12 * n);
        for at in entries {
            if [short(at)?, short(at + 2)?] == TAG {
                return short(at + 8).filter(|value| (1..=8).contains(value)).map(Orientation);
            }
        }
        None
    }

    /// The picture as it is to be looked at.
    pub fn upright(self, stored: Raster) -> Raster {
        let Raster { width: w, height: h, .. } = stored;
        let (width, height) = if self.0 > 4 { (h, w) } else { (w, h) };
        let mut upright = Raster::clear(width, height);
        for (n, pixel) in upright.rgba.chunks_exact_mut(4).enumerate() {
            let (x, y) = (n % width, n / width);
            let (x, y) = match self.0 {
                2 => (w - 1 - x, y),
                3 => (w - 1 - x, h - 1 - y),
                4 => (x, h - 1 - y),
                5 => (y, x),
                6 => (y, h - 1 - x),
                7 => (w - 1 - y, h - 1 - x),
                8 => (w - 1 - y, x),
                _ => (x, y),
            };
            let at = (y * w + x) * 4;
            pixel.copy_from_slice(&stored.rgba[at..at + 4]);
        }
        upright
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Exif data with one other entry before the orientation.
    fn exif(is_little: bool, value: u16) -> Vec<u8> {
        let short = |n: u16| if is_little { n.to_le_bytes() } else { n.to_be_bytes() };
        let long = |n: u32| if is_little { n.to_le_bytes() } else { n.to_be_bytes() };
        let mut exif = if is_little { b"II*\0" } else { b"MM\0*" }.to_vec();
        exif.extend(long(10));
        exif.extend([0; 2]);
        exif.extend(short(2));
        for (tag, value) in [(0x010f, 7), (0x0112, value)] {
            exif.extend([short(tag), short(3)].concat());
            exif.extend(long(1));
            exif.extend([short(value), [0; 2]].concat());
        }
        exif
    }

    #[test]
    fn it_is_read_in_both_orders_and_wherever_the_data_ends() {
        for is_little in [false, true] {
            let whole = exif(is_little, 6);
            assert_eq!(Orientation::of_exif(&whole), Some(Orientation(6)));
            for cut in 0..whole.len() - 2 {
                assert_eq!(Orientation::of_exif(&whole[..cut]), None, "{cut}");
            }
            assert_eq!(Orientation::of_exif(&exif(is_little, 9)), None);
            // Its list is elsewhere.
            let mut astray = whole.clone();
            astray[4..8].fill(0xff);
            assert_eq!(Orientation::of_exif(&astray), None);
        }
    }

    #[test]
    fn a_picture_is_turned() {
        // Two rows of three, as numbers.
        let stored =
            || Raster { width: 3, height: 2, rgba: (0..6_u8).flat_map(|n| [n; 4]).collect() };
        let turned = |value| {
            let upright = Orientation(value).upright(stored());
            let pixels: Vec<u8> = upright.rgba.chunks(4).map(|pixel| pixel[0]).collect();
            pixels.chunks(upright.width).map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        assert_eq!(turned(1), [[0, 1, 2], [3, 4, 5]]);
        assert_eq!(turned(2), [[2, 1, 0], [5, 4, 3]]);
        assert_eq!(turned(3), [[5, 4, 3], [2, 1, 0]]);
        assert_eq!(turned(4), [[3, 4, 5], [0, 1, 2]]);
        assert_eq!(turned(5), [[0, 3], [1, 4], [2, 5]]);
        assert_eq!(turned(6), [[3, 0], [4, 1], [5, 2]]);
        assert_eq!(turned(7), [[5, 2], [4, 1], [3, 0]]);
        assert_eq!(turned(8), [[2, 5], [1, 4], [0, 3]]);
    }
}
