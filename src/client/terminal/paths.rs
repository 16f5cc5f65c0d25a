//! Paths as they are typed, or pasted by dragging a file into the terminal: with quotes and
//! backslashes as in a shell, and `~/`.

use std::env;
use std::fs;
use std::path::PathBuf;

/// The paths in a line. If all of it is the name of a file, it is one path, whatever blanks it has.
///
/// # Errors
/// A quote is not closed.
pub fn split(typed: &str) -> Result<Vec<PathBuf>, String> {
    let whole = expanded(typed);
    if whole.exists() {
        return Ok(vec![whole]);
    }
    let mut paths = Vec::new();
    let mut chars = typed.chars().peekable();
    while let Some(first) = chars.next() {
        if first.is_whitespace() {
            continue;
        }
        let (mut path, mut next, mut quote) = (String::new(), Some(first), None);
        while let Some(c) = next {
            match (c, quote) {
                (c, Some(open)) if c == open => quote = None,
                ('\'' | '"', None) => quote = Some(c),
                ('\\', None | Some('"')) => path.extend(chars.next()),
                (c, None) if c.is_whitespace() => break,
                (c, _) => path.push(c),
            }
            next = chars.next();
        }
        if let Some(quote) = quote {
            return Err(format!("the quote {quote} is not closed"));
        }
        paths.push(expanded(&path));
    }
    Ok(paths)
}

/// A path whose `~/` is the home.
pub fn expanded(typed: &str) -> PathBuf {
    match (typed.strip_prefix("~/"), env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => typed.into(),
    }
}

/// Where downloads go: `XDG_DOWNLOAD_DIR`, from the environment or from the user's directories, or
/// else `Downloads` in the home.
pub fn downloads() -> Option<PathBuf> {
    let home = PathBuf::from(env::var_os("HOME")?);
    let absolute = |path: PathBuf| Some(path).filter(|path| path.is_absolute());
    if let Some(folder) = env::var_os("XDG_DOWNLOAD_DIR").map(PathBuf::from).and_then(absolute) {
        return Some(folder);
    }
    let config = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).and_then(absolute);
    let dirs = config.unwrap_or_else(|| home.join(".config")).join("user-dirs.dirs");
    let dirs = fs::read_to_string(dirs).unwrap_or_default();
    let home_name = home.to_string_lossy().into_owned();
    let named = download_dir(&dirs).map(|named| PathBuf::from(named.replace("$HOME", &home_name)));
    Some(named.and_then(absolute).unwrap_or_else(|| home.join("Downloads")))
}

/// What a file of user directories says about downloads.
fn download_dir(dirs: &str) -> Option<&str> {
    let mut said = dirs.lines().filter_map(|line| line.trim().strip_prefix("XDG_DOWNLOAD_DIR="));
    said.next_back()?.strip_prefix('"')?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_split_as_a_shell_does() {
        let paths = |typed: &str| {
            split(typed).map(|paths| {
                paths.iter().map(|path| path.to_str().unwrap().to_owned()).collect::<Vec<_>>()
            })
        };
        let of = |all: &[&str]| Ok(all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>());
        assert_eq!(paths("a.txt"), of(&["a.txt"]));
        assert_eq!(paths(" a  b/c "), of(&["a", "b/c"]));
        assert_eq!(paths(r"a\ b 'c d' "), of(&["a b", "c d"]));
        assert_eq!(paths(r#""it's" x\\y 'a"b'c"#), of(&["it's", r"x\y", "a\"bc"]));
        assert!(paths("'a b").is_err());
    }

    #[test]
    fn downloads_are_where_the_desktop_says() {
        let dirs = "# comment\nXDG_DESKTOP_DIR=\"$HOME/x\"\nXDG_DOWNLOAD_DIR=\"$HOME/dl\"\n";
        assert_eq!(download_dir(dirs), Some("$HOME/dl"));
        assert_eq!(download_dir("XDG_DOWNLOAD_DIR=x"), None);
        assert_eq!(download_dir(""), None);
    }
}
