//! From the words to the exit code: parse, check, call, print.

use crate::cli::complete::{Lookup, complete as candidates};
use crate::cli::parse::{Asked, Unclear, parse};
use crate::cli::{Action, Answer, Command, Program, help};
use crate::format::Format;
use crate::output::{Aside, Terminal, complain, give_hint, print};
use crate::{programs, pvesh, remedy};
use api::{ApiError, Authority, Context, Given, Origin, Output};
use model::{ContentType, GuestKind, Layout, StorageId, Stream, Vmid};
use record::history;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::ExitCode;
use storage::Storages;
use store::ConfigStore;

/// The exit code of every failure, a command line that cannot be understood among them, as of Proxmox VE's commands.
const FAILURE: u8 = 255;
/// The exit code of a service that cannot be as it is configured, `EX_CONFIG` of sysexits(3): systemd does not try again until
/// somebody has put that right (`RestartPreventExitStatus=`).
const CONFIGURATION: u8 = 78;
/// How many runs of each guest are completed.
const RUNS: usize = 5;

/// Runs a program's command.
pub(crate) fn run(program: &'static Program, layout: &Layout, words: &[String]) -> ExitCode {
    let words = &pvesh::with_flags_behind(program, words)[..];
    let (about, done) = match parse(program, words) {
        Ok(Asked::Call { command, given, format }) => {
            let vmid = given.iter().find(|(name, _)| name == "vmid");
            let about = vmid.and_then(|(_, vmid)| vmid.joined().parse::<Vmid>().ok());
            let done = call(program, command, layout, given, format);
            (about, done.map_err(|failure| (command, failure)))
        }
        Ok(Asked::Path { command, of, words }) => {
            let path = words.iter().find(|word| word.contains('/'));
            let about = path.and_then(|path| path.split('/').find_map(|part| part.parse().ok()));
            let done = pvesh::run(program, command, of, layout, &words);
            (about, done.map_err(|failure| (command, failure)))
        }
        Ok(Asked::Help(text)) => {
            print(&text);
            return ExitCode::SUCCESS;
        }
        Ok(Asked::Undone(text)) | Err(Unclear(text)) => {
            complain(&text);
            return ExitCode::from(FAILURE);
        }
    };
    match done {
        Ok(code) => {
            give_hint();
            ExitCode::from(code)
        }
        Err((_, Failure::Told(text))) => {
            fail(&text);
            ExitCode::from(FAILURE)
        }
        Err((_, Failure::Configuration(text))) => {
            fail(&text);
            ExitCode::from(CONFIGURATION)
        }
        Err((command, Failure::Unclear(text))) => {
            fail(&format!("{text}{}\n", help::usage(program, command)));
            ExitCode::from(FAILURE)
        }
        Err((command, Failure::Api(error))) => {
            let mut text = error.printed();
            if matches!(error, ApiError::Parameters(_)) {
                text.push_str(&help::usage(program, command));
                text.push('\n');
            }
            if let Some(hint) = remedy::hint(&text, about) {
                Terminal.write(Stream::Stdout, hint.as_bytes());
            }
            fail(&text);
            ExitCode::from(error.manner().exit)
        }
    }
}

/// Prints why a command fails; where it is a service of systemd's, `systemctl status` has the first line.
fn fail(text: &str) {
    complain(text);
    let first = text.lines().next().unwrap_or_default();
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Status(first)]);
}

