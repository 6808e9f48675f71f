//! What a program and a command are.

use crate::format::Format;
use crate::run::Failure;
use api::{ApiError, Context, Given, Method, Output, Params, Verb};
use config::schema::{Property, Type};
use model::Layout;
use serde_json::Value;

/// A name that the binary can be called by.
pub(crate) struct Program {
    /// The name.
    pub(crate) name: &'static str,
    /// One sentence.
    pub(crate) about: &'static str,
    /// The command that stands for all of them where one example is shown.
    pub(crate) example: &'static str,
    /// Its commands; those of two words first, then by name.
    pub(crate) commands: &'static [Command],
    /// Other names of commands.
    pub(crate) aliases: &'static [(&'static str, &'static str)],
    /// Commands of Proxmox VE's that there are none of here, by their first words.
    pub(crate) undone: &'static [&'static str],
}

/// One command.
pub(crate) struct Command {
    /// Its name: one word, or a group and words.
    pub(crate) name: &'static str,
    /// What it does, in one sentence.
    pub(crate) description: &'static str,
    /// A line that somebody would type.
    pub(crate) example: &'static str,
    /// Its parameters.
    pub(crate) parameters: &'static [&'static [Property]],
    /// What it calls.
    pub(crate) action: Action,
    /// The parameters that stand without their names, in their order.
    pub(crate) arguments: &'static [&'static str],
    /// The parameter that takes all further words.
    pub(crate) rest: Option<&'static str>,
    /// Whether it can answer in other formats than text.
    pub(crate) formats: bool,
    /// Whether lists and help leave it out.
    pub(crate) hidden: bool,
    /// Whether it touches no root, so that anybody may call it.
    pub(crate) anybody: bool,
    /// Changes values that a person writes another way than the API takes them.
    pub(crate) fix: Option<Fix>,
    /// Gives the answer in parts that do not end, when `--follow` is given.
    pub(crate) stream: Option<Stream>,
    /// Prints the answer for people and says the exit code.
    pub(crate) print: fn(&Answer<'_>) -> (String, u8),
}

/// What a command calls.
#[derive(Clone, Copy)]
pub(crate) enum Action {
    /// A method of the api.
    Method(&'static Method),
    /// Something that needs no root, or makes one.
    Local(Local),
    /// Whatever stands at the path that the first argument names.
    Path(OfPath),
}

/// What is done with a path of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OfPath {
    /// Its method of this verb is called.
    Call(Verb),
    /// What stands below it is listed.
    List,
    /// Its methods and their parameters are shown.
    Usage,
}

/// Hands over parts of an answer as they come.
pub(crate) type Stream = fn(&Context<'_>, &Params, &mut dyn FnMut(&Value)) -> Result<(), ApiError>;

/// Does something with the folder that is, or will be, a root.
pub(crate) type Local = fn(&Layout, &Params, &mut dyn Output) -> Result<Value, Failure>;

/// Changes a command's options before the call.
pub(crate) type Fix = fn(Vec<(String, Given)>) -> Result<Vec<(String, Given)>, ApiError>;

/// What a method said.
pub(crate) struct Answer<'a> {
    pub(crate) value: &'a Value,
    pub(crate) params: &'a Params,
}

impl Program {
    /// Whether it is none of Proxmox VE's, whose words are given.
    pub(crate) fn is_own(&self) -> bool {
        self.name == "hookvisor"
    }
}

impl Command {
    /// A command that prints nothing of what its method returns.
    pub(crate) const fn new(
        name: &'static str,
        method: &'static Method,
        arguments: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            description: method.description,
            example: "",
            parameters: method.parameters,
            action: Action::Method(method),
            arguments,
            rest: None,
            formats: false,
            hidden: false,
            anybody: false,
            fix: None,
            stream: None,
            print: |_| (String::new(), 0),
        }
    }

    /// A command that calls no method.
    pub(crate) const fn local(
        name: &'static str,
        description: &'static str,
        parameters: &'static [&'static [Property]],
        arguments: &'static [&'static str],
        run: Local,
    ) -> Self {
        Self {
            name,
            description,
            example: "",
            parameters,
            action: Action::Local(run),
            arguments,
            rest: None,
            formats: false,
            hidden: false,
            anybody: false,
            fix: None,
            stream: None,
            print: |_| (String::new(), 0),
        }
    }

    /// A command that is about a path of the API.
    pub(crate) const fn path(
        name: &'static str,
        description: &'static str,
        parameters: &'static [&'static [Property]],
        of: OfPath,
    ) -> Self {
        let local = Self::local(name, description, parameters, &["api_path"], |_, _, _| Ok(Value::Null));
        Self { action: Action::Path(of), formats: matches!(of, OfPath::Call(_)), ..local }
    }

    /// Says what somebody would type.
    pub(crate) const fn example(self, example: &'static str) -> Self {
        Self { example, ..self }
    }

    /// Prints the answer.
    pub(crate) const fn print(self, print: fn(&Answer<'_>) -> (String, u8)) -> Self {
        Self { print, ..self }
    }

    /// Takes all further words.
    pub(crate) const fn rest(self, parameter: &'static str) -> Self {
        Self { rest: Some(parameter), ..self }
    }

    /// Answers in all formats.
    pub(crate) const fn formats(self) -> Self {
        Self { formats: true, ..self }
    }

    /// May be called by anybody.
    pub(crate) const fn anybody(self) -> Self {
        Self { anybody: true, ..self }
    }

    /// Changes options before the call.
    pub(crate) const fn fix(self, fix: Fix) -> Self {
        Self { fix: Some(fix), ..self }
    }

    /// Can go on for ever.
    pub(crate) const fn stream(self, stream: Stream) -> Self {
        Self { stream: Some(stream), ..self }
    }

    /// The group it belongs to, where its name has several words.
    pub(crate) fn group(&self) -> Option<&'static str> {
        self.name.split_once(' ').map(|(group, _)| group)
    }

    /// Whether a parameter is set by the command itself: the command line always means this node.
    pub(crate) fn is_fixed(&self, name: &str) -> bool {
        matches!(self.action, Action::Method(method) if name == "node" && method.path.contains("{node}"))
    }

    /// All its parameters.
    pub(crate) fn properties(&self) -> impl Iterator<Item = &'static Property> {
        self.parameters.iter().flat_map(|table| table.iter())
    }

    /// The parameter with this name.
    pub(crate) fn property(&self, name: &str) -> Option<&'static Property> {
        self.properties().find(|property| property.name == name)
    }

    /// The parameters that are options: not arguments, not fixed.
    pub(crate) fn options(&self) -> impl Iterator<Item = &'static Property> {
        let own = self.properties().filter(|property| {
            !self.arguments.contains(&property.name)
                && self.rest != Some(property.name)
                && !self.is_fixed(property.name)
        });
        own.chain(self.formats.then_some(&OUTPUT_FORMAT))
    }
}

/// The option that every command with formats has.
pub(crate) static OUTPUT_FORMAT: Property = Property::string("output-format")
    .default("text")
    .one_of(&["text", "json", "json-pretty", "yaml"])
    .describe("The format of the answer.");

/// Reads `--output-format`.
pub(crate) fn output_format(name: Option<&str>) -> Format {
    name.and_then(Format::named).unwrap_or(Format::Text)
}

/// Whether several values of an option are kept.
pub(crate) fn keeps_all(property: &Property) -> bool {
    api::is_list(property) || matches!(property.kind, Type::Array(_))
}
