//! The reference pages of the book and the API's description, made from the same tables that the programs work by.
//!
//! `cargo xtask openapi` writes them; the test below fails where they are not what the tables say.

use crate::cli::{Action, Program, help};
use crate::programs::{PROGRAMS, hookvisor::HOOKVISOR};
use api::{Method, Returns, Scope};
use config::schema::Property;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");
const MADE: &str = "<!-- Made by `cargo xtask openapi` from the registry. -->\n\n";
const CHAPTER: &str = "# Reference\n";

/// Every file by its path below the book's folder.
fn files() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut openapi = serde_json::to_string_pretty(&api::openapi::document()).unwrap();
    openapi.push('\n');
    files.insert("openapi.json".to_owned(), openapi);
    let mut chapter = format!("{CHAPTER}\n");
    let mut page = |name: &str, title: &str, text: String| {
        let _ = writeln!(chapter, "- [{title}](reference/{name}.md)");
        files.insert(format!("reference/{name}.md"), text);
    };
    for program in [&HOOKVISOR].into_iter().chain(PROGRAMS.iter().copied()) {
        page(program.name, &format!("`{}`", program.name), program_page(program));
    }
    for (name, methods) in resources() {
        let title = title(&name);
        page(&format!("api-{name}"), &title, api_page(&title, &methods));
    }
    let summary = fs::read_to_string(format!("{DOCS}/SUMMARY.md")).unwrap();
    let own = summary.split(CHAPTER).next().unwrap_or_default().trim_end().to_owned();
    files.insert("SUMMARY.md".to_owned(), format!("{own}\n\n{chapter}"));
    files
}

/// The methods by the page that they stand on.
fn resources() -> BTreeMap<String, Vec<&'static Method>> {
    let mut pages: BTreeMap<String, Vec<&'static Method>> = BTreeMap::new();
    for method in api::methods().filter(|method| method.scope != Scope::Command) {
        pages.entry(resource(method.path)).or_default().push(method);
    }
    for methods in pages.values_mut() {
        methods.sort_by_key(|method| (method.path, method.verb));
    }
    pages
}

fn resource(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match parts[..] {
        ["nodes", _, kind @ ("qemu" | "lxc" | "storage" | "tasks"), ..] => format!("nodes-{kind}"),
        [first, ..] => first.to_owned(),
        [] => "root".to_owned(),
    }
}

fn title(resource: &str) -> String {
    match resource.split_once('-') {
        Some((_, kind)) => format!("API: `/nodes/{{node}}/{kind}`"),
        None if resource == "root" => "API: `/`".to_owned(),
        None => format!("API: `/{resource}`"),
    }
}

