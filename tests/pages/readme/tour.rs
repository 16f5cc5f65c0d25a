//! The tour of README.md is what happens.

use std::collections::BTreeMap;

use super::blocks::README;
use super::papod::{Client, Papod};

const TOUR_PEOPLE: [&str; 2] = ["ANA", "BOB"];

/// The two columns of a line of a tour. The left one may reach into the right one's place, but no
/// line of the protocol has two blanks in a row there.
fn columns(line: &str, right: usize) -> [&str; 2] {
    match line.get(right..) {
        Some(rest) if line[..right].ends_with("  ") => [line[..right].trim_end(), rest],
        _ => [line, ""],
    }
}

/// Replaces the name and version of the server.
fn without_version(line: &str) -> String {
    let word =
        |word: &str| if word.starts_with("papod/") { "papod/…".into() } else { word.into() };
    line.split(' ').map(word).collect::<Vec<String>>().join(" ")
}

fn is_time(word: &str) -> bool {
    let shape = |c: char| if c.is_ascii_digit() { '0' } else { c };
    word.chars().map(shape).eq("0000-00-00T00:00:00.000Z".chars())
}

/// Compares two lines but for their times, and notes which real time stands for which shown one.
fn compare(shown: &str, real: &str, times: &mut BTreeMap<String, String>) -> Result<(), String> {
    let (shown, real) = (without_version(shown), without_version(real));
    let differ = || Err(format!("README.md: {shown}\nthe server: {real}"));
    if shown.split(' ').count() != real.split(' ').count() {
        return differ();
    }
    for (shown, real) in shown.split(' ').zip(real.split(' ')) {
        if is_time(shown) && is_time(real) {
            let known = times.entry(shown.to_owned()).or_insert_with(|| real.to_owned());
            if known != real {
                return Err(format!("{shown} stands for {known} and for {real}"));
            }
        } else if shown != real {
            return differ();
        }
    }
    Ok(())
}

/// The id and the time of an entry, in a line that says both.
fn entry_time(line: &str) -> Option<(&str, &str)> {
    let mut words = line.strip_prefix("OK ").unwrap_or(line).split(' ');
    let says = matches!(words.next(), Some("MSG" | "HIST"));
    says.then(|| words.next().zip(words.next())).flatten().filter(|(_, time)| is_time(time))
}

/// Each command of the table behind the tour is carried out, by an account and in a conversation
/// of which it can speak.
#[test]
fn the_commands_of_the_table_are_carried_out() {
    let papod = Papod::start();
    papod.account("bob");
    let mut ana = Client::connect(papod.address);
    for typed in ["REG ana secret-a", "MSG bob one", "MSG bob two", "MSG bob three", "MSG bob four"]
    {
        ana.say(typed);
    }
    let rows = README.table("what for");
    let typed = rows.iter().flat_map(|row| row[1].split('`').skip(1).step_by(2));
    let typed: Vec<&str> = typed.collect();
    assert!(typed.len() > 8, "{typed:?}");
    for typed in typed {
        ana.say(typed);
        let verb = typed.split(' ').next().unwrap();
        let done = format!("OK {verb}");
        loop {
            let line = ana.line();
            assert!(!line.starts_with("ERR "), "{typed}: {line}");
            if line.starts_with(&done) {
                break;
            }
        }
    }
}

#[test]
fn the_tour_is_what_happens() {
    let papod = Papod::start();
    let mut people: [Option<Client>; 2] = [None, None];
    let mut times = BTreeMap::new();
    let mut written = BTreeMap::new();
    let tour = README.of_kind("tour");
    assert!(!tour.is_empty());
    for block in tour {
        let (head, lines) = block.split_once('\n').unwrap();
        let right = head.find(TOUR_PEOPLE[1]).unwrap();
        assert_eq!(columns(head, right), TOUR_PEOPLE);
        for line in lines.lines() {
            for (cell, person) in columns(line, right).iter().zip(&mut people) {
                if cell.is_empty() {
                } else if *cell == "$ nc localhost 7276" {
                    *person = Some(Client::connect(papod.address));
                } else if *cell == "^C" {
                    person.take().unwrap().leave();
                } else if let Some(typed) = cell.strip_prefix("> ") {
                    person.as_mut().unwrap().say(typed);
                } else {
                    let shown = cell.strip_prefix("  ").expect("a line of the server is indented");
                    let real = person.as_mut().unwrap().line();
                    compare(shown, &real, &mut times).unwrap_or_else(|e| panic!("{line}\n{e}"));
                    if let Some((id, time)) = entry_time(shown) {
                        assert_eq!(*written.entry(id).or_insert(time), time, "{line}");
                    }
                    if shown.starts_with("BYE ") {
                        person.take().unwrap().leave();
                    }
                }
            }
        }
    }
    // Nothing else was said to those who are still there.
    for person in people.iter_mut().flatten() {
        person.say("PING the end");
        assert_eq!(person.line(), "OK PING the end");
    }
    // The times shown follow each other as the real ones did.
    let real: Vec<&String> = times.values().collect();
    assert!(real.is_sorted(), "{times:#?}");
}
