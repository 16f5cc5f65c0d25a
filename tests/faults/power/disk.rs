//! A disk under a recorded papod, and what it may hold when the power is cut.
//!
//! What was synced is there. Of what was not, any of it may be: each write whole, in part by
//! sectors of 512 bytes, or not at all, and later ones without earlier ones. The names of a folder
//! change in their order, as journaling file systems have it, but no further than they got.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use super::trace::SystemCall;
use crate::process::Dice;

const SECTOR: usize = 512;

/// A change that is not synced.
struct Pending {
    /// The call that makes it, and whether it is through.
    call: usize,
    is_done: bool,
    what: Change,
}

enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
    Create { name: String, file: usize },
    Remove { name: String },
    Rename { from: String, to: String },
}

/// Changes, of which the first ones are synced.
#[derive(Default)]
struct Queue {
    pending: Vec<Pending>,
    /// How many have been synced.
    synced: usize,
    /// How many a sync that is under way will have synced.
    covered: HashMap<usize, usize>,
}

impl Queue {
    fn sync_begins(&mut self, call: usize) {
        let done = self.pending.iter().take_while(|pending| pending.is_done).count();
        self.covered.insert(call, self.synced + done);
    }

    fn sync_ends(&mut self, call: usize) -> Vec<Change> {
        let covered = self.covered.remove(&call).map_or(0, |n| n.saturating_sub(self.synced));
        self.synced += covered;
        self.pending.drain(..covered).map(|pending| pending.what).collect()
    }
}

/// Which names lead to which files.
type Names = BTreeMap<String, usize>;

/// See the module's text.
#[derive(Default)]
pub struct Disk {
    /// The folder whose files it holds.
    folder: String,
    /// As every process sees them, and as they are synced.
    now: Names,
    synced: Names,
    names: Queue,
    /// The content that is synced, and what is to become of it.
    files: Vec<(Vec<u8>, Queue)>,
}

impl Disk {
    pub fn new(folder: &Path) -> Disk {
        Disk { folder: folder.display().to_string(), ..Disk::default() }
    }

    /// The name of a path in the folder, of the files that matter after a power cut: what is in
    /// memory that is shared is lost.
    fn name(&self, path: &str) -> Option<String> {
        let name = path.strip_prefix(&self.folder)?.strip_prefix('/')?;
        (!name.ends_with("-shm")).then(|| name.to_owned())
    }

    /// The file that a call works on, if it is one of these.
    fn file(&mut self, call: &SystemCall) -> Option<&mut (Vec<u8>, Queue)> {
        // One that has lost its name is of no further use.
        let file = *self.now.get(&self.name(&call.on)?)?;
        self.files.get_mut(file)
    }

    /// A call begins: what it writes may be on the disk from now on.
    pub fn begins(&mut self, number: usize, call: &SystemCall) {
        let last = |n: usize| -> usize {
            let word = call.rest.rsplit(", ").nth(n).expect("it has that many arguments");
            word.parse().expect("a number")
        };
        match &*call.name {
            "pwrite64" => {
                if let Some((_, queue)) = self.file(call) {
                    let (at, bytes) = (last(0), call.texts[0].clone());
                    let what = Change::Write { at, bytes };
                    queue.pending.push(Pending { call: number, is_done: false, what });
                }
            }
            "ftruncate" => {
                if let Some((_, queue)) = self.file(call) {
                    let what = Change::Length(last(0));
                    queue.pending.push(Pending { call: number, is_done: false, what });
                }
            }
            "fsync" | "fdatasync" if call.on == self.folder => self.names.sync_begins(number),
            "fsync" | "fdatasync" => {
                if let Some((_, queue)) = self.file(call) {
                    queue.sync_begins(number);
                }
            }
            "openat" | "sendto" | "unlink" | "unlinkat" | "rename" | "renameat" | "renameat2" => {}
            name => assert!(self.name(&call.on).is_none(), "{name} is not understood"),
        }
    }