/// Why a command did not do what it was asked for.
pub(crate) enum Failure {
    /// A method failed.
    Api(ApiError),
    /// The words make no sense; its usage is shown behind the text.
    Unclear(String),
    /// A service that has to be configured another way, told in full.
    Configuration(String),
    /// Something else, told in full.
    Told(String),
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self::Told(format!("{text}\n"))
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

fn call(
    program: &Program,
    command: &Command,
    layout: &Layout,
    mut given: Vec<(String, Given)>,
    format: Format,
) -> Result<u8, Failure> {
    if let Some(fix) = command.fix {
        given = fix(given)?;
    }
    match command.action {
        Action::Path(_) => Ok(0),
        Action::Local(local) => {
            let params = api::check(command.parameters, given)?;
            if !command.anybody {
                allowed(layout)?;
            }
            // What is printed by the way is for people.
            let out: &mut dyn Output = if format == Format::Text { &mut Terminal } else { &mut Aside };
            let value = local(layout, &params, out)?;
            Ok(show(command, &value, &params, format))
        }
        Action::Method(method) => {
            let store = open(layout)?;
            if program.name == "pvesm" {
                warn_of_storages(&store);
            }
            if method.path.contains("{node}") {
                given.push(("node".to_owned(), Given::One(store.node().to_string())));
            }
            let mut terminal = Terminal;
            let origin = Origin::Command(program.name);
            let context = Context::new(&store, Authority::Owner, origin, &mut terminal);
            let params = api::prepare(&context, method, method.path, given)?;
            if let Some(stream) = command.stream.filter(|_| params.flag("follow", false)) {
                let mut code = 0;
                stream(&context, &params, &mut |value| code = show(command, value, &params, format))?;
                return Ok(code);
            }
            let value = (method.run)(&context, &params)?;
            Ok(show(command, &value, &params, format))
        }
    }
}

fn show(command: &Command, value: &serde_json::Value, params: &api::Params, format: Format) -> u8 {
    let (text, code) = (command.print)(&Answer { value, params });
    print(&format.print(value).unwrap_or(text));
    code
}

/// Opens the root for whoever owns it.
pub(crate) fn open(layout: &Layout) -> Result<ConfigStore, Failure> {
    allowed(layout)?;
    ConfigStore::open(layout.clone()).map_err(|error| Failure::Api(error.into()))
}

/// Says which lines and sections of `storage.cfg` are left out, in Proxmox VE's words. A file that cannot be read is the
/// command's own error.
fn warn_of_storages(store: &ConfigStore) {
    let warnings = store.storage_cfg_with_warnings().map(|(_, warnings)| warnings);
    warnings.iter().flatten().for_each(|warning| complain(&format!("{warning}\n")));
}

/// Authority is ownership of the root: who owns it may do everything in it, and nobody else anything.
fn allowed(layout: &Layout) -> Result<(), Failure> {
    let user = rustix::process::geteuid();
    let owner = fs::metadata(layout.pve()).or_else(|_| fs::metadata(layout.root())).map(|meta| meta.uid());
    match owner {
        Ok(owner) if user.is_root() || owner == user.as_raw() => Ok(()),
        Ok(_) => Err(Failure::Told("please run as root\n".to_owned())),
        // There is nothing yet: what comes next says so.
        Err(_) => Ok(()),
    }
}

/// `hookvisor complete -- WORD…`: what may stand in the place of the last word.
pub(crate) fn complete(layout: &Layout, words: &[String]) -> ExitCode {
    let words = words.strip_prefix(&["--".to_owned()]).unwrap_or(words);
    let Some((name, words)) = words.split_first() else { return ExitCode::from(FAILURE) };
    let name = name.rsplit('/').next().unwrap_or(name);
    let own = programs::named(name);
    let (program, words) = match (own, words.first()) {
        (Some(program), Some(first)) if program.name == "hookvisor" && words.len() > 1 => {
            match programs::PROGRAMS.iter().find(|program| program.name == first) {
                Some(program) => (*program, &words[1..]),
                None => (program, words),
            }
        }
        (Some(program), _) => (program, words),
        (None, _) => return ExitCode::from(FAILURE),
    };
    let host = Host(ConfigStore::open(layout.clone()).ok());
    let mut found = match pvesh::complete(program, words, layout, &host) {
        Some(found) => found,
        None => candidates(program, words, &host),
    };
    if program.name == "hookvisor" && words.len() == 1 {
        let others = programs::PROGRAMS.iter().map(|program| program.name.to_owned());
        found.extend(others.filter(|name| name.starts_with(&words[0])));
    }
    print(&found.iter().map(|word| format!("{word}\n")).collect::<String>());
    ExitCode::SUCCESS
}

struct Host(Option<ConfigStore>);

impl Lookup for Host {
    fn guests(&self, program: &str) -> Vec<String> {
        let only = match program {
            "qm" => Some(GuestKind::Qemu),
            "pct" => Some(GuestKind::Lxc),
            _ => None,
        };
        let all = self.0.as_ref().and_then(|store| store.list().ok()).unwrap_or_default();
        let wanted = all.into_iter().filter(|(_, kind)| only.is_none_or(|only| only == *kind));
        wanted.map(|(vmid, _)| vmid.to_string()).collect()
    }

    fn snippets(&self) -> Vec<String> {
        let storages = self.0.as_ref().and_then(|store| Storages::load(store).ok());
        let Some(storages) = storages else { return Vec::new() };
        let known = storages.ids().filter_map(|id| storages.enabled(id).ok());
        let folders = known.filter(|storage| storage.allows(ContentType::Snippets)).filter_map(|storage| {
            let folder = storage.folder(ContentType::Snippets).ok()?;
            let listed =
                storage::ask(&folder.clone(), move || Some(folder.read_dir().ok()?.flatten().collect()));
            Some((storage.id.clone(), listed??))
        });
        let names = |(id, entries): (StorageId, Vec<fs::DirEntry>)| {
            let names = entries.into_iter().map(|entry| entry.file_name().to_string_lossy().into_owned());
            names.map(move |name| format!("{id}:snippets/{name}")).collect::<Vec<_>>()
        };
        folders.flat_map(names).collect()
    }

    fn runs(&self) -> Vec<String> {
        let Some(store) = &self.0 else { return Vec::new() };
        let guests = store.list().unwrap_or_default().into_iter();
        let runs = guests.filter_map(|(vmid, _)| history::runs(store.layout(), vmid, RUNS).ok());
        runs.flat_map(|found| found.runs).map(|run| run.run.to_string()).collect()
    }

    fn storages(&self) -> Vec<String> {
        let cfg = self.0.as_ref().and_then(|store| store.storage_cfg().ok());
        let ids = cfg.map(|cfg| cfg.sections.iter().map(|section| section.id.to_string()).collect());
        ids.unwrap_or_default()
    }
}
