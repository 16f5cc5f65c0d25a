//! Pixels in memory, and making them fewer.

/// A picture as rows of pixels, each of four bytes: red, green, blue, and how opaque it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raster {
    pub width: usize,
    pub height: usize,
    pub rgba: Vec<u8>,
}

impl Raster {
    /// One that is transparent.
    pub fn clear(width: usize, height: usize) -> Raster {
        Raster { width, height, rgba: vec![0; width * height * 4] }
    }

    /// From pixels of one to four bytes: grey, grey and opacity, colour, colour and opacity. The
    /// result fits into `width` and `height` with its proportions kept, and is never larger than
    /// the original. `None` if there are too few bytes.
    pub fn shrunk(source: &DecodedPixels, width: usize, height: usize) -> Option<Raster> {
        let DecodedPixels { width: w, height: h, channels, bytes } = *source;
        if w == 0 || h == 0 || !(1..=4).contains(&channels) || bytes.len() < w * h * channels {
            return None;
        }
        let (width, height) = fitting((w, h), (width, height));
        let mut small = Raster::clear(width, height);
        for (y, row) in small.rgba.chunks_exact_mut(width * 4).enumerate() {
            let rows = part(y, height, h);
            for (x, pixel) in row.chunks_exact_mut(4).enumerate() {
                let columns = part(x, width, w);
                let mut sum = Sum::default();
                for y in rows.clone() {
                    let begin = (y * w + columns.start) * channels;
                    let end = (y * w + columns.end) * channels;
                    for source in bytes[begin..end].chunks_exact(channels) {
                        sum.add(source);
                    }
                }
                pixel.copy_from_slice(&sum.mean());
            }
        }
        Some(small)
    }

    /// The same picture in fewer pixels.
    pub fn within(&self, width: usize, height: usize) -> Raster {
        let source = DecodedPixels {
            width: self.width,
            height: self.height,
            channels: 4,
            bytes: &self.rgba,
        };
        Raster::shrunk(&source, width, height).unwrap_or_else(|| self.clone())
    }

    /// With transparent pixels to the right and below, up to this size.
    pub fn padded(&self, width: usize, height: usize) -> Raster {
        let mut padded = Raster::clear(width.max(self.width), height.max(self.height));
        let rows = padded.rgba.chunks_exact_mut(width.max(self.width) * 4);
        for (to, from) in rows.zip(self.rgba.chunks_exact(self.width * 4)) {
            to[..from.len()].copy_from_slice(from);
        }
        padded
    }
}

/// Decoded pixels.
pub struct DecodedPixels<'a> {
    pub width: usize,
    pub height: usize,
    /// Bytes of a pixel.
    pub channels: usize,
    pub bytes: &'a [u8],
}

/// The largest size with these proportions that fits, and at most the original one.
pub fn fitting((w, h): (usize, usize), (width, height): (usize, usize)) -> (usize, usize) {
    let (width, height) = (width.clamp(1, w), height.clamp(1, h));
    if width * h <= height * w {
        (width, (h * width / w).max(1))
    } else {
        ((w * height / h).max(1), height)
    }
}

/// The pixels of `all` that the `n`th of `parts` stands for; one at least.
fn part(n: usize, parts: usize, all: usize) -> std::ops::Range<usize> {
    let begin = n * all / parts;
    begin..((n + 1) * all / parts).max(begin + 1)
}

/// A sum of pixels. What is more opaque counts more, or the colour of what is invisible would show
/// at its edges.
#[derive(Default)]
struct Sum {
    colours: [u64; 3],
    opacity: u64,
    pixels: u64,
}

impl Sum {
    fn add(&mut self, pixel: &[u8]) {
        let (colours, opacity) = match *pixel {
            [grey] => ([grey; 3], 255),
            [grey, opacity] => ([grey; 3], opacity),
            [red, green, blue] => ([red, green, blue], 255),
            [red, green, blue, opacity, ..] => ([red, green, blue], opacity),
            [] => return,
        };
        for (sum, colour) in self.colours.iter_mut().zip(colours) {
            *sum += u64::from(colour) * u64::from(opacity);
        }
        self.opacity += u64::from(opacity);
        self.pixels += 1;
    }

    fn mean(&self) -> [u8; 4] {
        let Sum { colours: [red, green, blue], opacity, pixels } = *self;
        // A mean of bytes is a byte.
        let mean = |sum: u64, of: u64| (sum + of / 2).checked_div(of).unwrap_or(0) as u8;
        [mean(red, opacity), mean(green, opacity), mean(blue, opacity), mean(opacity, pixels)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pixel_is_the_mean_of_those_it_stands_for() {
        let bytes = [0, 0, 100, 200, 255, 255, 255, 255];
        let source = DecodedPixels { width: 4, height: 2, channels: 1, bytes: &bytes };
        let small = Raster::shrunk(&source, 2, 9).unwrap();
        assert_eq!((small.width, small.height), (2, 1));
        assert_eq!(small.rgba, [128, 128, 128, 255, 203, 203, 203, 255]);
        // It does not grow, and what is invisible has no colour.
        let bytes = [255, 0, 0, 255, 0, 255, 0, 0];
        let source = DecodedPixels { width: 2, height: 1, channels: 4, bytes: &bytes };
        assert_eq!(
            Raster::shrunk(&source, 9, 9).unwrap().rgba,
            bytes[..4].iter().copied().chain([0; 4]).collect::<Vec<u8>>()
        );
        assert_eq!(Raster::shrunk(&source, 1, 1).unwrap().rgba, [255, 0, 0, 128]);
    }

    #[test]
    fn proportions_are_kept_and_nothing_is_empty() {
        assert_eq!(fitting((1000, 500), (100, 100)), (100, 50));
        assert_eq!(fitting((500, 1000), (100, 100)), (50, 100));
        assert_eq!(fitting((10_000, 1), (100, 100)), (100, 1));
        assert_eq!(fitting((1, 10_000), (100, 100)), (1, 100));
        assert_eq!(fitting((3, 2), (100, 100)), (3, 2));
        let short = DecodedPixels { width: 2, height: 2, channels: 3, bytes: &[0; 11] };
        assert_eq!(Raster::shrunk(&short, 1, 1), None);
    }
}
