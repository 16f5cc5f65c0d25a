//! The devices of an account.

use super::Session;
use super::answer::Answer;
use crate::wire::reply::{List, Reply};
use crate::wire::rows::DeviceLine;

impl Session {
    /// `DEVICES`
    pub(super) async fn devices(&mut self) -> Answer {
        let me = self.me()?.account;
        let devices = self.ask(move |reader| reader.devices(me)).await?;
        self.say(|out| {
            for device in &devices {
                let (device, place, seen) = (device.name.clone(), device.place, device.seen);
                DeviceLine { device, place, seen }.write(out);
            }
        });
        Ok(Some(Reply::Counted { list: List::Devices, count: devices.len() }))
    }
}
