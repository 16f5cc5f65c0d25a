//! Pictures among the lines of a screen: what draws one in its place, and what takes it away.
//!
//! With sixels and with iTerm2 a picture is in the cells, and goes with them. kitty lays it over
//! them, and keeps it under its number until it is told to forget it.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::abilities::GraphicsProtocol;
use super::{Canvas, Picture, PictureArea, escapes};

/// What kitty shows and keeps, as far as it was told here.
#[derive(Debug, Default)]
pub struct PlacedPictures {
    /// The first row of each picture, counted since the screen was cleared, and its number.
    shown: Vec<(usize, u32)>,
    kept: BTreeSet<u32>,
}

impl PlacedPictures {
    /// The text that draws a picture from the row `top` on, where the cursor is at the left edge. It
    /// ends in the last row of its area.
    pub fn draw(
        &mut self,
        top: usize,
        indent: usize,
        (picture, area): (&Picture, PictureArea),
        canvas: &Canvas,
    ) -> String {
        let id = picture.id;
        let drawn = picture.draw(canvas, self.kept.contains(&id));
        if canvas.protocol == GraphicsProtocol::Kitty {
            self.shown.push((top, id));
            self.kept.insert(id);
        }
        let rows = area.rows;
        // First the rows, so that nothing scrolls while it is drawn. Where the cursor is after that
        // differs from terminal to terminal.
        let mut out = "\n".repeat(rows);
        let _ = write!(out, "\x1b[{rows}A\r\x1b7\x1b[{indent}C");
        out.push_str(drawn.as_deref().unwrap_or_default());
        out.push_str("\x1b8");
        if rows > 1 {
            let _ = write!(out, "\x1b[{}B", rows - 1);
        }
        out
    }

    /// The screen was cleared: what takes all pictures away.
    pub fn clear(&mut self) -> String {
        self.shown.clear();
        std::mem::take(&mut self.kept).iter().map(|id| escapes::kitty_gone(*id, true)).collect()
    }

    /// The screen was cleared from this row on: what takes the pictures there away, and has those
    /// forgotten that are not wanted any more.
    pub fn clear_from(&mut self, row: usize, is_wanted: impl Fn(u32) -> bool) -> String {
        let mut out = String::new();
        for (_, id) in self.shown.extract_if(.., |(top, _)| *top >= row) {
            let forgets = !is_wanted(id);
            out.push_str(&escapes::kitty_gone(id, forgets));
            if forgets {
                self.kept.remove(&id);
            }
        }
        out
    }
}
