//! A papod that can be killed and started again at the same port, and windows to talk at.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::window::Window;
use crate::process::{Client, Home, PASSWORD, Papod, papod};

/// A folder with a database, a papod on it, and the homes of those who sit at terminals.
pub struct Place {
    papod: Option<Papod>,
    /// Where it listens whenever it runs.
    pub address: SocketAddr,
    pub home: Home,
}

impl Place {
    /// Starts a papod, and makes these accounts.
    pub fn with(handles: &[&str]) -> Place {
        let home = Home::new();
        let papod = home.start();
        for handle in handles {
            papod.register(handle);
        }
        Place { address: papod.address, papod: Some(papod), home }
    }

    pub fn papod(&self) -> &Papod {
        self.papod.as_ref().expect("it runs")
    }

    /// `kill -9`; nobody listens then.
    pub fn kill(&mut self) {
        self.papod.take().expect("it runs").kill();
    }

    /// It is told to end; nobody listens then.
    pub fn stop(&mut self) {
        self.papod.take().expect("it runs").stop();
    }

    /// What it leaves behind: the folder with its database.
    pub fn into_home(mut self) -> Home {
        self.papod.take().expect("it runs").stop();
        self.home
    }

    /// Starts it again, where it was.
    pub fn restart(&mut self) {
        let mut command = papod();
        command.args(["--listen", &self.address.to_string(), "--password-cost", "8:1", "--db"]);
        self.papod = Some(Papod::spawn({
            command.arg(self.home.db());
            command
        }));
    }

    /// The home of somebody who sits at a terminal.
    pub fn home_of(&self, handle: &str) -> PathBuf {
        self.home.path().join(handle)
    }

    /// A terminal with a shell whose environment knows this account and its password.
    pub fn shell(&self, handle: &str) -> Window {
        self.shell_with(handle, &[("NO_COLOR", "1")])
    }

    /// The same with these variables instead of `NO_COLOR`.
    pub fn shell_with(&self, handle: &str, more: &[(&str, &str)]) -> Window {
        let address = self.address.to_string();
        let known = [("PAPO_SERVER", &*address), ("PAPO_AS", handle), ("PAPO_SECRET", PASSWORD)];
        Window::open(&self.home_of(handle), self.address.port(), &[&known, more].concat())
    }

    /// A terminal at which somebody talks to somebody; nothing has been said yet.
    pub fn talking(&self, handle: &str, with: &str) -> Window {
        let window = self.shell(handle);
        window.start("papo");
        window.says("/help has the rest");
        window.line(&format!("/to {with}"));
        window.shows(&format!("|{}\n|{with:>9}>", rule(with)));
        window
    }

    /// A connection of an account, up to its `LIVE`.
    pub fn client(&self, handle: &str) -> Client {
        self.papod().login(handle).0
    }
}

/// The first line of a conversation's screen.
pub fn rule(title: &str) -> String {
    format!("── {title} {}", "─".repeat(79 - 4 - title.chars().count()))
}
