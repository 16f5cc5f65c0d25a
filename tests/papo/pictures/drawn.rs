//! Pictures as bytes of a file and as what a terminal is sent.

use base64::prelude::{BASE64_STANDARD, Engine};

use super::played::TerminalKind;

/// Pixels of four bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pixels {
    pub width: usize,
    pub height: usize,
    pub rgba: Vec<u8>,
}

/// 16 by 16 pixels, the left half red and the right half blue.
pub fn halves() -> Pixels {
    let row = [[255, 0, 0, 255]; 8].into_iter().chain([[0, 0, 255, 255]; 8]);
    Pixels {
        width: 16,
        height: 16,
        rgba: std::iter::repeat_n(row.flatten(), 16).flatten().collect(),
    }
}

/// The PNG file of a picture.
pub fn png(pixels: &Pixels) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, pixels.width as u32, pixels.height as u32);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&pixels.rgba).unwrap();
    writer.finish().unwrap();
    file
}

fn of_png(file: &[u8]) -> Pixels {
    let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
    let mut rgba = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut rgba).unwrap();
    assert_eq!(info.color_type, png::ColorType::Rgba);
    Pixels { width: info.width as usize, height: info.height as usize, rgba }
}

/// The checksum of a part of a PNG file.
pub fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

/// A picture that a terminal was sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Drawn {
    way: &'static str,
    /// kitty's number.
    pub id: String,
    pixels: Pixels,
}

impl Drawn {
    /// Whether a terminal of this kind draws it.
    pub fn is_of(&self, kind: &TerminalKind) -> bool {
        self.way == kind.name || self.way == "sixel" && kind.name == "tmux"
    }

    /// Whether this is its upper left part, and the rest of it is clear.
    pub fn begins_with(&self, other: &Pixels) -> bool {
        let rows = self.pixels.rgba.chunks(self.pixels.width * 4).enumerate();
        rows.into_iter().all(|(y, row)| {
            let begin = (y * other.width * 4).min(other.rgba.len());
            let expected = &other.rgba[begin..other.rgba.len().min(begin + other.width * 4)];
            row.starts_with(expected) && row[expected.len()..].iter().all(|byte| *byte == 0)
        })
    }
}

/// All pictures in what a terminal was sent, as far as they are whole.
pub fn all(sent: &[u8]) -> Vec<Drawn> {
    let sent = String::from_utf8_lossy(sent);
    let mut all = Vec::new();
    let mut kitty: Option<(String, String)> = None;
    for part in sent.split('\x1b').skip(1) {
        if let Some(part) = part.strip_prefix("_G") {
            let (keys, data) = part.split_once(';').unwrap_or((part, ""));
            let value =
                |key: &str| keys.split(',').find_map(|it| it.strip_prefix(key)).unwrap_or("");
            match (value("a="), &mut kitty) {
                ("T", _) => kitty = Some((value("i=").to_owned(), data.to_owned())),
                ("", Some((_, whole))) => whole.push_str(data),
                // One that the terminal has already is the same again.
                ("p", _) => {
                    let id = value("i=");
                    let known =
                        all.iter().rev().find(|it: &&Drawn| it.id == id).expect("it is known");
                    all.push(Drawn { id: id.to_owned(), pixels: known.pixels.clone(), ..*known });
                }
                _ => continue,
            }
            if let ("0", Some((id, whole))) = (value("m="), &kitty) {
                let pixels = of_png(&BASE64_STANDARD.decode(whole).unwrap());
                all.push(Drawn { way: "kitty", id: id.clone(), pixels });
                kitty = None;
            }
        } else if let Some(part) = part.strip_prefix("]1337;File=")
            && let Some((part, _)) = part.split_once('\x07')
        {
            let (keys, data) = part.split_once(':').unwrap();
            assert!(keys.contains("inline=1;width=2;height=1;"), "{keys}");
            let pixels = of_png(&BASE64_STANDARD.decode(data).unwrap());
            all.push(Drawn { way: "iTerm2", id: String::new(), pixels });
        } else if let Some((_, data)) = part.strip_prefix('P').and_then(|it| it.split_once('q'))
            && data.ends_with('-')
        {
            all.push(Drawn { way: "sixel", id: String::new(), pixels: of_sixels(data) });
        }
    }
    all
}

/// Draws sixels, whose colours are defined in percent before they are used.
fn of_sixels(data: &str) -> Pixels {
    let number = |text: &mut &str| -> usize {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (digits, rest) = text.split_at(end);
        *text = rest.strip_prefix(';').unwrap_or(rest);
        digits.parse().unwrap()
    };
    let mut rest = data.strip_prefix('"').unwrap();
    let [_, _, width, height] = [(); 4].map(|()| number(&mut rest));
    let mut pixels = Pixels { width, height, rgba: vec![0; width * height * 4] };
    let (mut colours, mut colour) = (Vec::new(), 0);
    let (mut x, mut y, mut times) = (0, 0, 1);
    while let Some(c) = rest.chars().next() {
        rest = &rest[1..];
        match c {
            '#' => {
                colour = number(&mut rest);
                if data[..data.len() - rest.len()].ends_with(';') {
                    assert_eq!((number(&mut rest), colours.len()), (2, colour));
                    let rgb = [(); 3].map(|()| number(&mut rest));
                    colours.push(rgb.map(|percent| (percent * 255 / 100) as u8));
                }
            }
            '!' => times = number(&mut rest),
            '$' => x = 0,
            '-' => (x, y) = (0, y + 6),
            '?'..='~' => {
                let bits = c as u8 - b'?';
                for _ in 0..std::mem::replace(&mut times, 1) {
                    for row in (0..6).filter(|row| bits & 1 << row != 0) {
                        let at = ((y + row) * width + x) * 4;
                        let [red, green, blue] = colours[colour];
                        pixels.rgba[at..at + 4].copy_from_slice(&[red, green, blue, 255]);
                    }
                    x += 1;
                }
            }
            _ => panic!("{c:?} in {data:?}"),
        }
    }
    pixels
}
