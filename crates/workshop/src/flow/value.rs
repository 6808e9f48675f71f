//! What can be known of a value without running the script.

use super::ir::{Class, Func};
use std::rc::Rc;

/// A value, as far as it is known.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Text(Vec<Piece>),
    Int(i64),
    Bool(bool),
    Nothing,
    /// Never assigned.
    Unset,
    List(Rc<Vec<Value>>),
    Map(Rc<Vec<(Value, Value)>>),
    Func(Rc<Func>),
    /// A function of an object, with that object.
    Bound(Rc<Func>, Rc<Value>),
    Class(Rc<Class>),
    /// An object by its number: its fields are kept as variables.
    Object(usize, Rc<Class>),
    /// A name from outside, and what is called on it.
    Outside(Rc<str>),
    /// How a command ended.
    Status(Status),
    /// Words about what it comes of.
    Unknown(Rc<str>),
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Known(String),
    /// The first argument: some number.
    Vmid,
    /// Words about what it comes of.
    Unknown(Rc<str>),
}

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Status {
    Success,
    Failure,
    Either,
}

impl Status {
    pub(crate) fn of(code: i64) -> Self {
        if code & 0xff == 0 { Self::Success } else { Self::Failure }
    }

    pub(crate) fn from_truth(truth: Option<bool>) -> Self {
        match truth {
            Some(true) => Self::Success,
            Some(false) => Self::Failure,
            None => Self::Either,
        }
    }
}

impl Value {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(vec![Piece::Known(text.into())])
    }

    pub(crate) fn vmid() -> Self {
        Self::Text(vec![Piece::Vmid])
    }

    pub(crate) fn unknown(about: impl AsRef<str>) -> Self {
        let about: String = about.as_ref().chars().take(300).collect();
        Self::Unknown(about.into())
    }

    pub(crate) fn list(values: Vec<Self>) -> Self {
        Self::List(Rc::new(values))
    }

    /// The text where all of it is known.
    pub(crate) fn known(&self) -> Option<String> {
        match self {
            Self::Text(pieces) => known(pieces),
            Self::Int(number) => Some(number.to_string()),
            _ => None,
        }
    }

    pub(crate) fn is_vmid(&self) -> bool {
        matches!(self, Self::Text(pieces) if matches!(without_empty(pieces)[..], [Piece::Vmid]))
    }

    /// As text, in pieces.
    pub(crate) fn pieces(&self) -> Vec<Piece> {
        match self {
            Self::Text(pieces) => pieces.clone(),
            Self::Int(number) => vec![Piece::Known(number.to_string())],
            Self::Bool(truth) => vec![Piece::Known(if *truth { "1" } else { "0" }.to_owned())],
            Self::Nothing | Self::Unset => vec![Piece::Known(String::new())],
            Self::Unknown(about) | Self::Outside(about) => vec![Piece::Unknown(about.clone())],
            Self::List(values) => {
                let mut pieces = Vec::new();
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        pieces.push(Piece::Known(" ".to_owned()));
                    }
                    pieces.extend(value.pieces());
                }
                pieces
            }
            _ => vec![Piece::Unknown("?".into())],
        }
    }

    pub(crate) fn int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Bool(truth) => Some(i64::from(*truth)),
            Self::Text(pieces) => {
                let text = known(pieces)?;
                let text = text.trim();
                if text.is_empty() { Some(0) } else { text.parse().ok() }
            }
            _ => None,
        }
    }

    /// For people, and for the comparison of one command with another: `$…` where it is not known.
    pub(crate) fn shown(&self) -> String {
        shown(&self.pieces())
    }
}

/// The text where all of it is known.
pub(crate) fn known(pieces: &[Piece]) -> Option<String> {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Known(part) => text.push_str(part),
            Piece::Vmid | Piece::Unknown(_) => return None,
        }
    }
    Some(text)
}

/// For people: `VMID` and `$…` where it is not known.
pub(crate) fn shown(pieces: &[Piece]) -> String {
    let part = |piece: &Piece| match piece {
        Piece::Known(text) => text.clone(),
        Piece::Vmid => "VMID".to_owned(),
        Piece::Unknown(about) => format!("\u{ab}{about}\u{bb}"),
    };
    pieces.iter().map(part).collect()
}

