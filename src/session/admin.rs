//! What an operator asks for, over the socket that only operators may open.

use smol::channel;

use super::Session;
use super::answer::{Answer, Stop};
use crate::chat::Order;
use crate::hub::Work;
use crate::name::DisplayName;
use crate::wire::refusal::Refusal;
use crate::wire::reply::{self, Reply};
use crate::wire::request::Admin;

impl Session {
    /// `ADMIN`
    pub(super) async fn administer(&mut self, asked: Admin) -> Answer {
        match asked {
            Admin::Sessions => {
                let rows = self.services.roster.list();
                self.say(|out| {
                    for row in &rows {
                        let handle = row.handle.as_ref();
                        reply::session(out, row.id, handle, row.peer, row.since);
                    }
                });
                Ok(Some(Reply::Counted { verb: "ADMIN SESSIONS", count: rows.len() }))
            }
            Admin::Kick(handle) => {
                log::info!("session {}: kick {handle}", self.id.0);
                let count = self.order(Order::Kick(handle)).await?;
                Ok(Some(Reply::Counted { verb: "ADMIN KICK", count }))
            }
            Admin::NewUser { handle, password, name } => {
                let name = name.unwrap_or_else(|| DisplayName::from(&handle));
                let secret = self.hash(password).await?;
                self.order(Order::NewUser { handle: handle.clone(), name, secret }).await?;
                log::info!("session {}: made {handle}", self.id.0);
                Ok(Some(Reply::Managed { words: "USER NEW", handle }))
            }
            Admin::SetPassword { handle, password } => {
                let secret = self.hash(password).await?;
                self.order(Order::SetSecret { handle: handle.clone(), secret }).await?;
                log::info!("session {}: another password for {handle}", self.id.0);
                Ok(Some(Reply::Managed { words: "USER PASSWD", handle }))
            }
            Admin::DropUser(handle) => {
                self.order(Order::DropUser(handle.clone())).await?;
                log::info!("session {}: ended {handle}", self.id.0);
                Ok(Some(Reply::Managed { words: "USER DEL", handle }))
            }
            Admin::Stats | Admin::Backup(_) | Admin::Check => Err(Refusal::Bug.into()),
        }
    }

    async fn order(&self, order: Order) -> Result<usize, Stop> {
        let (answer, answered) = channel::bounded(1);
        self.services.hub.ask(Work::Order { order, answer });
        Ok(answered.recv().await.map_err(|_| Refusal::Bug)??)
    }
}
