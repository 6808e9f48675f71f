//! What answers look like: their fields with types, which tables for people and the API's description are made from.
//!
//! The shapes stand in `returns.txt`, a line a method, in a short notation: `{a:str, b?:int}` is an object whose `b` may
//! be absent, `[…]` a list, `str?` a text or null, `scalar` a text or a number. `bytes`, `duration`, `time` and `share` are
//! numbers that people read in another form, and `pid:int"PID"` has a title.

use crate::method::{Method, Returns};
use std::collections::HashMap;
use std::sync::LazyLock;

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// Anything.
    Any,
    /// Nothing.
    Null,
    /// One value.
    One(Kind),
    /// A list.
    List(Box<Shape>),
    /// Named values; there may be others.
    Object(Vec<Field>),
    /// This, or null where there is nothing.
    Maybe(Box<Shape>),
}

impl Shape {
    /// What it is where it is not null.
    #[must_use]
    pub fn bare(&self) -> &Self {
        match self {
            Self::Maybe(shape) => shape,
            other => other,
        }
    }
}

/// What one value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A text, or a number where it is one.
    Scalar,
    /// `0` or `1`.
    Boolean,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// Bytes.
    Bytes,
    /// Seconds.
    Duration,
    /// Seconds since the Unix epoch.
    Time,
    /// A part of 1.
    Share,
}

impl Kind {
    const NAMES: [(&'static str, Self); 9] = [
        ("str", Self::Text),
        ("scalar", Self::Scalar),
        ("bool", Self::Boolean),
        ("int", Self::Integer),
        ("num", Self::Number),
        ("bytes", Self::Bytes),
        ("duration", Self::Duration),
        ("time", Self::Time),
        ("share", Self::Share),
    ];

    /// Whether it is a number, which stands on the right of a column.
    #[must_use]
    pub fn is_number(self) -> bool {
        !matches!(self, Self::Text | Self::Scalar | Self::Boolean)
    }
}

/// A field of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// The head of its column.
    pub title: String,
    /// Whether it may be absent.
    pub optional: bool,
    /// What it is.
    pub shape: Shape,
}

static SHAPES: LazyLock<HashMap<(&str, &str), Shape>> = LazyLock::new(|| {
    let lines = include_str!("returns.txt").lines();
    let parsed = lines.filter_map(|line| {
        let (verb, rest) = line.split_once(' ')?;
        let (path, notation) = rest.split_once(' ')?;
        Some(((verb, path), parse(notation)?))
    });
    parsed.collect()
});

/// What a method answers.
#[must_use]
pub fn shape(method: &Method) -> Shape {
    if let Some(known) = SHAPES.get(&(method.verb.as_str(), method.path)) {
        return known.clone();
    }
    let fields = |names: &[&str]| {
        let field = |name: &&str| Field {
            name: (*name).to_owned(),
            title: (*name).to_owned(),
            optional: false,
            shape: Shape::Any,
        };
        Shape::Object(names.iter().map(field).collect())
    };
    match method.returns {
        Returns::Null => Shape::Null,
        Returns::Upid | Returns::Text => Shape::One(Kind::Text),
        Returns::Object(names) => fields(names),
        Returns::List(names) | Returns::Events(names) => Shape::List(Box::new(fields(names))),
    }
}

fn parse(notation: &str) -> Option<Shape> {
    let mut rest = notation.trim();
    let shape = value(&mut rest)?;
    rest.is_empty().then_some(shape)
}

fn value(rest: &mut &str) -> Option<Shape> {
    let shape = always(rest)?;
    Some(if eat(rest, "?") { Shape::Maybe(Box::new(shape)) } else { shape })
}

fn always(rest: &mut &str) -> Option<Shape> {
    if eat(rest, "[") {
        let item = value(rest)?;
        return eat(rest, "]").then(|| Shape::List(Box::new(item)));
    }
    if eat(rest, "{") {
        let mut fields = Vec::new();
        while !eat(rest, "}") {
            fields.push(field(rest)?);
            eat(rest, ", ");
        }
        return Some(Shape::Object(fields));
    }
    match word(rest) {
        "any" => Some(Shape::Any),
        "null" => Some(Shape::Null),
        name => Kind::NAMES.iter().find(|known| known.0 == name).map(|known| Shape::One(known.1)),
    }
}

fn field(rest: &mut &str) -> Option<Field> {
    let name = word(rest).to_owned();
    let optional = eat(rest, "?");
    let shape = if eat(rest, ":") { value(rest)? } else { return None };
    let title = if eat(rest, "\"") {
        let (title, after) = rest.split_once('"')?;
        *rest = after;
        title.to_owned()
    } else {
        name.clone()
    };
    (!name.is_empty()).then_some(Field { name, title, optional, shape })
}

fn eat(rest: &mut &str, what: &str) -> bool {
    let after = rest.strip_prefix(what);
    *rest = after.unwrap_or(rest);
    after.is_some()
}

fn word<'t>(rest: &mut &'t str) -> &'t str {
    let end = rest.find(|c: char| !c.is_alphanumeric() && !"-_".contains(c)).unwrap_or(rest.len());
    let (word, after) = rest.split_at(end);
    *rest = after;
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::METHODS;

    #[test]
    fn every_line_is_understood_and_belongs_to_a_method() {
        let mut before = String::new();
        for line in include_str!("returns.txt").lines() {
            let parts: Vec<&str> = line.splitn(3, ' ').collect();
            let [verb, path, notation] = parts[..] else { panic!("{line}") };
            assert!(parse(notation).is_some(), "{line}");
            assert!(
                METHODS.iter().any(|method| (method.verb.as_str(), method.path) == (verb, path)),
                "{line}"
            );
            let key = format!("{path} {verb}");
            assert!(before < key, "{line}");
            before = key;
        }
        assert_eq!(SHAPES.len(), include_str!("returns.txt").lines().count());
    }

    /// The fields that a method promises are in its shape.
    #[test]
    fn shapes_have_the_fields_that_methods_name() {
        for method in
            METHODS.iter().copied().filter(|method| SHAPES.contains_key(&(method.verb.as_str(), method.path)))
        {
            let (names, fields) = match (method.returns, shape(method).bare().clone()) {
                (Returns::List(names) | Returns::Events(names), Shape::List(item)) => match *item {
                    Shape::Object(fields) => (names, fields),
                    _ => continue,
                },
                (Returns::Object(names), Shape::Object(fields)) => (names, fields),
                (returns, shape) => {
                    let same = matches!(
                        (returns, &shape),
                        (Returns::Null, Shape::Null) | (Returns::Text | Returns::Upid, Shape::One(_))
                    );
                    assert!(same, "{} {}: {returns:?} {shape:?}", method.verb, method.path);
                    continue;
                }
            };
            for name in names {
                assert!(fields.iter().any(|field| field.name == *name), "{} {name}", method.path);
            }
        }
    }

    #[test]
    fn the_notation() {
        let Some(Shape::List(item)) = parse("[{a:str, b-c?:bytes\"B C\", d:{e:[int]}, f?:scalar?}]") else {
            panic!()
        };
        let Shape::Object(fields) = *item else { panic!() };
        assert_eq!((fields[0].title.as_str(), fields[0].optional), ("a", false));
        assert_eq!((fields[1].title.as_str(), fields[1].optional), ("B C", true));
        assert_eq!(fields[1].shape, Shape::One(Kind::Bytes));
        assert_eq!(fields[3].shape, Shape::Maybe(Box::new(Shape::One(Kind::Scalar))));
        for wrong in ["", "{a}", "[int", "int]", "{:int}", "what"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