/// A text for people, as a part of a sentence: one line, not too long, without marks around what is not known.
pub(crate) fn readable(text: &str) -> String {
    const MOST: usize = 60;
    let text: String = text.chars().filter(|c| !matches!(c, '\u{ab}' | '\u{bb}')).collect();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}\u{2026}", text[..at].trim_end()),
        None => text,
    }
}

fn without_empty(pieces: &[Piece]) -> Vec<&Piece> {
    pieces.iter().filter(|piece| !matches!(piece, Piece::Known(text) if text.is_empty())).collect()
}

/// Whether two values are the same, where that is certain.
pub(crate) fn equal(a: &Value, b: &Value) -> Option<bool> {
    match (a, b) {
        (Value::Unknown(_) | Value::Outside(_), _) | (_, Value::Unknown(_) | Value::Outside(_)) => None,
        (Value::Nothing | Value::Unset, Value::Nothing | Value::Unset) => Some(true),
        (Value::Bool(a), Value::Bool(b)) => Some(a == b),
        (Value::Int(a), Value::Int(b)) => Some(a == b),
        (Value::List(a), Value::List(b)) if a.len() == b.len() => {
            let mut all = Some(true);
            for (a, b) in a.iter().zip(b.iter()) {
                match equal(a, b) {
                    Some(true) => {}
                    Some(false) => return Some(false),
                    None => all = None,
                }
            }
            all
        }
        (Value::List(_), Value::List(_)) => Some(false),
        (Value::Text(_) | Value::Int(_), Value::Text(_) | Value::Int(_) | Value::Unset)
        | (Value::Unset, Value::Text(_) | Value::Int(_)) => equal_pieces(&a.pieces(), &b.pieces()),
        (Value::Text(_) | Value::Int(_), Value::Nothing)
        | (Value::Nothing, Value::Text(_) | Value::Int(_)) => Some(false),
        (Value::Object(a, _), Value::Object(b, _)) => Some(a == b),
        _ => None,
    }
}

fn equal_pieces(a: &[Piece], b: &[Piece]) -> Option<bool> {
    let (left, right) = (without_empty(a), without_empty(b));
    if left == right && !left.iter().any(|piece| matches!(piece, Piece::Unknown(_))) {
        return Some(true);
    }
    if let (Some(a), Some(b)) = (known(a), known(b)) {
        return Some(a == b);
    }
    // A number is never a word, and no text begins or ends in two ways.
    let digits = |pieces: &[&Piece]| matches!(pieces, [Piece::Vmid]);
    for (one, other) in [(&left, b), (&right, a)] {
        if let (true, Some(text)) = (digits(one), known(other)) {
            return if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
                None
            } else {
                Some(false)
            };
        }
    }
    let edge = |a: Option<&&Piece>, b: Option<&&Piece>, back: bool| match (a, b) {
        (Some(Piece::Known(a)), Some(Piece::Known(b))) => {
            let least = a.len().min(b.len());
            if back {
                a.as_bytes()[a.len() - least..] != b.as_bytes()[b.len() - least..]
            } else {
                a.as_bytes()[..least] != b.as_bytes()[..least]
            }
        }
        _ => false,
    };
    if edge(left.first(), right.first(), false) || edge(left.last(), right.last(), true) {
        return Some(false);
    }
    None
}

/// One value for two: what both are, or unknown.
pub(crate) fn join(a: &Value, b: &Value) -> Value {
    let same = match (a, b) {
        (Value::Unset, Value::Unset) => true,
        (Value::Unset, _) | (_, Value::Unset) => false,
        (Value::Func(a), Value::Func(b)) => Rc::ptr_eq(a, b),
        (Value::Class(a), Value::Class(b)) => Rc::ptr_eq(a, b),
        (Value::Outside(a), Value::Outside(b)) => a == b,
        (Value::Status(a), Value::Status(b)) if a != b => return Value::Status(Status::Either),
        (Value::Status(_), Value::Status(_)) => true,
        (Value::Map(a), Value::Map(b)) => Rc::ptr_eq(a, b),
        (Value::Text(a), Value::Text(b)) => a == b,
        (Value::Unknown(a), Value::Unknown(b)) => a == b,
        (Value::List(a), Value::List(b)) if Rc::ptr_eq(a, b) => true,
        (a, b) => equal(a, b) == Some(true),
    };
    if same {
        return a.clone();
    }
    let (left, right) = (a.shown(), b.shown());
    Value::unknown(if left.is_empty() { right } else { left })
}
