//! Files become pixels, pixels become what the terminal is sent, and a screen has both in place.

use std::io::Cursor;

use base64::prelude::{BASE64_STANDARD, Engine};

use super::abilities::{Answers, GraphicsProtocol};
use super::decode::decode;
use super::*;

/// 16 by 16 pixels, the left half red and the right half blue.
const JPEG: &str = "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywt\
QFdBRkxOUlNSMj5aYVpQYEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09P\
T09PT0//wAARCAAQABADAREAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAABQb/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/8QAFQEBAQAAAAAAAAAA\
AAAAAAAABwX/xAAUEQEAAAAAAAAAAAAAAAAAAAAA/9oADAMBAAIRAxEAPwCfRiSCMQqOh0qgjEKn/9k=";

/// The same.
const WEBP: &str = "UklGRkAAAABXRUJQVlA4IDQAAACQAQCdASoQABAAAUAmJaACdLoAA5gA/vij//8QI//mwP/0uD8Ef+lwf/pcDh//S4GaAAAA";

fn halves() -> Raster {
    let row = [[255, 0, 0, 255]; 8].into_iter().chain([[0, 0, 255, 255]; 8]);
    let rgba = std::iter::repeat_n(row.flatten(), 16).flatten().collect();
    Raster { width: 16, height: 16, rgba }
}

fn png(raster: &Raster) -> Vec<u8> {
    BASE64_STANDARD.decode(escapes::as_png(raster).unwrap()).unwrap()
}

fn gif(raster: &Raster) -> Vec<u8> {
    let mut file = Vec::new();
    let palette = [255, 0, 0, 0, 0, 255];
    let mut encoder =
        gif::Encoder::new(&mut file, raster.width as u16, raster.height as u16, &palette).unwrap();
    let pixels: Vec<u8> = raster.rgba.chunks(4).map(|pixel| u8::from(pixel[2] > 0)).collect();
    let frame =
        gif::Frame { width: 16, height: 16, buffer: pixels.into(), ..gif::Frame::default() };
    encoder.write_frame(&frame).unwrap();
    drop(encoder);
    file
}

fn files() -> [(&'static str, Vec<u8>); 4] {
    [
        ("PNG", png(&halves())),
        ("GIF", gif(&halves())),
        ("JPEG", BASE64_STANDARD.decode(JPEG).unwrap()),
        ("WebP", BASE64_STANDARD.decode(WEBP).unwrap()),
    ]
}

/// Whether no byte differs by more than what such files lose.
fn is_like(one: &Raster, other: &Raster) -> bool {
    (one.width, one.height) == (other.width, other.height)
        && one.rgba.iter().zip(&other.rgba).all(|(a, b)| a.abs_diff(*b) < 80)
}

#[test]
fn files_of_all_kinds_are_decoded() {
    for (kind, file) in files() {
        let raster = decode(&file).unwrap_or_else(|| panic!("{kind}"));
        assert!(is_like(&raster, &halves()), "{kind}: {raster:?}");
    }
    // Grey, with opacity, in two bytes each.
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 1, 2);
    encoder.set_color(png::ColorType::GrayscaleAlpha);
    encoder.set_depth(png::BitDepth::Sixteen);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&[200, 0, 255, 255, 100, 0, 128, 0]).unwrap();
    writer.finish().unwrap();
    let expected = [200, 200, 200, 255, 100, 100, 100, 128];
    assert_eq!(decode(&file).unwrap().rgba, expected);
}

#[test]
fn a_photo_stands_on_its_feet() {
    let exif =
        b"\xff\xe1\0\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let plain = BASE64_STANDARD.decode(JPEG).unwrap();
    let photo = decode(&[&plain[..2], exif, &plain[2..]].concat()).unwrap();
    // Its left side is up now.
    let row = |colour: [u8; 4]| colour.repeat(16 * 8);
    let rgba = [row([255, 0, 0, 255]), row([0, 0, 255, 255])].concat();
    assert!(is_like(&photo, &Raster { width: 16, height: 16, rgba }), "{photo:?}");
}

#[test]
fn large_ones_are_kept_small() {
    let large = Raster { width: 1600, height: 16, rgba: halves().rgba.repeat(100) };
    let kept = decode(&png(&large)).unwrap();
    assert_eq!((kept.width, kept.height), (640, 6));
}

#[test]
fn a_broken_file_is_none_wherever_it_is_cut() {
    for (kind, file) in files() {
        for cut in 0..file.len() {
            let decoded = decode(&file[..cut]);
            // Some decoders make do with what there is.
            assert!(decoded.is_none_or(|it| (it.width, it.height) == (16, 16)), "{kind}: {cut}");
        }
        assert_eq!(decode(&file[..file.len() / 4]), None, "{kind}");
    }
    assert_eq!(decode(b""), None);
    assert_eq!(decode(b"\x1b[2Jno picture"), None);
}

#[test]
fn nothing_is_decoded_that_says_it_is_huge() {
    let huge = |kind: &str, mut file: Vec<u8>| {
        let of_jpeg = || file.windows(2).position(|it| it == [0xff, 0xc0]).unwrap() + 5;
        let (at, size) = match kind {
            // Width and height; the checksum is that of the header.
            "PNG" => (16, vec![0, 0, 255, 255, 0, 0, 255, 255]),
            "GIF" => (6, vec![255; 4]),
            "JPEG" => (of_jpeg(), vec![255; 4]),
            _ => (26, vec![0xff, 0x3f, 0xff, 0x3f]),
        };
        file[at..at + size.len()].copy_from_slice(&size);
        if kind == "PNG" {
            let sum = crc(&file[12..29]).to_be_bytes();
            file[29..33].copy_from_slice(&sum);
        }
        file
    };
    for (kind, file) in files() {
        let file = huge(kind, file);
        // It is a file of its kind otherwise.
        let size = match kind {
            "PNG" => png::Decoder::new(Cursor::new(&file)).read_info().unwrap().info().size(),
            "GIF" => {
                let decoder = gif::Decoder::new(&*file).unwrap();
                (decoder.width().into(), decoder.height().into())
            }
            "WebP" => image_webp::WebPDecoder::new(Cursor::new(&file)).unwrap().dimensions(),
            _ => (65_535, 65_535),
        };
        assert!(size.0 > 16_000 && size.1 > 16_000, "{kind}: {size:?}");
        assert_eq!(decode(&file), None, "{kind}");
    }
}

