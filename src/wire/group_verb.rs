//! The row of `GROUP` in the table of verbs, by far the longest.

use super::rules;
use super::verbs::{Served, Verb};

pub(super) const GROUP_VERB: Verb = Verb {
    subject: "groups",
    word: "GROUP",
    form: "GROUP NEW|ADD|REMOVE|RULE|JOIN|LEAVE|LIST|WHO|...",
    does: &[
        "GROUP NEW <name> [handle ...]  creates a group, with you as its admin",
        "GROUP ADD <name> <handle> ...  adds members, at most 1,000 at once;",
        "                               admins only, like the next six",
        "GROUP REMOVE <name> <handle>   removes a member",
        "GROUP ADMIN <name> <handle>    makes a member an admin",
        "GROUP MEMBER <name> <handle>   makes an admin a plain member",
        "GROUP RULE <name> write all|admins, add all|admins, join closed|open",
        "                               who may write, who may add members, and",
        "                               whether anybody may join; alone, shows it",
        "GROUP TOPIC <name> <text>      sets its topic",
        "GROUP INVITE <name> [uses] [seconds]",
        "                               makes a token with which 1 or more people",
        "                               can join, within a day or [seconds]",
        "GROUP INVITE <name> -          makes all tokens of the group void",
        "GROUP JOIN <name> [token]      joins an open group, or one that you have",
        "                               an invitation to",
        "GROUP LEAVE <name>             leaves it",
        "GROUP LIST [open]              lists your groups, or the open ones",
        "GROUP WHO <name>               lists its members",
    ],
    example: "GROUP NEW team bia caio",
    errors: "no-such-group no-such-user not-admin not-allowed taken blocked too-many storage",
    served: Served::Accounts,
    rule: rules::group,
};
