//! The manual pages, made of the command lines and of what stands beside this file.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::{fs, iter};

use clap::Command;
use clap_mangen::Man;

/// How roff learns what an apostrophe is, before each section; once is enough.
const QUOTE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

/// The line of a page by hand that its commands take the place of.
const COMMANDS: &str = ".\\\" commands\n";

/// What clap cannot know: the further sections of a page by the name of its program, and notes on a
/// command by its own, as `papo-send`.
pub fn added() -> BTreeMap<String, String> {
    let mut added = BTreeMap::new();
    for entry in fs::read_dir(super::folder("tests/pages/manual")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "roff") {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            added.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
    added
}

/// Each page, by its path in contrib/.
pub fn all() -> BTreeMap<String, String> {
    let added = added();
    super::programs().into_iter().map(|program| page(program, &added)).collect()
}

/// The commands of a program, each before those that it has itself, with the options that not every
/// command has.
pub fn commands(program: &Command) -> Vec<Command> {
    let with_inner = |command: &Command| {
        let own = command.clone().mut_args(|arg| {
            let is_of_all = arg.is_global_set() || arg.get_id() == "help";
            if is_of_all { arg.hide(true) } else { arg }
        });
        iter::once(own).chain(commands(command))
    };
    program.get_subcommands().flat_map(with_inner).collect()
}

/// The page of a program, and its path.
fn page(mut program: Command, added: &BTreeMap<String, String>) -> (String, String) {
    program.build();
    let [mut synopsis, description, options] = parts(&program);
    let mut shown = String::new();
    for command in commands(&program) {
        let [usage, description, options] = parts(&command);
        let name = command.get_display_name().unwrap();
        if name.matches('-').count() == 1 {
            synopsis += &format!(".br\n{usage}");
        }
        shown += &format!(".SS \"{}\"\n{description}{options}", usage.trim_end());
        if let Some(notes) = added.get(name) {
            shown += &format!(".PP\n{notes}");
        }
    }
    let name = program.get_name();
    let (title, section) = (name.to_uppercase(), if name == "papod" { "8" } else { "1" });
    let about = program.get_about().unwrap().to_string();
    let about = about.trim_end_matches('.');
    let further = added[name].replace(COMMANDS, &shown);
    // Neither a date nor a version: the page changes when the command line does.
    let text = format!(
        ".\\\" Made by tests/pages/manual.rs of the command line.\n{QUOTE}\
         .TH {title} {section} \"\" papo\n.SH NAME\n{name} \\- {about}\n\
         .SH SYNOPSIS\n{synopsis}.SH DESCRIPTION\n{description}.SH OPTIONS\n{options}{further}"
    );
    (format!("man/{name}.{section}"), text)
}

/// The usage of a command, what it does, and its options, without headings.
fn parts(command: &Command) -> [String; 3] {
    // What stands behind `Usage:` shows what may be given again, and no long list of flags.
    let usage = command.clone().render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").expect("a usage begins so").to_owned();
    let about = command.get_long_about().or(command.get_about());
    let about = about.expect("every command says what it does").to_string();
    // The page has a section for the exit status, and full stops.
    let paragraphs = about.split("\n\n").filter(|text| !text.starts_with("Exit status:"));
    let sentences: Vec<String> =
        paragraphs.map(|text| format!("{}.", text.trim_end_matches('.'))).collect();
    let man = Man::new(command.clone().override_usage(usage).long_about(sentences.join("\n\n")));
    let part = |render: fn(&Man, &mut dyn Write) -> io::Result<()>| {
        let mut bytes = Vec::new();
        render(&man, &mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap().replace(QUOTE, "");
        text.lines().skip(1).map(|line| format!("{}\n", line.trim_end())).collect()
    };
    [Man::render_synopsis_section, Man::render_description_section, Man::render_options_section]
        .map(part)
}