/// The checksum of a part of a PNG file.
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[test]
fn sixels_are_six_rows_of_one_colour_after_another() {
    let (red, blue, clear) = ([255, 0, 0, 255], [0, 0, 255, 255], [0; 4]);
    let pixels = |rows: &[&[[u8; 4]]]| Raster {
        width: rows[0].len(),
        height: rows.len(),
        rgba: rows.concat().concat(),
    };
    let small = pixels(&[&[red, blue, clear], &[blue, blue, clear]]);
    assert_eq!(
        sixel::sixels(&small),
        "\x1bP0;1;0q\"1;1;3;2#0;2;0;0;100#1;2;100;0;0#0AB$#1@-\x1b\\"
    );
    let tall = pixels(&[&[red; 5][..]; 7]);
    assert_eq!(sixel::sixels(&tall), "\x1bP0;1;0q\"1;1;5;7#0;2;100;0;0#0!5~-#0!5@-\x1b\\");
}

#[test]
fn a_picture_fits_into_the_room_that_there_is() {
    let area = |(width, height), cell: (usize, usize), (columns, rows)| {
        let picture = Picture::new(1, Raster::clear(width, height));
        let cell = CellSize::new(cell.0, cell.1);
        let canvas = Canvas::new(GraphicsProtocol::Sixel, cell, columns, rows);
        picture.area(&canvas).map(|PictureArea { columns, rows }| (columns, rows))
    };
    assert_eq!(area((640, 480), (10, 20), (68, 24)), Some((32, 12)));
    assert_eq!(area((640, 480), (10, 20), (20, 24)), Some((20, 8)));
    assert_eq!(area((640, 10), (10, 20), (68, 24)), Some((60, 1)));
    assert_eq!(area((10, 480), (10, 20), (68, 24)), Some((1, 12)));
    assert_eq!(area((16, 16), (10, 20), (68, 24)), Some((2, 1)));
    assert_eq!(area((640, 480), (10, 20), (68, 9)), None);
    assert_eq!(area((640, 480), (10, 20), (68, 11)), Some((8, 3)));
    // Sixels are not drawn where nobody knows how many rows they take.
    assert_eq!(area((640, 480), (0, 0), (68, 24)), None);
}

#[test]
fn kitty_keeps_a_picture_under_its_number() {
    let canvas = Canvas::new(GraphicsProtocol::Kitty, None, 68, 24);
    let picture = Picture::new(7, halves());
    let area = picture.area(&canvas).unwrap();
    let mut placed = PlacedPictures::default();
    let first = placed.draw(3, 11, (&picture, area), &canvas);
    assert!(first.starts_with("\n\x1b[1A\r\x1b7\x1b[11C\x1b_Ga=T,f=100,t=d,i=7,p=1,c=2,r=1,C=1,"));
    assert!(first.ends_with("\x1b\\\x1b8"), "{first:?}");
    assert_eq!(placed.clear_from(4, |_| true), "");
    assert_eq!(placed.clear_from(3, |_| true), "\x1b_Ga=d,d=i,i=7,q=2\x1b\\");
    let again = placed.draw(5, 11, (&picture, area), &canvas);
    assert!(again.contains("\x1b_Ga=p,i=7,p=1,"), "{again:?}");
    assert_eq!(placed.clear_from(5, |_| false), "\x1b_Ga=d,d=I,i=7,q=2\x1b\\");
    let anew = placed.draw(5, 11, (&picture, area), &canvas);
    assert!(anew.contains("a=T"), "{anew:?}");
    assert_eq!(placed.clear(), "\x1b_Ga=d,d=I,i=7,q=2\x1b\\");
    assert_eq!(placed.clear(), "");
}

#[test]
fn a_long_picture_comes_in_pieces_that_are_one_file() {
    let noise = (0..200 * 100 * 4_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8);
    let noise = noise.enumerate().map(|(n, byte)| if n % 4 == 3 { 255 } else { byte });
    let raster = Raster { width: 200, height: 100, rgba: noise.collect() };
    let png = escapes::as_png(&raster).unwrap();
    let sent = escapes::kitty(7, &png, PictureArea { columns: 20, rows: 5 });
    let pieces: Vec<&str> = sent.split_terminator("\x1b\\").collect();
    let mut whole = String::new();
    for (n, piece) in pieces.iter().enumerate() {
        let (keys, data) = piece.strip_prefix("\x1b_G").unwrap().split_once(';').unwrap();
        assert!(data.len() <= 4096);
        assert!(keys.ends_with(if n + 1 == pieces.len() { "m=0" } else { "m=1" }), "{keys}");
        whole.push_str(data);
    }
    assert!(pieces.len() > 10);
    let file = BASE64_STANDARD.decode(whole).unwrap();
    assert!(is_like(&decode(&file).unwrap(), &raster));
}

#[test]
fn answers_lead_to_a_canvas() {
    let mut answers = Answers::default();
    assert_eq!(answers.take(b"\x1b[6;20;10t"), None);
    let abilities = answers.take(b"\x1b[?62;4c").unwrap();
    assert_eq!(abilities.cell, CellSize::new(10, 20));
}
