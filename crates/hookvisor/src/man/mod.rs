//! `hookvisor man`: the manual pages, made from the same tables that the programs work by.

mod page;
mod roff;

use crate::cli::{Command, Program};
use crate::programs::{PROGRAMS, hookvisor::HOOKVISOR};
use crate::run::Failure;
use api::{Output, Params};
use config::schema::Property;
use model::{Layout, Stream};
use serde_json::Value;
use std::path::Path;
use std::time::SystemTime;

static PARAMETERS: &[&[Property]] = &[&[Property::string("folder").describe(
    "Where the pages are written, such as /usr/local/share/man/man1; it is made where it is missing.",
)]];

/// `hookvisor man`
pub(crate) const MAN: Command = Command::local(
    "man",
    "Writes the manual pages of all commands into a folder.",
    PARAMETERS,
    &["folder"],
    write,
)
.example("hookvisor man /usr/local/share/man/man1")
.anybody();

/// Writes `NAME.1` for each program and `NAME-COMMAND.1` for each of its commands.
fn write(_: &Layout, params: &Params, out: &mut dyn Output) -> Result<Value, Failure> {
    let folder = Path::new(params.text("folder").unwrap_or_default());
    let pages = pages(&date());
    std::fs::create_dir_all(folder)
        .map_err(|error| format!("cannot make '{}': {error}", folder.display()))?;
    for (name, text) in &pages {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|error| format!("cannot write '{}': {error}", path.display()))?;
    }
    let line = format!("{} pages are written to '{}'\n", pages.len(), folder.display());
    out.write(Stream::Stdout, line.as_bytes());
    Ok(Value::Null)
}

/// Every page with its file's name.
fn pages(date: &str) -> Vec<(String, String)> {
    let mut pages = Vec::new();
    for program in [&HOOKVISOR].into_iter().chain(PROGRAMS.iter().copied()) {
        pages.push((format!("{}.1", program.name), page::program(program, date)));
        for command in shown(program) {
            let name = page::name(program, command);
            pages.push((format!("{name}.1"), page::command(program, command, date)));
        }
    }
    pages
}

/// The commands that are spoken of, by their names.
fn shown(program: &Program) -> Vec<&'static Command> {
    let mut shown: Vec<&Command> = program.commands.iter().filter(|command| !command.hidden).collect();
    shown.sort_by_key(|command| command.name);
    shown
}

/// The day that pages bear: of `SOURCE_DATE_EPOCH` (seconds since the Unix epoch), so that a build can be repeated, else today.
fn date() -> String {
    let given = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse().ok());
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |past| past.as_secs());
    day(given.unwrap_or_else(now))
}

/// A time in seconds since the Unix epoch as a day in UTC.
fn day(seconds: u64) -> String {
    // The calendar repeats every 400 years; a year that begins in March ends with its leap day.
    let days = seconds / 86_400 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_that_of_the_calendar() {
        for (seconds, want) in [
            (0, "1970-01-01"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_767_225_599, "2025-12-31"),
            (1_795_392_000, "2026-11-23"),
        ] {
            assert_eq!(day(seconds), want);
        }
    }

    #[test]
    fn the_units_of_the_package_are_described() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/systemd");
        let there = std::fs::read_dir(folder).unwrap();
        let mut there: Vec<String> =
            there.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        there.sort();
        let mut told: Vec<&str> = page::UNITS.iter().map(|unit| unit.name).collect();
        told.sort_unstable();
        assert_eq!(told, there);
    }

    #[test]
    fn every_command_has_a_page_that_leads_to_others() {
        let pages = pages("2026-11-23");
        let find = |name: &str| &pages.iter().find(|page| page.0 == name).unwrap().1;
        for name in ["hookvisor.1", "hookvisor-hooks-check.1", "qm.1", "pct-exec.1", "pvesh-get.1", "pvesm.1"]
        {
            assert!(find(name).starts_with(".\\\""), "{name}");
        }
        assert!(find("qm.1").contains(".BR qm\\-start (1)"), "{}", find("qm.1"));
        let create = find("qm-create.1");
        assert!(create.contains("\\fB\\-\\-net[n]\\fR") && create.contains(".BR qm (1)"), "{create}");
        let own = find("hookvisor.1");
        let (serve, status) = (find("hookvisor-serve.1"), find("hookvisor-status.1"));
        let unit = "hookvisor.service";
        assert!(own.contains(unit) && serve.contains(unit) && !status.contains(unit), "{serve}");
        assert!(serve.contains("/etc/default/hookvisor"), "{serve}");
        let order: Vec<&str> = own.lines().filter(|line| line.starts_with(".BR hookvisor\\-")).collect();
        assert!(order.len() > 10 && order.is_sorted(), "{order:?}");
        assert!(pages.iter().all(|page| !page.1.lines().any(|line| line.starts_with('\''))));
    }
}
