//! Every method × every caller, against `tests/compat/permissions.txt`.

use crate::scene::Scene;
use api::{ApiError, Given, Method, Scope, methods};
use std::collections::BTreeMap;

const TABLE: &str = include_str!("../../../../tests/compat/permissions.txt");

const CALLERS: [&str; 8] = [
    "root@pam",
    "root@pam!full",
    "admin@pve",
    "auditor@pve",
    "ann@pve",
    "ann@pve!full",
    "ann@pve!separate",
    "",
];

/// What the calls are about.
const SAMPLE: [(&str, &str); 8] = [
    ("node", "pve1"),
    ("vmid", "100"),
    ("storage", "local"),
    ("userid", "ann@pve"),
    ("groupid", "g"),
    ("path", "/vms/100"),
    ("newid", "101"),
    ("poolid", "p"),
];

struct Row {
    letters: String,
    later: bool,
}

fn table() -> BTreeMap<String, Row> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let rows = lines.map(|line| {
        let words: Vec<&str> = line.split('#').next().unwrap().split_whitespace().collect();
        let (verb, letters, path) = (words[0], words[1].to_owned(), words[words.len() - 1]);
        assert_eq!(letters.len(), CALLERS.len(), "{line}");
        (format!("{verb} {path}"), Row { letters, later: words.len() == 4 })
    });
    rows.collect()
}

fn letter(scene: &Scene, method: &Method, who: &str) -> char {
    let known = |name: &str| method.properties().any(|property| property.name == name);
    let mut given: Vec<(String, Given)> = Vec::new();
    for part in method.path.split('/').filter_map(|part| part.strip_prefix('{')) {
        given.push((part.trim_end_matches('}').to_owned(), Given::One("x".to_owned())));
    }
    for (name, value) in SAMPLE.iter().filter(|(name, _)| known(name)) {
        given.retain(|(other, _)| other != name);
        given.push(((*name).to_owned(), Given::One((*value).to_owned())));
    }
    // What is wrong with the parameters comes after who may.
    match scene.with(who, |context| api::prepare(context, method, method.path, given)) {
        Err(ApiError::Denied(_) | ApiError::NoTicket) => '-',
        _ => '+',
    }
}

#[test]
fn every_method_lets_in_whom_the_table_says_and_nobody_else() {
    let (scene, table) = (Scene::new(), table());
    let mut wrong = Vec::new();
    let served: Vec<(String, &Method)> = methods()
        .filter(|method| method.scope != Scope::Command)
        .map(|method| (format!("{} {}", method.verb, method.path), method))
        .collect();
    for (name, method) in &served {
        let found: String = CALLERS.iter().map(|who| letter(&scene, method, who)).collect();
        match table.get(name) {
            Some(row) if row.later => wrong.push(format!("{name}: is served, and the table says 'later'")),
            Some(row) if row.letters == found => {}
            Some(row) => wrong.push(format!("{name}: lets in {found}, not {}", row.letters)),
            None => wrong.push(format!("{name}: is not in the table; it lets in {found}")),
        }
    }
    for (name, row) in &table {
        if !row.later && !served.iter().any(|(there, _)| there == name) {
            wrong.push(format!("{name}: is in the table and not served"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
