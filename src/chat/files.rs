//! Files: messages whose text is a file's name. The content was put, and is in its place, before
//! the rules see it.

use std::sync::Arc;

use super::messages::{NewFile, NewMessage};
use super::once::OnceKey;
use super::stop::{Stop, both};
use super::{Chat, Effect, Plan, Who};
use crate::entry::EntryTags;
use crate::name::Target;
use crate::store::placed::PlacedFile;
use crate::wire::refusal::Refusal;
use crate::wire::reply::Reply;

impl Chat {
    /// Plans to send a file. Said again under the same key, it is known by target and name, and by
    /// its content if that was put again.
    pub(super) fn plan_file(
        &self,
        who: Who,
        to: &Target,
        name: &str,
        once: Option<&str>,
        put: Option<&Arc<PlacedFile>>,
    ) -> Result<Plan, Stop> {
        let me = who.account;
        let once = once.map(|key| OnceKey::new(key, &format!("FILE {to}"), name));
        if let Some(OnceKey { key, digest }) = &once
            && let Some(first) = self.directory.once(me, key)?
        {
            let same = first.file.filter(|file| put.is_none_or(|put| put.file() == *file));
            return match same {
                Some(file) if first.digest == *digest => Ok(Plan::FileReply {
                    reply: Reply::FileSent { id: first.id, time: first.time, file },
                    put: put.cloned(),
                }),
                _ => {
                    let (key, message) = (key.clone(), first.id);
                    Err(Refusal::KeyReused { key, message }.into())
                }
            };
        }
        let destination = self.conversation_for(me, to);
        let (from, destination) = both(self.directory.account(me), destination)?;
        // Refused last, so that a client finds out whether it may send before it puts anything.
        let Some(put) = put else { return Err(Refusal::NothingPut.into()) };
        let file = put.file();
        let tags = EntryTags { file: Some(file.bytes), ..EntryTags::default() };
        Ok(Plan::Send(NewMessage {
            from: from.handle.clone(),
            to: to.clone(),
            destination,
            once,
            verb: "FILE",
            tags: Some(Box::new(tags)),
            text: None,
            file: Some(NewFile { file, put: Some(put.clone()) }),
        }))
    }

    /// Once the batch is on disk, the session that put a file has to forget it: before it is
    /// answered, since its next `PUT` begins another one.
    pub(super) fn placed(&mut self, who: Who, put: Option<Arc<PlacedFile>>) {
        if let Some(put) = put {
            self.tell(who, Effect::Placed(put));
        }
    }
}
