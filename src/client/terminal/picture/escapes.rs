//! What kitty and iTerm2 are sent. Both take PNG; it is made here of papo's own pixels.

use std::fmt::Write;

use base64::prelude::{BASE64_STANDARD, Engine};

use super::PictureArea;
use super::raster::Raster;

/// Most characters of Base64 in one of kitty's sequences.
const CHUNK: usize = 4096;

/// The picture as a PNG file, in Base64.
pub fn as_png(raster: &Raster) -> Option<String> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, raster.width as u32, raster.height as u32);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(&raster.rgba).ok()?;
    writer.finish().ok()?;
    Some(BASE64_STANDARD.encode(file))
}

/// Has kitty keep a picture under a number and draw it at the cursor, which stays. It answers
/// nothing.
pub fn kitty(id: u32, png: &str, area: PictureArea) -> String {
    let PictureArea { columns, rows } = area;
    let mut out = String::with_capacity(png.len() + png.len() / 100 + 100);
    let mut rest = png;
    let mut keys = format!("a=T,f=100,t=d,i={id},p=1,c={columns},r={rows},C=1,");
    while !rest.is_empty() {
        // It is ASCII.
        let (chunk, more) = rest.split_at(rest.len().min(CHUNK));
        let is_more = u8::from(!more.is_empty());
        let _ = write!(out, "\x1b_G{keys}q=2,m={is_more};{chunk}\x1b\\");
        keys.clear();
        rest = more;
    }
    out
}

/// Has kitty draw a picture again that it keeps.
pub fn kitty_again(id: u32, area: PictureArea) -> String {
    let PictureArea { columns, rows } = area;
    format!("\x1b_Ga=p,i={id},p=1,c={columns},r={rows},C=1,q=2\x1b\\")
}

/// Has kitty take a picture off the screen, and forget it as well.
pub fn kitty_gone(id: u32, forgets: bool) -> String {
    format!("\x1b_Ga=d,d={},i={id},q=2\x1b\\", if forgets { 'I' } else { 'i' })
}

/// Has iTerm2 draw a picture at the cursor.
pub fn iterm(png: &str, area: PictureArea) -> String {
    let PictureArea { columns, rows } = area;
    let size = format!("width={columns};height={rows};preserveAspectRatio=1");
    format!("\x1b]1337;File=inline=1;{size};doNotMoveCursor=1:{png}\x07")
}
