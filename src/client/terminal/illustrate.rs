//! Shows the pictures of the open conversation.
//!
//! Nothing is fetched but what stands on the screen, is small, and has the name of a picture.

use std::sync::Arc;

use super::item::ScreenItem;
use super::picture::Picture;
use super::picture::abilities::Abilities;
use super::picture::fetch::may_be_shown;
use super::said::Said;
use super::screen::{Room, Screen};
use super::talk::Talk;

impl Talk {
    /// The terminal has said what it can do.
    pub(super) fn may_draw(&mut self, abilities: Abilities) {
        let room = self.keyboard.room();
        self.keyboard.print(self.screen.may_draw(abilities, room));
    }

    /// Shows the pictures that are here, and fetches those that are not.
    pub(super) fn show_pictures(&mut self) {
        if !self.screen.has_canvas() {
            return;
        }
        for id in self.screen.files_shown() {
            self.gallery.ask(id);
        }
        let room = self.keyboard.room();
        let gallery = &self.gallery;
        self.keyboard.print(self.screen.illustrate(|id| gallery.picture(id).cloned(), room));
        for id in self.gallery.too_many(&self.screen.files_shown()) {
            self.gallery.forget(id);
            self.screen.take_picture(id);
        }
    }
}

impl Screen {
    /// Whether there is room for pictures, and a way to draw them.
    pub(super) fn has_canvas(&self) -> bool {
        self.style.canvas.is_some_and(|canvas| canvas.is_usable())
    }

    /// The messages on the screen whose files may be pictures, the newest first.
    pub(super) fn files_shown(&self) -> Vec<u64> {
        let end = self.begin.item + self.printed.len();
        let shown = (self.begin.item..end.min(self.items.len())).rev();
        let shown = shown.filter(|n| self.is_on_screen(*n));
        shown.filter_map(|n| is_file(&self.items[n]).and_then(|said| said.id)).collect()
    }

    /// Adds pictures to the messages that have none yet.
    pub(super) fn illustrate(
        &mut self,
        picture: impl Fn(u64) -> Option<Arc<Picture>>,
        room: Room,
    ) -> String {
        let is_new = |item: &ScreenItem| {
            let said = is_file(item).filter(|said| said.picture.is_none())?;
            picture(said.id?)
        };
        if !self.items.iter().any(|item| is_new(item).is_some()) {
            return String::new();
        }
        self.touch(room, |item| match (is_new(item), item) {
            (Some(new), ScreenItem::Said(said)) => {
                said.picture = Some(new);
                true
            }
            _ => false,
        })
    }

    /// Takes a picture away that is not on the screen.
    fn take_picture(&mut self, id: u64) {
        for item in self.items.iter_mut().filter(|item| item.id() == Some(id)) {
            if let ScreenItem::Said(said) = item {
                said.picture = None;
            }
        }
    }
}

/// A message whose file may be a picture.
fn is_file(item: &ScreenItem) -> Option<&Said> {
    match item {
        ScreenItem::Said(said) => Some(&**said)
            .filter(|said| said.file.is_some_and(|bytes| may_be_shown(&said.body, bytes))),
        _ => None,
    }
}
