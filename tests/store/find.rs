//! `FIND` in a crowd: what it shows is what a look at everybody would show.

use papo::entry::{AccountId, EntryId, Millis, MoveNumber};
use papo::fold;
use papo::limits;
use papo::name::{DisplayName, Handle};
use papo::store::sqlite::{Database, SqliteReader};
use papo::store::{Change, Newest, Reader, Writer};

const FIRST: [&str; 50] = [
    "Ana", "Bia", "Caio", "Davi", "Eva", "Fábio", "Gil", "Hugo", "Iara", "João", "Kaio", "Lia",
    "Mia", "Nina", "Otto", "Pia", "Rui", "Sara", "Téo", "Ugo", "Vera", "Yara", "Zeca", "Anabel",
    "Bruno", "Clara", "Dora", "Enzo", "Fred", "Gabi", "Helga", "Ivo", "José", "Lena", "Maria",
    "Nuno", "Olga", "Paulo", "Rita", "Sofia", "Tina", "Ursula", "Vasco", "Wanda", "Xica", "Ari",
    "Beto", "Cida", "Dani", "Elis",
];
const LAST: [&str; 16] = [
    "Souza", "Silva", "Santos", "Sá", "Almeida", "Araújo", "Barros", "Castro", "Dias", "Esteves",
    "Farias", "Gomes", "Lima", "Moraes", "Nunes", "Prado",
];

/// Handle and name of the n-th of a crowd: seven digits, and names that many others have.
fn somebody(n: i64) -> (String, String) {
    let mixed = (n * 2_654_435_761) >> 7;
    let (first, last) = (FIRST[(mixed % 50) as usize], LAST[(mixed / 50 % 16) as usize]);
    match n {
        4_321 => ("ana".into(), "Nobody Else".into()),
        12_345 => ("jorg".into(), "Jörg Straße".into()),
        23_456 => ("strassmann".into(), "Ute".into()),
        34_567 => ("ana.souza".into(), "Zulmira".into()),
        // So many that the first rows of their list are of the first accounts only.
        _ if n % 2 == 0 => (format!("u{n:07}"), format!("{first} Pereira {last}")),
        _ => (format!("u{n:07}"), format!("{first} {last}")),
    }
}

struct Crowd {
    reader: SqliteReader,
    /// Handles and folded words.
    people: Vec<(String, Vec<String>)>,
    _database: Database,
    _folder: tempfile::TempDir,
}

impl Crowd {
    fn new(size: i64) -> Crowd {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let database = Database::open(&folder.path().join("papo.db")).unwrap();
        let mut writer = database.writer().unwrap();
        let mut people = Vec::new();
        let numbers: Vec<i64> = (0..size).collect();
        for numbers in numbers.chunks(10_000) {
            let mut changes = Vec::new();
            for n in numbers {
                let (handle, name) = somebody(*n);
                people.push((handle.clone(), fold::words(&handle, &name)));
                changes.push(Change::Account {
                    id: AccountId(n + 1),
                    handle: Handle::new(&handle).unwrap(),
                    name: DisplayName::new(&name).unwrap(),
                    secret: "hash".into(),
                    time: Millis(0),
                });
            }
            changes.push(Change::Newest(Newest {
                entry: EntryId(0),
                moved: MoveNumber(0),
                account: numbers.last().unwrap() + 1,
                conversation: 0,
                token: 0,
                floor: EntryId(0),
            }));
            writer.record(&changes).unwrap();
        }
        let reader = database.reader().unwrap();
        Crowd { reader, people, _database: database, _folder: folder }
    }

    fn find(&mut self, text: &str) -> Vec<String> {
        let words: Vec<String> = text.split(' ').map(fold::folded).collect();
        let found = self.reader.find(&words, limits::FIND_MAX).unwrap();
        found.into_iter().map(|found| found.handle.as_str().to_owned()).collect()
    }

    /// All that match, the best first.
    fn all(&self, text: &str) -> Vec<String> {
        let asked: Vec<String> = text.split(' ').map(fold::folded).collect();
        let matches = |words: &[String]| {
            asked.iter().all(|asked| words.iter().any(|word| word.starts_with(asked.as_str())))
        };
        let mut found: Vec<(bool, bool, String)> = self
            .people
            .iter()
            .filter(|(_, words)| matches(words))
            .map(|(handle, words)| {
                let exact = asked.iter().all(|word| words.contains(word));
                (!asked.contains(handle), !exact, handle.clone())
            })
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, _, handle)| handle).collect()
    }
}

#[test]
fn who_is_named_well_enough_is_found_among_fifty_thousand() {
    let mut crowd = Crowd::new(50_000);
    // A rare word, alone or among common ones, wherever it stands.
    for text in [
        "ana.s",
        "zulmira",
        "strasse",
        "STRASS",
        "jorg stra",
        "u0012",
        "u0012 souza",
        "souza u0012",
        "u001 souza",
        "s u0049 a",
        "a b u00123",
        "u00 ana zul",
        "nobody",
        "e no",
        "u0999",
        "x y",
        "ana souza zulm",
        "u0000000 u0000001",
        "u0031 ana",
    ] {
        let mut all = crowd.all(text);
        all.truncate(limits::FIND_MAX);
        assert_eq!(crowd.find(text), all, "{text}");
    }
    // Common words: twenty who match, the best first.
    for text in [
        "ana",
        "an",
        "a",
        "souza",
        "s",
        "u",
        "a s",
        "ana souza",
        "an so",
        "u00 s a",
        "e u",
        "u004 pereira",
    ] {
        let all = crowd.all(text);
        let found = crowd.find(text);
        assert_eq!(found.len(), limits::FIND_MAX, "{text}");
        assert!(found.iter().all(|handle| all.contains(handle)), "{text}: {found:?}");
    }
    assert_eq!(crowd.find("ana")[0], "ana");
    let has_both = |crowd: &Crowd, handle: &str| {
        let words = &crowd.people.iter().find(|(other, _)| other == handle).unwrap().1;
        words.contains(&"ana".into()) && words.contains(&"souza".into())
    };
    let found = crowd.find("ana souza");
    assert!(found.iter().all(|handle| has_both(&crowd, handle)), "{found:?}");
    // As many words as may be, all common.
    assert_eq!(crowd.find("a an ana s so sou u u0").len(), limits::FIND_MAX);
}
