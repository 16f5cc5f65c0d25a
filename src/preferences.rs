//! What an account decides about itself: who may learn when it reads and when it is online, and who
//! may add it to groups.

/// Whom an account lets do something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub enum Circle {
    #[default]
    All,
    /// Those to whom it has written.
    Chats,
    None,
}

impl Circle {
    pub const ALL: [Circle; 3] = [Circle::All, Circle::Chats, Circle::None];

    /// Its word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Circle::All => "all",
            Circle::Chats => "chats",
            Circle::None => "none",
        }
    }

    /// The circle of this word.
    pub fn new(word: &str) -> Option<Circle> {
        Circle::ALL.into_iter().find(|circle| circle.as_str() == word)
    }
}

/// The preferences of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preferences {
    /// Whether the other parties of its direct chats learn what it has read, and it what they have.
    pub read: bool,
    /// To whom `FIND` shows whether it is online, and when it was.
    pub seen: Circle,
    /// Who may add it to a group.
    pub add: Circle,
}

impl Default for Preferences {
    fn default() -> Preferences {
        Preferences { read: true, seen: Circle::All, add: Circle::All }
    }
}

impl Preferences {
    /// The preferences one by one.
    pub fn each(self) -> [Preference; 3] {
        [Preference::Read(self.read), Preference::Seen(self.seen), Preference::Add(self.add)]
    }

    /// The same preferences with this one changed.
    pub fn with(self, preference: Preference) -> Preferences {
        match preference {
            Preference::Read(read) => Preferences { read, ..self },
            Preference::Seen(seen) => Preferences { seen, ..self },
            Preference::Add(add) => Preferences { add, ..self },
        }
    }
}

/// One preference, with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub enum Preference {
    Read(bool),
    Seen(Circle),
    Add(Circle),
}

impl Preference {
    pub const ALL: [Preference; 8] = [
        Preference::Read(true),
        Preference::Read(false),
        Preference::Seen(Circle::All),
        Preference::Seen(Circle::Chats),
        Preference::Seen(Circle::None),
        Preference::Add(Circle::All),
        Preference::Add(Circle::Chats),
        Preference::Add(Circle::None),
    ];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Preference::Read(_) => "read",
            Preference::Seen(_) => "seen",
            Preference::Add(_) => "add",
        }
    }

    /// Its value on the wire.
    pub fn value(self) -> &'static str {
        match self {
            Preference::Read(true) => "on",
            Preference::Read(false) => "off",
            Preference::Seen(circle) | Preference::Add(circle) => circle.as_str(),
        }
    }

    /// The preference with this name and this value.
    pub fn new(name: &str, value: &str) -> Option<Preference> {
        Preference::ALL.into_iter().find(|one| one.name() == name && one.value() == value)
    }
}
