//! Files that people send become pixels here: PNG, JPEG, GIF and WebP, told apart by their first
//! bytes.
//!
//! A file may be anyone's and may lie. So its size is looked at before anything is decoded, and
//! what papo keeps is small. Metadata is passed over, but for the side that is up, and of what moves
//! the first picture is taken. Nothing of the file itself ever reaches the terminal, whose own
//! decoders may be worse.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use gif::MemoryLimit;
use image_webp::WebPDecoder;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::orientation::Orientation;
use super::raster::{DecodedPixels, Raster};

/// Most pixels of a file: the 12 million of a telephone, and a screen of 5120 by 2880. Decoding
/// takes up to 10 bytes for each, for a moment.
const PIXELS: usize = 16_000_000;

/// Most bytes that a decoder may take.
const MEMORY: usize = PIXELS * 8;

/// Scans of a JPEG file that is sent in stages. Each goes over the whole picture, however few bytes
/// it has; programs make about ten.
const SCANS: usize = 30;

/// Most pixels kept, across and down: more than a message has room for on most terminals.
const KEPT: (usize, usize) = (640, 480);

/// The picture in a file, if it is one that can be shown.
pub fn decode(file: &[u8]) -> Option<Raster> {
    // A decoder that panics is one that fails.
    catch_unwind(AssertUnwindSafe(|| match file {
        [0x89, b'P', b'N', b'G', ..] => png(file),
        [0xff, 0xd8, 0xff, ..] => jpeg(file),
        [b'G', b'I', b'F', b'8', ..] => gif(file),
        [b'R', b'I', b'F', b'F', ..] => webp(file),
        _ => None,
    }))
    .ok()?
}

/// Whether a file of this size may be decoded.
fn is_fit(width: usize, height: usize) -> bool {
    width > 0 && height > 0 && width.saturating_mul(height) <= PIXELS
}

fn kept(width: usize, height: usize, channels: usize, bytes: &[u8]) -> Option<Raster> {
    Raster::shrunk(&DecodedPixels { width, height, channels, bytes }, KEPT.0, KEPT.1)
}

fn png(file: &[u8]) -> Option<Raster> {
    let limits = png::Limits { bytes: MEMORY };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(file), limits);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let info = decoder.read_header_info().ok()?;
    if !is_fit(info.width as usize, info.height as usize) {
        return None;
    }
    let mut reader = decoder.read_info().ok()?;
    let mut bytes = vec![0; reader.output_buffer_size()?];
    let frame = reader.next_frame(&mut bytes).ok()?;
    kept(frame.width as usize, frame.height as usize, frame.color_type.samples(), &bytes)
}

fn jpeg(file: &[u8]) -> Option<Raster> {
    let options = DecoderOptions::default()
        .set_max_width(PIXELS)
        .set_max_height(PIXELS)
        .set_use_unsafe(false)
        .jpeg_set_max_scans(SCANS)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(file), options);
    decoder.decode_headers().ok()?;
    let (width, height) = decoder.dimensions()?;
    if !is_fit(width, height) {
        return None;
    }
    let bytes = decoder.decode().ok()?;
    let stored = kept(width, height, 3, &bytes)?;
    match decoder.exif().and_then(|exif| Orientation::of_exif(exif)) {
        Some(orientation) => Some(orientation.upright(stored)),
        None => Some(stored),
    }
}

fn gif(file: &[u8]) -> Option<Raster> {
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::RGBA);
    options.check_frame_consistency(true);
    options.set_memory_limit(MemoryLimit::Bytes((MEMORY as u64).try_into().ok()?));
    let mut decoder = options.read_info(file).ok()?;
    let (width, height) = (usize::from(decoder.width()), usize::from(decoder.height()));
    if !is_fit(width, height) {
        return None;
    }
    let frame = decoder.read_next_frame().ok()??;
    // It may be smaller than the picture.
    let mut whole = Raster::clear(width, height);
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let row = usize::from(frame.width).max(1) * 4;
    for (n, from) in frame.buffer.chunks_exact(row).enumerate() {
        let begin = ((top + n) * width + left) * 4;
        whole.rgba.get_mut(begin..begin + row)?.copy_from_slice(from);
    }
    kept(width, height, 4, &whole.rgba)
}

fn webp(file: &[u8]) -> Option<Raster> {
    let mut decoder = WebPDecoder::new(Cursor::new(file)).ok()?;
    let (width, height) = decoder.dimensions();
    let (width, height) = (width as usize, height as usize);
    if !is_fit(width, height) {
        return None;
    }
    decoder.set_memory_limit(MEMORY);
    let mut bytes = vec![0; decoder.output_buffer_size()?];
    if decoder.is_animated() {
        decoder.read_frame(&mut bytes).ok()?;
    } else {
        decoder.read_image(&mut bytes).ok()?;
    }
    kept(width, height, if decoder.has_alpha() { 4 } else { 3 }, &bytes)
}
