//! What stands on a page.

use super::roff::Roff;
use super::shown;
use crate::cli::{Command, Program, help};
use config::schema::Property;

/// A unit of systemd's that the package has.
pub(super) struct Unit {
    pub(super) name: &'static str,
    about: &'static str,
    /// The commands that it runs, and those that it is of interest to.
    commands: &'static [&'static str],
}

pub(super) static UNITS: [Unit; 4] = [
    Unit {
        name: "hookvisor.service",
        about: "Serves the API, at a unix socket alone unless LISTEN in /etc/default/hookvisor says where else.",
        commands: &["serve"],
    },
    Unit {
        name: "hookvisor-guests.service",
        about: "Starts the guests that have onboot with the host, and stops all guests, in their order, with it.",
        commands: &["startall", "stopall"],
    },
    Unit {
        name: "hookvisor-keeper@.service",
        about: "Keeps one guest, whose VMID stands behind the @. A start begins it, and where it is killed systemd begins it anew.",
        commands: &["recover"],
    },
    Unit {
        name: "hookvisor-recover.service",
        about: "Brings to its end, as the host comes up, what guests left when it went down.",
        commands: &["recover"],
    },
];

/// The settings of the units, with what is in them.
const SETTINGS: (&str, &str) = (
    "/etc/default/hookvisor",
    "Settings of hookvisor.service: LISTEN, the address and the port at which it serves HTTPS, as LISTEN=[::]:8006.",
);

/// When a hookscript is called.
const PHASES: [(&str, &str); 4] = [
    ("pre-start", "Before the guest's start. With another exit code than 0 the guest is not started."),
    ("post-start", "Once the guest has started."),
    ("pre-stop", "Before a stop that was asked for. A guest that powers itself off gets none."),
    ("post-stop", "After the guest has stopped, however it came to stop."),
];

/// What the journal's records can be looked up by.
const FIELDS: [(&str, &str); 4] = [
    ("journalctl -t hookscript", "What hookscripts print."),
    ("journalctl -u hookvisor-keeper@VMID", "Everything about a guest."),
    (
        "GUEST_VMID=, HOOK_PHASE=, HOOK_SCRIPT=, HOOK_OUTCOME=, RUN_ID=",
        "The fields of records, as in journalctl -t hookscript GUEST_VMID=100 HOOK_PHASE=pre-start.",
    ),
    ("journalctl -x", "What a record means, and what to do about it."),
];

/// The page's name of a command.
pub(super) fn name(program: &Program, command: &Command) -> String {
    format!("{} {}", program.name, command.name).replace(' ', "-")
}

/// The page of a program.
pub(super) fn program(program: &'static Program, date: &str) -> String {
    let mut page = Roff::new(program.name, date);
    let short = program.about.lines().next().unwrap_or_default();
    named(&mut page, program.name, short);
    page.section("SYNOPSIS");
    page.typed(&format!("{} COMMAND [ARGUMENTS] [OPTIONS]", program.name));
    page.section("DESCRIPTION");
    page.text(program.about);
    if program.is_own() {
        page.section("HOOKSCRIPTS");
        page.text(
            "A hookscript is an executable in the folder snippets of a storage. It is set by qm set VMID --hookscript local:snippets/NAME, or pct set, \
             and called with two arguments, the VMID and the phase:",
        );
        PHASES.iter().for_each(|(phase, about)| page.item(phase, "", about));
    }
    page.section("COMMANDS");
    for command in shown(program) {
        page.reference(&name(program, command), command.description);
    }
    for (alias, target) in program.aliases {
        page.item(
            &format!("{} {alias}", program.name),
            "",
            &format!("The same as {} {target}.", program.name),
        );
    }
    page.section("ENVIRONMENT");
    page.item("HOOKVISOR_ROOT", "", "The folder below which everything lies, / if it is not set.");
    page.item(
        "HOOKVISOR_JOURNAL",
        "",
        "The namespace of the journal that takes the records and is read; the host's own if it is not set.",
    );
    exit_status(&mut page);
    page.section("FILES");
    if program.is_own() {
        page.item(SETTINGS.0, "", SETTINGS.1);
    }
    page.item("/etc/pve", "", "Configurations of guests, storages and users, as at Proxmox VE.");
    page.item("/etc/hookvisor", "", "Hookscripts for all guests, in hooks.d, and for one, in hooks.d/VMID.");
    page.item(
        "/etc/hookvisor/hooks.conf",
        "",
        "Limits and parameters of hookscripts, for the host and for guests. A script says its own in its first lines, # hookvisor: timeout=5m.",
    );
    page.item("/var/lib/vz", "", "The storage 'local', with hookscripts in the folder snippets.");
    page.item("/var/lib/hookvisor", "", "The runs of guests: those that go on, and their history.");
    page.item(
        "/usr/share/doc/hookvisor",
        "",
        "The book, with a hookscript in ten minutes, recipes and what each setting means; examples.",
    );
    if program.is_own() {
        page.section("UNITS");
        UNITS.iter().for_each(|unit| page.item(unit.name, "", unit.about));
        page.section("JOURNAL");
        FIELDS.iter().for_each(|(field, about)| page.item(field, "", about));
    }
    page.section("EXAMPLES");
    for (index, command) in shown(program).into_iter().enumerate() {
        if index > 0 {
            page.paragraph();
        }
        page.typed(command.example);
    }
    page.section("SEE ALSO");
    let others =
        ["hookvisor", "pct", "pvesh", "pvesm", "qm"].into_iter().filter(|other| *other != program.name);
    let others: Vec<(&str, u8)> = others.map(|other| (other, 1)).chain([("journalctl", 1)]).collect();
    page.references(&others);
    page.finish()
}

