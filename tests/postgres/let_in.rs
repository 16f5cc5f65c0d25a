//! Which sessions another leader lets in: those whose account, key and device are still there.

use papo::entry::{AccountId, DeviceNumber, EntryId, Key, Millis, MoveNumber, TokenId};
use papo::name::{DeviceName, DisplayName, Handle};
use papo::store::postgres::{PgDatabase, PgUrl};
use papo::store::{Change, Device, DeviceChange, OpenedBy, Token, Writer};
use sha2::{Digest, Sha256};

use crate::cluster::{cluster, url};

fn secret(account: i64) -> String {
    format!("the secret of {account}")
}

fn digest(secret: &str) -> u64 {
    let digest: [u8; 32] = Sha256::digest(secret).into();
    u64::from_be_bytes(*digest.first_chunk().unwrap())
}

/// An account with the token and the device of its number.
fn account(number: i64) -> [Change; 4] {
    let account = AccountId(number);
    let token = Token {
        id: TokenId(number),
        account,
        label: "desk".into(),
        hash: [u8::try_from(number).unwrap(); 32],
        created: Millis(0),
        used: None,
        to: None,
    };
    let device = Device {
        number: DeviceNumber(number),
        name: DeviceName::new("phone").unwrap(),
        place: EntryId(0),
        shown: MoveNumber(0),
        seen: None,
    };
    [
        Change::Account {
            id: account,
            handle: Handle::new(&format!("u{number}")).unwrap(),
            name: DisplayName::new("Name").unwrap(),
            secret: secret(number),
            time: Millis(0),
        },
        Change::Token { account, token },
        Change::Link { account, user: 1_000, on: true },
        Change::Device { account, change: DeviceChange::New(device) },
    ]
}

#[test]
fn sessions_are_let_in_if_what_has_opened_them_is_there() {
    let name = cluster().make_database();
    let url = PgUrl::parse(&url(&[cluster()], &name)).unwrap();
    let (_database, mut writer) = PgDatabase::open(&url).unwrap();
    writer.record(&(1..=3).flat_map(account).collect::<Vec<_>>()).unwrap();
    let of = |number: i64, key: Key| OpenedBy {
        account: AccountId(number),
        device: None,
        key,
        secrets: [digest(&secret(number)); 2],
    };
    let (phone, none) = (Some(DeviceNumber(1)), Some(DeviceNumber(2)));
    let sessions = [
        of(1, Key::Password),
        OpenedBy { secrets: [0, digest(&secret(1))], ..of(1, Key::Password) },
        OpenedBy { secrets: [digest(&secret(1)), 0], ..of(1, Key::Password) },
        OpenedBy { secrets: [0, digest(&secret(2))], ..of(1, Key::Password) },
        of(1, Key::Token(TokenId(1))),
        // There, but another account's.
        of(1, Key::Token(TokenId(2))),
        of(1, Key::User(1_000)),
        of(1, Key::User(1_001)),
        OpenedBy { device: phone, ..of(1, Key::Token(TokenId(1))) },
        OpenedBy { device: none, ..of(1, Key::Token(TokenId(1))) },
        of(2, Key::Password),
        of(2, Key::Token(TokenId(2))),
        of(3, Key::User(1_000)),
        of(4, Key::Password),
    ];
    let valid = |writer: &mut dyn Writer| -> Vec<usize> {
        let valid = writer.let_in(&sessions).unwrap();
        (0..sessions.len()).filter(|at| valid[*at]).collect()
    };
    assert_eq!(valid(&mut writer), [0, 1, 2, 4, 6, 8, 10, 11, 12]);

    let (one, two, three) = (AccountId(1), AccountId(2), AccountId(3));
    let changes = [
        Change::Secret { account: one, secret: "another".into() },
        Change::NoToken { id: TokenId(1) },
        Change::Link { account: one, user: 1_000, on: false },
        Change::Disabled { account: two, on: true },
        Change::Gone { account: three, leaving: false },
    ];
    writer.record(&changes).unwrap();
    assert_eq!(valid(&mut writer), [0; 0]);
    let again = [
        Change::Disabled { account: two, on: false },
        Change::Secret { account: one, secret: secret(1) },
    ];
    writer.record(&again).unwrap();
    assert_eq!(valid(&mut writer), [0, 1, 2, 10, 11]);

    // More of them than are asked about together.
    let many = [vec![sessions[0]; 20_000], sessions.to_vec()].concat();
    let valid = writer.let_in(&many).unwrap();
    assert!(valid[..20_003].iter().all(|valid| *valid));
    assert_eq!(
        valid[20_003..],
        [false, false, false, false, false, false, false, true, true, false, false]
    );
    drop(writer);
    cluster().drop_database(&name);
}
