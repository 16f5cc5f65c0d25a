//! Pictures in a conversation: files that the terminal can draw, if it says so.
//!
//! `abilities` asks it, `fetch` gets small files from the server, `decode` makes pixels of them,
//! `orientation` turns photos, and `raster` makes the pixels fewer; `escapes` and `sixel` write what
//! the terminal is sent, and `placed` knows what it shows. On the screen a picture is a line of
//! several rows.

pub mod abilities;
mod decode;
mod escapes;
pub mod fetch;
mod orientation;
#[cfg(test)]
mod picture_tests;
mod placed;
mod raster;
mod sixel;

use std::sync::{Arc, Mutex, PoisonError};

use abilities::GraphicsProtocol;
pub use placed::PlacedPictures;
pub use raster::Raster;
use raster::fitting;

/// Most rows of a picture.
const ROWS: usize = 12;

/// Most columns.
const COLUMNS: usize = 60;

/// Rows of the screen that a picture leaves to what is said.
const LEFT: usize = 8;

/// In place of the size of a cell that is not known; most are twice as high as wide.
const USUAL: CellSize = CellSize { width: 10, height: 20 };

/// The size of a cell, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellSize {
    width: usize,
    height: usize,
}

impl CellSize {
    /// `None` if that is no size of a cell.
    pub fn new(width: usize, height: usize) -> Option<CellSize> {
        let is_fit = |size| (2..=200).contains(&size);
        (is_fit(width) && is_fit(height)).then_some(CellSize { width, height })
    }
}

/// The cells that a picture takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureArea {
    pub columns: usize,
    pub rows: usize,
}

/// What pictures are drawn on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Canvas {
    pub protocol: GraphicsProtocol,
    /// As far as it is known.
    pub cell: Option<CellSize>,
    /// Most columns and rows of a picture.
    pub most: PictureArea,
}

impl Canvas {
    /// One on a screen of this size, of which a message has so many columns.
    pub fn new(
        protocol: GraphicsProtocol,
        cell: Option<CellSize>,
        columns: usize,
        rows: usize,
    ) -> Canvas {
        let most = PictureArea {
            columns: columns.min(COLUMNS),
            rows: rows.saturating_sub(LEFT).min(ROWS),
        };
        Canvas { protocol, cell, most }
    }

    /// Whether there is room for any picture.
    pub fn is_usable(&self) -> bool {
        // Sixels are pixels, and nobody knows then how many rows they take.
        let is_measured = self.cell.is_some() || self.protocol != GraphicsProtocol::Sixel;
        is_measured && self.most.rows > 1 && self.most.columns > 1
    }
}

/// A picture, and how it was drawn last.
#[derive(Debug)]
pub struct Picture {
    /// The number under which the terminal keeps it.
    pub id: u32,
    raster: Raster,
    drawn: Mutex<Option<(Canvas, Arc<str>)>>,
}

impl PartialEq for Picture {
    fn eq(&self, other: &Picture) -> bool {
        self.id == other.id
    }
}

impl Eq for Picture {}

impl Picture {
    pub fn new(id: u32, raster: Raster) -> Picture {
        Picture { id, raster, drawn: Mutex::default() }
    }

    /// Bytes that it takes in memory.
    pub fn bytes(&self) -> usize {
        self.raster.rgba.len()
    }

    /// The cells that it takes; `None` if there is no room.
    pub fn area(&self, canvas: &Canvas) -> Option<PictureArea> {
        canvas.is_usable().then(|| {
            let cell = canvas.cell.unwrap_or(USUAL);
            let (width, height) = self.size(canvas);
            PictureArea { columns: width.div_ceil(cell.width), rows: height.div_ceil(cell.height) }
        })
    }

    /// Its size in pixels of the screen.
    fn size(&self, canvas: &Canvas) -> (usize, usize) {
        let cell = canvas.cell.unwrap_or(USUAL);
        let most = (canvas.most.columns * cell.width, canvas.most.rows * cell.height);
        fitting((self.raster.width, self.raster.height), most)
    }

    /// What draws it at the cursor. With kitty it may be known to the terminal already.
    pub fn draw(&self, canvas: &Canvas, is_known: bool) -> Option<Arc<str>> {
        let area = self.area(canvas)?;
        if is_known && canvas.protocol == GraphicsProtocol::Kitty {
            return Some(escapes::kitty_again(self.id, area).into());
        }
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, text)) = drawn.as_ref().filter(|(on, _)| on == canvas) {
            return Some(text.clone());
        }
        let text: Arc<str> = self.drawn_on(canvas, area)?.into();
        *drawn = Some((*canvas, text.clone()));
        Some(text)
    }

    fn drawn_on(&self, canvas: &Canvas, area: PictureArea) -> Option<String> {
        let (width, height) = self.size(canvas);
        let small = self.raster.within(width, height);
        if canvas.protocol == GraphicsProtocol::Sixel {
            return Some(sixel::sixels(&small));
        }
        // These stretch it over all of its cells.
        let cell = canvas.cell.unwrap_or(USUAL);
        let whole = small.padded(area.columns * cell.width, area.rows * cell.height);
        let png = escapes::as_png(&whole)?;
        Some(match canvas.protocol {
            GraphicsProtocol::Kitty => escapes::kitty(self.id, &png, area),
            _ => escapes::iterm(&png, area),
        })
    }
}
