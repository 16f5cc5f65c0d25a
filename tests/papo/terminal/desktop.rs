//! A desktop whose notices are looked at: a `notify-send` that writes them into a FIFO.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use super::place::Place;
use super::window::Window;
use crate::process::PATIENCE;

pub struct Desktop {
    program: PathBuf,
    shown: Receiver<String>,
}

impl Desktop {
    /// Starts `papo --notify` on it, in the window of `handle`. Each notice has the number 17.
    pub fn start(place: &Place, handle: &str, window: &Window) -> Desktop {
        let home = place.home_of(handle);
        let program = home.join("notify-send");
        fs::write(&program, "#!/bin/sh\nprintf '%s\\n' \"$*\" >~/notices\necho 17\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        window.line("mkfifo notices; echo ma\"\"de");
        window.says("\nmade");
        let (notice, shown) = mpsc::channel();
        let path = home.join("notices");
        thread::spawn(move || while notice.send(fs::read_to_string(&path).unwrap()).is_ok() {});
        window.start("PATH=~:$PATH papo --notify");
        Desktop { program, shown }
    }

    /// The arguments of the next notice.
    pub fn told(&self) -> String {
        self.shown.recv_timeout(PATIENCE).expect("there is a notice")
    }

    /// From now on it fails.
    pub fn fails(&self) {
        fs::write(&self.program, "#!/bin/sh\nexit 3\n").unwrap();
    }
}
