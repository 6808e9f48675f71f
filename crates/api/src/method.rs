//! What a method is: its place in the API's tree, its schema, who may call it, and the function that does it.

use crate::{ApiError, Context, Params, Permission};
use config::schema::Property;
use serde_json::Value;
use std::fmt;

/// The HTTP verbs that the API knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Reads.
    Get,
    /// Changes.
    Put,
    /// Makes, or does.
    Post,
    /// Removes.
    Delete,
}

impl Verb {
    /// Its name in HTTP.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Who serves a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Every transport, as at Proxmox VE.
    Api,
    /// Every transport; Proxmox VE has no such method.
    Extension,
    /// The command line alone, as at Proxmox VE.
    Command,
}

/// What a method returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returns {
    /// Nothing.
    Null,
    /// The id of the task that does it.
    Upid,
    /// A text.
    Text,
    /// An object with these keys, and others.
    Object(&'static [&'static str]),
    /// A list of objects with these keys, and others.
    List(&'static [&'static str]),
    /// A list of objects with these keys, and others; or, to who follows, each as it comes, by server-sent events.
    Events(&'static [&'static str]),
}

/// One method of the API.
#[derive(Debug)]
pub struct Method {
    /// Its path, with `{parameters}`.
    pub path: &'static str,
    /// Its verb.
    pub verb: Verb,
    /// What it does, in one sentence.
    pub description: &'static str,
    /// Its parameters, in several tables because many methods share some.
    pub parameters: &'static [&'static [Property]],
    /// Who may call it.
    pub permission: Permission,
    /// What it returns.
    pub returns: Returns,
    /// Whether it needs the rights of the root's owner, so that a server runs it in its privileged part.
    pub protected: bool,
    /// Who serves it.
    pub scope: Scope,
    /// The function. Parameters are checked before.
    pub run: fn(&Context<'_>, &Params) -> Result<Value, ApiError>,
}

impl Method {
    /// The parameters of all its tables.
    pub fn properties(&self) -> impl Iterator<Item = &'static Property> {
        self.parameters.iter().flat_map(|table| table.iter())
    }
}