fn api_page(title: &str, methods: &[&'static Method]) -> String {
    let mut text = format!("{MADE}# {title}\n");
    for method in methods {
        let _ = write!(
            text,
            "\n## {} {} {{#{}}}\n\n{}",
            method.verb,
            method.path,
            anchor(method),
            method.description
        );
        if method.scope == Scope::Extension {
            text.push_str(" Proxmox VE has no such method.");
        }
        let _ = write!(
            text,
            "\n\nWho may: {}. Returns {}.\n",
            api::openapi::permission_told(&method.permission),
            returns(method)
        );
        let in_path = |property: &&Property| method.path.contains(&format!("{{{}}}", property.name));
        table(&mut text, "", method.properties().filter(|property| !in_path(property)));
    }
    text
}

fn program_page(program: &Program) -> String {
    let mut text = format!("{MADE}# `{}`\n\n{}\n", program.name, program.about);
    for command in program.commands.iter().filter(|command| !command.hidden) {
        let _ = write!(
            text,
            "\n## {} {}\n\n```text\n{}\n```\n\n{}\n\nFor example: `{}`\n",
            program.name,
            command.name,
            help::usage(program, command),
            command.description,
            command.example
        );
        match command.action {
            Action::Method(method) if method.scope != Scope::Command => {
                let page = resource(method.path);
                let _ = writeln!(
                    text,
                    "\nIts arguments and options are the parameters of [{} {}](api-{page}.md#{}).",
                    method.verb,
                    method.path,
                    anchor(method)
                );
            }
            _ => {
                let fixed = |property: &&Property| command.is_fixed(property.name);
                table(&mut text, "--", command.properties().filter(|property| !fixed(property)));
            }
        }
    }
    for (alias, target) in program.aliases {
        let _ = write!(text, "\n`{0} {alias}` is the same as `{0} {target}`.\n", program.name);
    }
    text
}

fn table<'p>(text: &mut String, dashes: &str, properties: impl Iterator<Item = &'p Property>) {
    let mut properties: Vec<&Property> = properties.collect();
    if properties.is_empty() {
        return;
    }
    properties.sort_by_key(|property| (property.optional, property.name));
    text.push_str("\n| parameter | | |\n| --- | --- | --- |\n");
    for property in properties {
        let needed = if property.optional { "" } else { " (required)" };
        let default = property.default.map(|value| format!(" Default: `{value}`.")).unwrap_or_default();
        let needs = property.requires.map(|other| format!(" Needs `{other}`.")).unwrap_or_default();
        let _ = writeln!(
            text,
            "| `{dashes}{}`{needed} | `{}` | {}{needs}{default} |",
            property.schema_name(),
            escaped(&help::type_text(property)),
            escaped(&property.description.replace('\n', " "))
        );
    }
}

/// A text within a cell of a table.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}

fn anchor(method: &Method) -> String {
    let path: String = method.path.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let parts: Vec<&str> = path.split('-').filter(|part| !part.is_empty()).collect();
    format!("{}-{}", method.verb.as_str().to_ascii_lowercase(), parts.join("-"))
        .trim_end_matches('-')
        .to_owned()
}

fn returns(method: &Method) -> String {
    let keys = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        if names.is_empty() { String::new() } else { format!(" with {} and more", names.join(", ")) }
    };
    match method.returns {
        Returns::Null => "nothing".to_owned(),
        Returns::Upid => "the id of the task".to_owned(),
        Returns::Text => "a text".to_owned(),
        Returns::Object(names) => format!("an object{}", keys(names)),
        Returns::List(names) => format!("a list of objects{}", keys(names)),
        Returns::Events(names) => {
            format!("a list of objects{}, or `text/event-stream` to who follows", keys(names))
        }
    }
}

#[test]
fn the_reference_is_what_the_registry_says() {
    let write = std::env::var_os("HOOKVISOR_WRITE_REFERENCE").is_some();
    let files = files();
    let folder = Path::new(DOCS);
    if write {
        let _ = fs::remove_dir_all(folder.join("reference"));
        fs::create_dir_all(folder.join("reference")).unwrap();
    }
    let mut stale = Vec::new();
    for (name, text) in &files {
        if write {
            fs::write(folder.join(name), text).unwrap();
        } else if fs::read_to_string(folder.join(name)).ok().as_ref() != Some(text) {
            stale.push(format!("docs/{name}"));
        }
    }
    for entry in fs::read_dir(folder.join("reference")).into_iter().flatten().flatten() {
        let name = format!("reference/{}", entry.file_name().to_string_lossy());
        if !files.contains_key(&name) {
            stale.push(format!("docs/{name}"));
        }
    }
    assert!(stale.is_empty(), "not what the registry says; `cargo xtask openapi` writes them: {stale:?}");
}

#[test]
fn every_command_leads_to_its_method() {
    let pages = files();
    let qm = &pages["reference/qm.md"];
    assert!(qm.contains(
        "[PUT /nodes/{node}/qemu/{vmid}/config](api-nodes-qemu.md#put-nodes-node-qemu-vmid-config)"
    ));
    assert!(pages["reference/api-nodes-qemu.md"].contains("{#put-nodes-node-qemu-vmid-config}"));
}
