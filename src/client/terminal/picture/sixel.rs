//! Sixels, as terminals of the VT340's kind draw them: six rows of pixels at a time, one colour of a
//! palette after another.
//!
//! The palette is a crate's. That what is written from it is written here, is since the one crate
//! kept for it (icy_sixel) brings thirty others, which take longer to build than all decoders.

use std::fmt::Write;

use color_quant::NeuQuant;

use super::raster::Raster;

/// Colours that every such terminal has; some have no more than these.
const COLOURS: usize = 256;

/// One pixel in so many is looked at for the palette: 1 is best and 30 is fastest.
const SAMPLE: i32 = 4;

/// Below this a pixel is not drawn.
const OPAQUE: u8 = 128;

/// The device control string that draws a picture, from the cursor on.
pub fn sixels(raster: &Raster) -> String {
    let Raster { width, height, rgba } = raster;
    let palette = Palette::of(rgba);
    // What is not drawn stays as it is.
    let mut out = format!("\x1bP0;1;0q\"1;1;{width};{height}");
    for (n, [red, green, blue]) in palette.colours.iter().enumerate() {
        let percent = |value: &u8| (u32::from(*value) * 100 + 127) / 255;
        let (red, green, blue) = (percent(red), percent(green), percent(blue));
        let _ = write!(out, "#{n};2;{red};{green};{blue}");
    }
    let pixels: Vec<Option<u8>> = rgba
        .chunks_exact(4)
        .map(|pixel| (pixel[3] >= OPAQUE).then(|| palette.nearest(pixel)))
        .collect();
    for band in pixels.chunks(6 * width) {
        let mut used = [false; COLOURS];
        band.iter().flatten().for_each(|n| used[usize::from(*n)] = true);
        let mut is_first = true;
        for colour in (0..=u8::MAX).filter(|n| used[usize::from(*n)]) {
            out.push_str(if std::mem::take(&mut is_first) { "" } else { "$" });
            let _ = write!(out, "#{colour}");
            row(&mut out, band, *width, colour);
        }
        out.push('-');
    }
    out.push_str("\x1b\\");
    out
}

/// The pixels of one colour in six rows.
fn row(out: &mut String, band: &[Option<u8>], width: usize, colour: u8) {
    let sixel = |x: usize| {
        let rows = (0..6).filter(|y| band.get(y * width + x) == Some(&Some(colour)));
        rows.fold(0_u8, |bits, y| bits | 1 << y)
    };
    let (mut last, mut count) = (0, 0);
    for x in 0..width {
        let bits = sixel(x);
        if bits != last {
            repeat(out, last, count);
            (last, count) = (bits, 0);
        }
        count += 1;
    }
    // What follows the last is nothing.
    if last != 0 {
        repeat(out, last, count);
    }
}

fn repeat(out: &mut String, bits: u8, count: usize) {
    let sixel = char::from(b'?' + bits);
    if count > 3 {
        let _ = write!(out, "!{count}{sixel}");
    } else {
        out.extend(std::iter::repeat_n(sixel, count));
    }
}

/// The colours of a picture.
struct Palette {
    colours: Vec<[u8; 3]>,
    /// What finds the nearest of them, if they are fewer than the picture's own.
    reduced: Option<NeuQuant>,
}

impl Palette {
    fn of(rgba: &[u8]) -> Palette {
        let opaque = || rgba.chunks_exact(4).filter(|pixel| pixel[3] >= OPAQUE);
        let mut colours = Vec::new();
        for pixel in opaque() {
            let colour = [pixel[0], pixel[1], pixel[2]];
            if let Err(at) = colours.binary_search(&colour) {
                colours.insert(at, colour);
                if colours.len() > COLOURS {
                    break;
                }
            }
        }
        if colours.len() <= COLOURS {
            return Palette { colours, reduced: None };
        }
        let seen: Vec<u8> = opaque().flat_map(|it| [it[0], it[1], it[2], 255]).collect();
        let reduced = NeuQuant::new(SAMPLE, COLOURS, &seen);
        let colours = reduced.color_map_rgb();
        let colours = colours.chunks_exact(3).map(|it| [it[0], it[1], it[2]]).collect();
        Palette { colours, reduced: Some(reduced) }
    }

    fn nearest(&self, pixel: &[u8]) -> u8 {
        let found = match &self.reduced {
            Some(reduced) => reduced.index_of(&[pixel[0], pixel[1], pixel[2], 255]),
            None => {
                let found = self.colours.binary_search(&[pixel[0], pixel[1], pixel[2]]);
                found.unwrap_or_default()
            }
        };
        found as u8
    }
}
