//! The tags that have a sign, by the names that ntfy and GitHub have for them.

/// Thirty that notifications use; others stay words.
const SIGNS: [(&str, &str); 32] = [
    ("warning", "⚠️"),
    ("rotating_light", "🚨"),
    ("white_check_mark", "✅"),
    ("heavy_check_mark", "✔️"),
    ("x", "❌"),
    ("no_entry", "⛔"),
    ("red_circle", "🔴"),
    ("orange_circle", "🟠"),
    ("yellow_circle", "🟡"),
    ("green_circle", "🟢"),
    ("large_blue_circle", "🔵"),
    ("skull", "💀"),
    ("fire", "🔥"),
    ("boom", "💥"),
    ("bell", "🔔"),
    ("loudspeaker", "📢"),
    ("information_source", "ℹ️"),
    ("question", "❓"),
    ("exclamation", "❗"),
    ("tada", "🎉"),
    ("partying_face", "🥳"),
    ("+1", "👍"),
    ("-1", "👎"),
    ("thumbsup", "👍"),
    ("computer", "💻"),
    ("floppy_disk", "💾"),
    ("package", "📦"),
    ("lock", "🔒"),
    ("key", "🔑"),
    ("hourglass", "⌛"),
    ("arrow_up", "⬆️"),
    ("arrow_down", "⬇️"),
];

/// The sign of a tag, if it has one.
pub fn sign(tag: &str) -> Option<&'static str> {
    SIGNS.iter().find(|(name, _)| *name == tag).map(|(_, sign)| *sign)
}
