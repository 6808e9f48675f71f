//! The commands that call no method, because they need no root or make one.

use crate::cli::Command;
use crate::programs::PROGRAMS;
use crate::run::Failure;
use crate::{cli, programs};
use api::{Output, Params};
use config::format::Format;
use config::schema::Property;
use model::{Layout, NodeName, Stream};
use serde_json::{Value, json};
use std::path::Path;

static INIT_PARAMETERS: &[&[Property]] = &[&[
    Property::boolean("fix")
        .default("0")
        .describe("Adds the lines to /etc/subuid and /etc/subgid that unprivileged containers need."),
    Property::string("node")
        .optional()
        .format(Format::Node)
        .describe("The node's name; the host's if absent."),
    Property::boolean("verbose").optional().describe("Names every folder and file that is made."),
]];

/// `hookvisor init`
pub(crate) const INIT: Command = Command::local(
    "init",
    "Lays out an empty root, and says what the host lacks.",
    INIT_PARAMETERS,
    &[],
    init,
)
.example("hookvisor init --node pve1");

fn init(layout: &Layout, params: &Params, out: &mut dyn Output) -> Result<Value, Failure> {
    let node = match params.text("node") {
        Some(name) => name.parse::<NodeName>().map_err(|error| error.to_string())?,
        None => node_of(layout)?,
    };
    let mut say = |line: &str| out.write(Stream::Stdout, format!("{line}\n").as_bytes());
    for done in store::init_root(layout, &node).map_err(|error| told(&error))? {
        if params.flag("verbose", false) || matches!(done, store::Done::File(_)) {
            say(&done.to_string());
        }
    }
    say(&format!("root '{}' is laid out for node '{node}'", layout.root().display()));
    if params.flag("fix", false) {
        let etc = Path::new("/etc");
        let added = lxc::subid::add(etc).map_err(|error| format!("cannot add to /etc/subuid: {error}"))?;
        added.iter().for_each(|file| say(&format!("added '{}' to '{}'", lxc::subid::LINE, file.display())));
    }
    let missing = ::doctor::missing(layout);
    missing.iter().for_each(|line| out.write(Stream::Stderr, format!("{line}\n").as_bytes()));
    Ok(Value::Null)
}

/// The node that the root is laid out for, else the host's name.
fn node_of(layout: &Layout) -> Result<NodeName, String> {
    if let Ok(store) = store::ConfigStore::open(layout.clone()) {
        return Ok(store.node().clone());
    }
    let uname = rustix::system::uname();
    let name = uname.nodename().to_string_lossy();
    let short = name.split('.').next().unwrap_or_default();
    short.parse().map_err(|error: model::InvalidId| format!("{error}: name the node with --node"))
}

/// An error with its causes.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}

static SHELL: &[&[Property]] = &[&[
    Property::string("shell").one_of(&["bash", "zsh", "fish"]).describe("The shell."),
    Property::string("program")
        .optional()
        .one_of(&["hookvisor", "qm", "pct", "pvesh", "pvesm"])
        .describe("The program alone whose words are completed; all of them if absent."),
]];

/// `hookvisor completion`
pub(crate) const COMPLETION: Command = Command::local(
    "completion",
    "Prints the script that teaches a shell to complete hookvisor, qm, pct, pvesh and pvesm.",
    SHELL,
    &["shell", "program"],
    |_, params, _| {
        let all = || ["hookvisor"].into_iter().chain(PROGRAMS.iter().map(|program| program.name)).collect();
        let names: Vec<&str> = params.text("program").map_or_else(all, |name| vec![name]);
        let script = cli::complete::script(params.text("shell").unwrap_or_default(), &names);
        Ok(Value::from(script.unwrap_or_default()))
    },
)
.example("hookvisor completion bash")
.anybody()
.print(|answer| (programs::plain(answer.value), 0));

/// `hookvisor version`
pub(crate) const VERSION: Command =
    Command::local("version", "Prints hookvisor's version, as --version does.", &[], &[], |_, _, _| {
        Ok(json!({ "version": model::version() }))
    })
    .example("hookvisor version")
    .formats()
    .anybody()
    .print(|answer| (format!("hookvisor {}\n", programs::plain(&answer.value["version"])), 0));
