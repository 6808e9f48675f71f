//! Worker processes: a method that makes a task is called in a process of its own, which goes on when the server ends.
//!
//! The server bears one for each such call (`hookvisor worker`, with a socket as descriptor 3) and sends it an [`Order`]. The
//! worker says its pid and then its [`Word`], once: the task's id as soon as there is one, else how the call ended. It closes the socket
//! when it is over.

use crate::answer::{Failure, Success};
use access::Access;
use api::{ApiError, Authority, Context, Given, Origin, Output, Verb};
use model::{Layout, Stream, Upid, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use store::ConfigStore;

/// What a worker is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    verb: String,
    path: String,
    given: Vec<(String, GivenText)>,
    /// Who calls; none for the root's owner.
    user: Option<UserId>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum GivenText {
    One(String),
    Many(Vec<String>),
}

/// What a worker says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Word {
    /// The id of the task that has begun, or what the call returned.
    Data(Value),
    /// There is no task.
    Failure { status: u16, message: String, errors: Vec<(String, String)> },
}

impl Order {
    pub(crate) fn new(verb: Verb, path: &str, given: Vec<(String, Given)>, authority: &Authority) -> Self {
        let text = |given| match given {
            Given::One(text) => GivenText::One(text),
            Given::Many(list) => GivenText::Many(list),
        };
        let user = match authority {
            Authority::Owner => None,
            other => Some(other.user()),
        };
        let given = given.into_iter().map(|(name, value)| (name, text(value))).collect();
        Self { verb: verb.to_string(), path: path.to_owned(), given, user }
    }
}

impl Word {
    pub(crate) fn result(self) -> Result<Success, Failure> {
        match self {
            Self::Data(data) => Ok(Success { data, ..Success::default() }),
            Self::Failure { status, message, errors } => {
                Err(Failure { errors, ..Failure::new(status, message) })
            }
        }
    }
}

impl From<Failure> for Word {
    fn from(Failure { status, message, errors, .. }: Failure) -> Self {
        Self::Failure { status, message, errors }
    }
}

/// Carries one order out, whoever listens. Returns the exit code.
#[must_use]
pub fn work(layout: &Layout, stream: UnixStream) -> i32 {
    let _ = writeln!(&stream, "{}", std::process::id());
    let mut line = String::new();
    let read = BufReader::new(&stream).read_line(&mut line);
    let Some(order) = read.ok().and_then(|_| serde_json::from_str::<Order>(&line).ok()) else { return 2 };
    let mut teller = Teller { stream, told: false };
    match carry_out(layout, order, &mut teller) {
        Ok(data) => teller.tell(&Word::Data(data)),
        Err(error) => teller.tell(&Word::from(Failure::from(error))),
    }
    0
}

fn carry_out(layout: &Layout, order: Order, teller: &mut Teller) -> Result<Value, ApiError> {
    let store = ConfigStore::open(layout.clone())?;
    let authority = match order.user {
        None => Authority::Owner,
        Some(user) => Authority::User(user, Access::open(layout).rights()?),
    };
    let verbs = [Verb::Get, Verb::Put, Verb::Post, Verb::Delete];
    let unknown = || ApiError::NotImplemented { verb: "?", path: order.path.clone() };
    let verb = verbs.into_iter().find(|verb| verb.as_str() == order.verb).ok_or_else(unknown)?;
    let given = order.given.into_iter().map(|(name, value)| match value {
        GivenText::One(text) => (name, Given::One(text)),
        GivenText::Many(list) => (name, Given::Many(list)),
    });
    let context = Context::new(&store, authority, Origin::Server, teller);
    api::call(&context, verb, &order.path, given)
}

/// Tells the server one word. That nobody listens any more changes nothing.
struct Teller {
    stream: UnixStream,
    told: bool,
}

impl Teller {
    fn tell(&mut self, word: &Word) {
        if !std::mem::replace(&mut self.told, true) {
            let mut line = serde_json::to_vec(word).unwrap_or_default();
            line.push(b'\n');
            let _ = self.stream.write_all(&line);
        }
    }
}

impl Output for Teller {
    /// What a task prints is in its log.
    fn write(&mut self, _: Stream, _: &[u8]) {}

    fn began(&mut self, upid: &Upid) {
        self.tell(&Word::Data(Value::from(upid.to_string())));
    }
}
