//! Invitations let in whom they should, and as often as they should: random lives of a group, checked
//! against a model.

use crate::bench::{ANA, BIA, Bench, CAIO, every_store, handle};
use papo::chat::Act;
use papo::limits;
use papo::store::{Fact, Need};
use papo::wire::request::{GroupChange, Secret};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

#[derive(Clone, Debug)]
enum Turn {
    Invite(u32, u64),
    Void,
    /// Somebody joins with the n-th token made so far.
    Join(usize, usize),
    Leave(usize),
    Remove(usize),
    Add(usize),
    Wait(i64),
    Commit,
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        4 => (1..4u32, 1..100u64).prop_map(|(uses, seconds)| Turn::Invite(uses, seconds)),
        1 => Just(Turn::Void),
        8 => (1..3usize, 0..8usize).prop_map(|(who, token)| Turn::Join(who, token)),
        6 => (1..3usize).prop_map(Turn::Leave),
        1 => (1..3usize).prop_map(Turn::Remove),
        1 => (1..3usize).prop_map(Turn::Add),
        2 => (1..60i64).prop_map(Turn::Wait),
        3 => Just(Turn::Commit),
    ]
}

fn group(store: &mut Bench, me: usize, change: GroupChange) {
    let me = [ANA, BIA, CAIO][me];
    store.act(me, Act::Group { name: handle("team"), change });
}

fn invite(store: &mut Bench, token: &str, uses: u32, seconds: u64) {
    let hash = Sha256::digest(token).into();
    let (name, token) = (handle("team"), token.into());
    store.act(ANA, Act::Invite { name, token, hash, uses, seconds });
}

fn token(n: usize) -> String {
    format!("token-{n}")
}

/// Who is in the group.
fn present(store: &mut Bench) -> [bool; 3] {
    [ANA, BIA, CAIO].map(|me| {
        let known = store.reader.membership(me, &handle("team")).unwrap();
        known.is_some_and(|(_, is_in)| is_in)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn invitations_let_in_as_often_as_they_say(turns in prop::collection::vec(turn(), 1..120)) {
        every_store(|store| {
            let names = ["ana", "bia", "caio"].map(handle);
            group(store, 0, GroupChange::New(Vec::new()));
            // Of each token: how many it still lets in, and until when.
            let mut tokens: Vec<(u32, i64)> = Vec::new();
            let mut present = [true, false, false];
            let mut removed = [false; 3];
            for turn in &turns {
                match *turn {
                    Turn::Invite(uses, seconds) => {
                        let good = |(uses, expires): &&(u32, i64)| *uses > 0 && *expires > store.now;
                        if tokens.iter().filter(good).count() < limits::INVITATIONS {
                            invite(store, &token(tokens.len()), uses, seconds);
                            tokens.push((uses, store.now + seconds as i64 * 1_000));
                        }
                    }
                    Turn::Void => {
                        group(store, 0, GroupChange::VoidInvitations);
                        tokens.iter_mut().for_each(|(uses, _)| *uses = 0);
                    }
                    Turn::Join(who, back) => {
                        // The newest ones are the most likely to be good.
                        let n = tokens.len().saturating_sub(back + 1);
                        let token = Some(Secret(token(n).into()));
                        group(store, who, GroupChange::Join { token });
                        let good = tokens.get_mut(n);
                        if let Some((uses, expires)) = good
                            && *uses > 0
                            && *expires > store.now
                            && !present[who]
                            && !removed[who]
                        {
                            *uses -= 1;
                            present[who] = true;
                        }
                    }
                    Turn::Leave(who) => {
                        group(store, who, GroupChange::Leave);
                        present[who] = false;
                    }
                    Turn::Remove(who) => {
                        group(store, 0, GroupChange::Remove(names[who].clone()));
                        removed[who] |= std::mem::take(&mut present[who]);
                    }
                    Turn::Add(who) => {
                        group(store, 0, GroupChange::Add(vec![names[who].clone()]));
                        (present[who], removed[who]) = (true, false);
                    }
                    Turn::Wait(seconds) => store.now += seconds * 1_000,
                    Turn::Commit => {
                        store.commit();
                        assert_eq!(self::present(store), present);
                    }
                }
            }
            store.commit();
            assert_eq!(self::present(store), present);
        });
    }
}

#[test]
fn a_group_has_room_for_so_many_invitations() {
    every_store(|store| {
        group(store, 0, GroupChange::New(Vec::new()));
        let count = |store: &mut Bench| {
            let id = store.reader.membership(ANA, &handle("team")).unwrap().unwrap().0;
            let facts = store.reader.gather(&[Need::Invitations(id)], 1).unwrap();
            match facts.as_slice() {
                [Fact::Invitations(_, list)] => list.len(),
                other => panic!("{other:?}"),
            }
        };
        for n in 0..limits::INVITATIONS + 1 {
            invite(store, &token(n), 1, 60);
        }
        store.commit();
        assert_eq!(count(store), limits::INVITATIONS);
        // Those that have expired make room.
        store.now += 60_000;
        invite(store, &token(1_000), 1, 60);
        store.commit();
        assert_eq!(count(store), 1);
        group(store, 0, GroupChange::VoidInvitations);
        store.commit();
        assert_eq!(count(store), 0);
    });
}