    /// A call is through: what a sync has covered is on the disk.
    pub fn ends(&mut self, number: usize, call: &SystemCall) {
        let path = |n: usize| String::from_utf8(call.texts[n].clone()).expect("a path");
        match &*call.name {
            "pwrite64" | "ftruncate" => {
                if let Some((_, queue)) = self.file(call) {
                    let length = call.texts.first().map_or(0, Vec::len);
                    assert_eq!(call.result, Some(length as i64), "a write that is not whole");
                    let mine = queue.pending.iter_mut().rfind(|pending| pending.call == number);
                    mine.expect("it had begun").is_done = true;
                }
            }
            "fsync" | "fdatasync" if call.on == self.folder => {
                for what in self.names.sync_ends(number) {
                    rename(&mut self.synced, &what);
                }
            }
            "fsync" | "fdatasync" => {
                if let Some((content, queue)) = self.file(call) {
                    queue.sync_ends(number).iter().for_each(|what| whole(content, what));
                }
            }
            _ if call.result.is_none_or(|result| result < 0) => {}
            "openat" if call.rest.contains("O_CREAT") => {
                let Some(name) = self.name(&path(0)) else { return };
                if !self.now.contains_key(&name) {
                    let file = self.files.len();
                    self.files.push(Default::default());
                    self.renamed(number, Change::Create { name, file });
                }
            }
            "unlink" | "unlinkat" => {
                if let Some(name) = self.name(&path(0)) {
                    self.renamed(number, Change::Remove { name });
                }
            }
            "rename" | "renameat" | "renameat2" => {
                if let (Some(from), Some(to)) = (self.name(&path(0)), self.name(&path(1))) {
                    self.renamed(number, Change::Rename { from, to });
                }
            }
            _ => {}
        }
    }

    fn renamed(&mut self, call: usize, what: Change) {
        rename(&mut self.now, &what);
        self.names.pending.push(Pending { call, is_done: true, what });
    }

    /// Writes into a folder what the disk may hold now, if of a hundred changes that are not synced
    /// it has so many.
    pub fn cut(&self, into: &Path, dice: &mut Dice, percent: u64) {
        let mut names = self.synced.clone();
        for pending in &self.names.pending {
            if dice.below(100) >= percent {
                break;
            }
            rename(&mut names, &pending.what);
        }
        for (name, file) in names {
            let (content, queue) = &self.files[file];
            let mut content = content.clone();
            for pending in &queue.pending {
                torn(&mut content, &pending.what, dice, percent);
            }
            fs::write(into.join(name), content).expect("there is room");
        }
    }
}

fn rename(names: &mut Names, what: &Change) {
    match what {
        Change::Create { name, file } => {
            names.insert(name.clone(), *file);
        }
        Change::Remove { name } => {
            names.remove(name);
        }
        Change::Rename { from, to } => {
            if let Some(file) = names.remove(from) {
                names.insert(to.clone(), file);
            }
        }
        Change::Write { .. } | Change::Length(_) => {}
    }
}

fn whole(content: &mut Vec<u8>, what: &Change) {
    match what {
        Change::Write { at, bytes } => write(content, *at, bytes),
        Change::Length(length) => content.resize(*length, 0),
        _ => {}
    }
}

fn write(content: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[at..end].copy_from_slice(bytes);
}

/// Carries out what chance leaves of a change: all of it, some sectors of it, or none.
fn torn(content: &mut Vec<u8>, what: &Change, dice: &mut Dice, percent: u64) {
    let tears = dice.below(2) == 0;
    match what {
        Change::Write { at, bytes } if tears => {
            let mut from = 0;
            while from < bytes.len() {
                let sector_ends = (at + from) / SECTOR * SECTOR + SECTOR - at;
                let to = sector_ends.min(bytes.len());
                if dice.below(100) < percent {
                    write(content, at + from, &bytes[from..to]);
                }
                from = to;
            }
        }
        what if dice.below(100) < percent => whole(content, what),
        _ => {}
    }
}
