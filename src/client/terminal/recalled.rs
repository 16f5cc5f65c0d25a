//! The lines that the arrow keys recall.

use std::path::Path;
use std::sync::{Arc, Mutex};

use rustyline::history::{History, SearchDirection, SearchResult};

use super::known::{Known, lock};

/// A history of one line at a time: the editor keeps its own position in the history, which would
/// be wrong once a line is taken out of it.
pub struct Recalled(pub Arc<Mutex<Known>>);

impl History for Recalled {
    fn get(&self, _: usize, _: SearchDirection) -> rustyline::Result<Option<SearchResult<'_>>> {
        let recalled = lock(&self.0).recalled.take();
        Ok(recalled.map(|line| SearchResult { pos: line.len(), entry: line.into(), idx: 2 }))
    }

    fn len(&self) -> usize {
        3
    }

    fn is_empty(&self) -> bool {
        false
    }

    fn add(&mut self, _: &str) -> rustyline::Result<bool> {
        Ok(false)
    }

    fn add_owned(&mut self, _: String) -> rustyline::Result<bool> {
        Ok(false)
    }

    fn set_max_len(&mut self, _: usize) -> rustyline::Result<()> {
        Ok(())
    }

    fn ignore_dups(&mut self, _: bool) -> rustyline::Result<()> {
        Ok(())
    }

    fn ignore_space(&mut self, _: bool) {}

    fn save(&mut self, _: &Path) -> rustyline::Result<()> {
        Ok(())
    }

    fn append(&mut self, _: &Path) -> rustyline::Result<()> {
        Ok(())
    }

    fn load(&mut self, _: &Path) -> rustyline::Result<()> {
        Ok(())
    }

    fn clear(&mut self) -> rustyline::Result<()> {
        Ok(())
    }

    fn search(
        &self,
        _: &str,
        _: usize,
        _: SearchDirection,
    ) -> rustyline::Result<Option<SearchResult<'_>>> {
        Ok(None)
    }

    fn starts_with(
        &self,
        _: &str,
        _: usize,
        _: SearchDirection,
    ) -> rustyline::Result<Option<SearchResult<'_>>> {
        Ok(None)
    }
}
