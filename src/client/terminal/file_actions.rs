//! `/file` and `/get`: begins transfers, and says what became of them.

use std::path::PathBuf;

use super::columns::cut;
use super::known::size;
use super::talk::Talk;
use super::transfers::{TransferJob, Transferred};
use crate::client::failure::Failure;
use crate::client::files::FileToSend;
use crate::client::harmless::harmless;
use crate::client::lines;
use crate::client::send::random_key;
use crate::name::Target;

impl Talk {
    /// Has files sent to the current conversation, all of them or none.
    ///
    /// # Errors
    /// `Unfit` if there is no randomness.
    pub(super) fn send_files(&mut self, paths: &[PathBuf]) -> Result<(), Failure> {
        let Some(to) = self.current.as_deref().and_then(Target::new) else {
            self.complain("to whom? /to bob, then /file PATH");
            return Ok(());
        };
        let files = paths.iter().map(|path| FileToSend::at(path, None));
        match files.collect::<Result<Vec<FileToSend>, Failure>>() {
            Ok(files) => {
                for file in files {
                    self.remark(&format!("      sending {} …", file.name.as_str()));
                    let key = random_key()?;
                    self.transfer(TransferJob::Send { to: to.clone(), file, key });
                }
            }
            Err(why) => self.complain(&format!("not sent: {}", in_words(&why))),
        }
        Ok(())
    }

    pub(super) fn transfer(&mut self, job: TransferJob) {
        if matches!(job, TransferJob::Send { .. }) {
            self.unconfirmed += 1;
            self.keyboard.may_leave(false);
        }
        // Unbounded, and closed only at the end.
        let _ = self.transfers.try_send(job);
    }

    /// A file was sent, fetched, or neither.
    ///
    /// # Errors
    /// The secret was refused.
    pub(super) fn transferred(&mut self, done: Transferred) -> Result<(), Failure> {
        match done {
            Transferred::Sent(name, to, sent) => {
                self.confirmed_one();
                match sent {
                    // The message comes as an event, to where it belongs.
                    Ok(()) if self.current.as_deref() == Some(&*to.to_string()) => {}
                    Ok(()) => {
                        let name = cut(&name, size().columns / 2);
                        self.remark(&format!("      ✓ to {to}: {name}"));
                    }
                    Err(failure @ Failure::Secret(_)) => return Err(failure),
                    Err(why) => self.complain(&format!("{name} not sent: {}", in_words(&why))),
                }
            }
            Transferred::Got(Ok(path)) => {
                let path = path.display().to_string();
                self.remark(&format!("      saved as {}", harmless(&path)));
            }
            Transferred::Got(Err(failure @ Failure::Secret(_))) => return Err(failure),
            Transferred::Got(Err(why)) => self.complain(&in_words(&why)),
        }
        Ok(())
    }
}

/// A failure for somebody at a terminal, without the id that they have not typed.
fn in_words(failure: &Failure) -> String {
    let why = match failure {
        Failure::Refused(line) => lines::why(line).into_owned(),
        other => other.to_string().trim_start_matches("papo: ").to_owned(),
    };
    let bare = why.split_once(": ").filter(|(id, _)| id.parse::<u64>().is_ok());
    bare.map(|(_, bare)| bare.to_owned()).unwrap_or(why)
}
