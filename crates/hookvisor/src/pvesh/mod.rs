//! The commands of `pvesh`: each is about the methods at a path, so their options are known only with it.

mod complete;
mod list;
mod request;
mod text;
mod usage;

pub(crate) use complete::complete;

use crate::cli::{Command, OfPath, Program};
use crate::output::{Terminal, complain, print};
use crate::programs::plain;
use crate::run::{Failure, open};
use api::{ApiError, Authority, Context, Origin, Verb};
use model::Layout;
use request::Request;
use serde_json::Value;
use std::io::IsTerminal;

/// The exit code where a path has nothing of what is asked for.
const NO_HANDLER: u8 = 1;

/// Of old, `--noproxy` and `--nooutput` stood before the command: moves them to its options.
pub(crate) fn with_flags_behind(program: &Program, words: &[String]) -> Vec<String> {
    let flags = words.iter().take_while(|word| matches!(word.as_str(), "--noproxy" | "--nooutput")).count();
    if program.name != "pvesh" || flags == 0 {
        return words.to_vec();
    }
    let mut moved = words[flags..].to_vec();
    if words[..flags].iter().any(|word| word == "--nooutput") {
        moved.push("--quiet".to_owned());
    }
    moved
}

/// Carries a command out and says its exit code.
pub(crate) fn run(
    program: &'static Program,
    command: &Command,
    of: OfPath,
    layout: &Layout,
    words: &[String],
) -> Result<u8, Failure> {
    let (path, words) =
        request::path(words).ok_or_else(|| Failure::Unclear("400 not enough arguments\n".to_owned()))?;
    match of {
        OfPath::Call(verb) => call(program, command, verb, layout, &path, &words),
        OfPath::List => {
            Request::read(command, None, &words).map_err(Failure::Unclear)?;
            within(program, layout, |context| {
                Ok(list::list(context, &path)?.map_or_else(|| none("ls", &path), shown))
            })
        }
        OfPath::Usage => {
            let request = Request::read(command, None, &words).map_err(Failure::Unclear)?;
            Ok(usage::usage(program, &path, &request.given).map_or_else(|| none("usage", &path), shown))
        }
    }
}

fn shown(text: String) -> u8 {
    print(&text);
    0
}

fn none(command: &str, path: &str) -> u8 {
    complain(&format!("No '{command}' handler defined for '{path}'\n"));
    NO_HANDLER
}

fn within<T>(
    program: &'static Program,
    layout: &Layout,
    work: impl FnOnce(&Context<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let store = open(layout)?;
    let mut terminal = Terminal;
    work(&Context::new(&store, Authority::Owner, Origin::Command(program.name), &mut terminal))
}

fn call(
    program: &'static Program,
    command: &Command,
    verb: Verb,
    layout: &Layout,
    path: &str,
    words: &[String],
) -> Result<u8, Failure> {
    let Some(found) = api::find(verb, path) else { return Ok(none(command.name, path)) };
    let request = Request::read(command, Some(found.method), words).map_err(Failure::Unclear)?;
    let answer = within(program, layout, |context| {
        api::call(context, verb, path, request.given.clone()).map_err(Failure::Api)
    });
    let value = match answer {
        Ok(value) => value,
        // As at Proxmox VE: there is a task, and its end is another matter.
        Err(Failure::Api(error)) => Value::from(task_of(error)?),
        Err(failure) => return Err(failure),
    };
    if !request.quiet && !value.is_null() {
        let width = std::io::stdout().is_terminal().then(width).flatten();
        let text = request
            .format
            .print(&value)
            .unwrap_or_else(|| text::text(&value, &api::shape(found.method), request.style, width));
        print(&text);
    }
    Ok(0)
}

/// The id of a task that failed; what it failed with is told.
fn task_of(error: ApiError) -> Result<String, Failure> {
    match &error {
        ApiError::Task { upid: Some(upid), .. } | ApiError::Warnings { upid, .. } => {
            complain(&error.printed());
            Ok(upid.to_string())
        }
        _ => Err(Failure::Api(error)),
    }
}

/// The columns of the terminal.
fn width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// A field of a row that names something, as a path has it.
fn name_in(row: &Value, keys: &[&str]) -> Option<String> {
    keys.iter().map(|key| plain(&row[*key])).find(|name| !name.is_empty())
}