/// The page of a command.
pub(super) fn command(program: &Program, command: &Command, date: &str) -> String {
    let own = name(program, command);
    let mut page = Roff::new(&own, date);
    named(&mut page, &own, command.description.lines().next().unwrap_or_default());
    page.section("SYNOPSIS");
    page.typed(&help::usage(program, command));
    page.section("DESCRIPTION");
    page.text(command.description);
    let arguments: Vec<&Property> = command
        .arguments
        .iter()
        .chain(command.rest.as_ref())
        .filter_map(|argument| command.property(argument))
        .collect();
    if !arguments.is_empty() {
        page.section("ARGUMENTS");
    }
    for property in arguments {
        page.item(property.name, &help::type_text(property), &about(property));
    }
    let mut options: Vec<&Property> = command.options().collect();
    options.sort_by_key(|property| property.name);
    if !options.is_empty() {
        page.section("OPTIONS");
    }
    for property in options {
        page.item(&format!("--{}", property.schema_name()), &help::type_text(property), &about(property));
    }
    exit_status(&mut page);
    if command.name == "serve" {
        page.text("78 (EX_CONFIG) for an address that can be none, which no further try mends.");
    }
    let is_run = |unit: &&Unit| program.is_own() && unit.commands.contains(&command.name);
    let units: Vec<&Unit> = UNITS.iter().filter(is_run).collect();
    if command.name == "serve" {
        page.section("FILES");
        page.item(SETTINGS.0, "", SETTINGS.1);
        page.item(
            "/etc/pve/nodes/NODE/pveproxy-ssl.pem, pve-ssl.pem",
            "",
            "The certificate that is served, with its key beside it: the administrator's own, else the one made at first use.",
        );
        page.item("/run/hookvisor/api.sock", "", "The unix socket.");
        page.item("/var/log/pveproxy/access.log", "", "Who asked for what.");
    }
    if !units.is_empty() {
        page.section("UNITS");
        units.iter().for_each(|unit| page.item(unit.name, "", unit.about));
    }
    page.section("EXAMPLES");
    page.typed(command.example);
    page.section("SEE ALSO");
    page.references(&[(program.name, 1)]);
    page.finish()
}

/// The line that apropos(1) finds: a sentence in brief has no full stop.
fn named(page: &mut Roff, name: &str, short: &str) {
    page.section("NAME");
    page.text(&format!("{name} - {}", short.trim_end_matches('.')));
}

/// What a parameter is, with its default.
fn about(property: &Property) -> String {
    let mut text = property.description.to_owned();
    if let Some(default) = property.default {
        text.push_str(&format!("\nDefault: {default}."));
    }
    if let Some(other) = property.requires {
        text.push_str(&format!("\nNeeds --{other}."));
    }
    text
}

fn exit_status(page: &mut Roff) {
    page.section("EXIT STATUS");
    page.text("0 for success, 255 for a failure. What looks for something, as hooks check, hooks test and doctor do, ends with 1 where it finds it.");
}
