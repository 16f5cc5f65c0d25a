//! The manual pages, made of the command lines and of what stands beside this file.

use std::collections::BTreeMap;
use std::fs;

use clap_mangen::Man;

/// How roff learns what an apostrophe is, before each section; once is enough.
const QUOTE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

/// The sections that clap cannot know, by the name of their page.
pub fn added() -> BTreeMap<String, String> {
    let mut added = BTreeMap::new();
    for entry in fs::read_dir(super::folder("tests/pages/manual")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "roff") {
            let page = path.file_stem().unwrap().to_str().unwrap().to_owned();
            added.insert(page, fs::read_to_string(&path).unwrap());
        }
    }
    added
}

/// Each page, by its path in contrib/.
pub fn all() -> BTreeMap<String, String> {
    let added = added();
    let mut pages = BTreeMap::new();
    for mut program in super::programs() {
        program.build();
        let section = if program.get_name() == "papod" { "8" } else { "1" };
        page(&program, section, &added, &mut pages);
    }
    pages
}

/// The page of a command, and those of its subcommands.
fn page(
    command: &clap::Command,
    section: &str,
    added: &BTreeMap<String, String>,
    pages: &mut BTreeMap<String, String>,
) {
    for subcommand in command.get_subcommands() {
        page(subcommand, section, added, pages);
    }
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    // What stands behind `Usage:` shows what may be given again, and no long list of flags; flags of
    // its own come before those of all commands.
    let usage = command.clone().render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").expect("a usage begins so").to_owned();
    let of_all = |arg: clap::Arg| if arg.is_global_set() { arg.display_order(900) } else { arg };
    let is_top = name == command.get_name();
    let shown = command.clone().override_usage(usage);
    let man = Man::new(if is_top { shown } else { shown.mut_args(of_all) });
    let mut bytes = Vec::new();
    man.render_synopsis_section(&mut bytes).unwrap();
    man.render_description_section(&mut bytes).unwrap();
    man.render_options_section(&mut bytes).unwrap();
    if command.has_subcommands() {
        man.render_subcommands_section(&mut bytes).unwrap();
    }
    let about = command.get_about().expect("every command says what it does").to_string();
    let about = about.trim_end_matches('.');
    // Neither a date nor a version: the page changes when the command line does.
    let (title, dashed) = (name.to_uppercase(), name.replace('-', "\\-"));
    let mut text = format!(
        ".\\\" Made by tests/pages/manual.rs of the command line.\n{QUOTE}\
         .TH {title} {section} \"\" papo\n.SH NAME\n{dashed} \\- {about}\n",
        title = title.replace('-', "\\-"),
    );
    for line in String::from_utf8(bytes).unwrap().replace(QUOTE, "").lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let added = added.get(&name).map_or("", |text| text);
    text.push_str(added);
    if !added.contains(".SH \"SEE ALSO\"\n") {
        text.push_str(".SH \"SEE ALSO\"\n.BR papo (1)\n");
    }
    pages.insert(format!("man/{name}.{section}"), text);
}
