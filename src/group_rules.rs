//! What the admins of a group decide about it: who may write, who may add members, and whether
//! anybody may join.

/// Who may do something in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub enum Permitted {
    All,
    Admins,
}

/// The rules of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupRules {
    /// Who may write messages and edit their own.
    pub write: Permitted,
    /// Who may add members and make invitations.
    pub add: Permitted,
    /// Whether anybody may join without an invitation.
    pub open: bool,
}

impl Default for GroupRules {
    /// The rules of a new group.
    fn default() -> GroupRules {
        GroupRules { write: Permitted::All, add: Permitted::Admins, open: false }
    }
}

impl GroupRules {
    /// The rules one by one.
    pub fn each(self) -> [GroupRule; 3] {
        [GroupRule::Write(self.write), GroupRule::Add(self.add), GroupRule::Open(self.open)]
    }

    /// The same rules with this one changed.
    pub fn with(self, rule: GroupRule) -> GroupRules {
        match rule {
            GroupRule::Write(write) => GroupRules { write, ..self },
            GroupRule::Add(add) => GroupRules { add, ..self },
            GroupRule::Open(open) => GroupRules { open, ..self },
        }
    }
}

/// One rule of a group, with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub enum GroupRule {
    Write(Permitted),
    Add(Permitted),
    Open(bool),
}

impl GroupRule {
    pub const ALL: [GroupRule; 6] = [
        GroupRule::Write(Permitted::All),
        GroupRule::Write(Permitted::Admins),
        GroupRule::Add(Permitted::All),
        GroupRule::Add(Permitted::Admins),
        GroupRule::Open(false),
        GroupRule::Open(true),
    ];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            GroupRule::Write(_) => "write",
            GroupRule::Add(_) => "add",
            GroupRule::Open(_) => "join",
        }
    }

    /// Its value on the wire.
    pub fn value(self) -> &'static str {
        match self {
            GroupRule::Write(Permitted::All) | GroupRule::Add(Permitted::All) => "all",
            GroupRule::Write(Permitted::Admins) | GroupRule::Add(Permitted::Admins) => "admins",
            GroupRule::Open(true) => "open",
            GroupRule::Open(false) => "closed",
        }
    }

    /// The rule with this name and this value.
    pub fn new(name: &str, value: &str) -> Option<GroupRule> {
        GroupRule::ALL.into_iter().find(|rule| rule.name() == name && rule.value() == value)
    }
}
