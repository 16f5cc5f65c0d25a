//! A message that is deleted while it waits to be sent: nobody is sent its text any more.

use papo::chat::Act;
use papo::entry::{Clock, EntryId, Millis};
use papo::hub::{Hub, Work};
use papo::name::Target;
use papo::store::sqlite::Database;
use papo::wire::request::GroupChange;

use crate::person::{Person, handle, register};

#[test]
fn nobody_is_sent_a_text_that_was_deleted_while_it_waited() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("papo.db")).unwrap();
    let writer = Box::new(database.writer().unwrap());
    let (hub, thread) = Hub::start(writer, Clock::Still(Millis(0)), Default::default()).unwrap();
    let people: Vec<Person> = (1..)
        .zip(["ana", "bia", "caio"])
        .map(|(n, name)| register(&hub, n, name).unwrap())
        .collect();
    let [ana, bia, caio] = &people[..] else { unreachable!("three") };
    let group = |change| Act::Group { name: handle("team"), change };
    let say = |body: &str| {
        let to = Target::Group(handle("team"));
        Act::Send { to, body: body.into(), once: None }
    };
    let about = EntryId(2);
    ana.acts(&hub, vec![group(GroupChange::New(vec![handle("bia"), handle("caio")]))]);
    ana.acts(&hub, vec![say("secret"), say("hello"), Act::Edit { about, body: "secret 2".into() }]);
    ana.acts(&hub, vec![group(GroupChange::Remove(handle("caio"))), Act::Delete { about }]);
    // All of it in one batch.
    let again = EntryId(7);
    let edit = Act::Edit { about: again, body: "secret 4".into() };
    ana.acts(&hub, vec![say("secret 3"), edit, Act::Delete { about: again }]);
    // Nobody has taken anything out before.
    let time = "1970-01-01T00:00:00.000Z";
    let start = format!(
        "GROUP 1 {time} ana #team - new bia caio\n\
         GONE 2 {time} ana #team del=6 -\n\
         MSG 3 {time} ana #team - hello\n\
         GROUP 5 {time} ana #team - remove caio\n"
    );
    let heard = [bia, caio].map(|person| person.heard(&hub).replace("OK REG", ""));
    let heard = heard.map(|heard| {
        heard.split_inclusive('\n').filter(|l| l.contains("#team")).collect::<String>()
    });
    let rest = format!(
        "DEL 6 {time} ana #team re=2 -\n\
         GONE 7 {time} ana #team del=9 -\n\
         DEL 9 {time} ana #team re=7 -\n"
    );
    assert_eq!(heard, [format!("{start}{rest}"), start]);
    // The sessions are told, for what they have taken out and not written yet.
    let deleted = [(about, EntryId(6)), (again, EntryId(9))];
    assert_eq!(bia.outbox.take_deleted(), deleted);
    assert_eq!(caio.outbox.take_deleted(), deleted[..1]);
    assert_eq!(bia.outbox.take_deleted(), []);
    hub.ask(Work::End);
    thread.join().unwrap();
}
