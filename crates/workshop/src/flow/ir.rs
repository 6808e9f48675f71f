//! What a script does, in one small language that shell, Python and Perl are brought to.

use std::rc::Rc;

/// A step, and the line that it stands on.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// From 1.
    pub(crate) line: usize,
    pub(crate) op: Op,
}

/// A function: a name for messages, its parameters, its body.
#[derive(Debug)]
pub(crate) struct Func {
    pub(crate) name: String,
    pub(crate) params: Vec<Param>,
    pub(crate) body: Node,
    /// A lambda returns what its body is worth.
    pub(crate) expression: bool,
}

/// A parameter of a function.
#[derive(Debug)]
pub(crate) struct Param {
    pub(crate) name: String,
    pub(crate) default: Option<Node>,
    /// Takes all that is left: `*args`.
    pub(crate) rest: bool,
}

/// A class: its functions, and what else its body assigns.
#[derive(Debug)]
pub(crate) struct Class {
    pub(crate) name: String,
    /// Whether it is an enumeration of values.
    pub(crate) enumeration: bool,
    pub(crate) body: Vec<Node>,
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rel {
    Equal,
    Differs,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// The right side holds the left one.
    In,
    /// A shell pattern on the right.
    Glob,
    /// A regular expression on the right.
    Regex,
}

/// What is calculated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Calc {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// What a value is assigned to.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// A variable, wherever it is visible.
    Name(String),
    /// A variable of this function.
    Local(String),
    /// One of a list or a map.
    Item(Box<Node>, Box<Node>),
    /// A field of an object.
    Field(Box<Node>, String),
    /// Several at once.
    Each(Vec<Target>),
    /// The rest of several.
    Rest(Box<Target>),
    /// Anything else: its value is lost.
    Lost,
}

/// Where an output goes.
#[derive(Debug, Clone)]
pub(crate) enum Goal {
    /// A file, with what is done to it.
    File(Node, Mode),
    /// Where another descriptor goes.
    Same(u32),
    /// Nowhere, or to a process that ends when nobody writes any more.
    Elsewhere,
}

/// What is done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Read,
    Write,
    Append,
}

/// `2>FILE`
#[derive(Debug, Clone)]
pub(crate) struct Redirect {
    /// Descriptors: one, or both outputs.
    pub(crate) from: Vec<u32>,
    pub(crate) to: Goal,
}

/// What stands behind a shell parameter: `${x:-word}`.
#[derive(Debug, Clone)]
pub(crate) enum Expansion {
    /// `:-`, `-`: another value where there is none.
    Default(Box<Node>),
    /// `:=`, `=`: and that stays.
    Assign(Box<Node>),
    /// `:+`, `+`
    Alternative(Box<Node>),
    /// `:?`, `?`: the end of the script where there is none.
    Demand,
    /// `//from/to`, `/from/to`
    Replace {
        all: bool,
        from: Box<Node>,
        to: Box<Node>,
    },
    /// `#pattern`, `##pattern`
    CutFront {
        longest: bool,
        pattern: Box<Node>,
    },
    /// `%pattern`, `%%pattern`
    CutBack {
        longest: bool,
        pattern: Box<Node>,
    },
    /// `^^`, `,,` and their like.
    Upper,
    Lower,
    /// What is not worked out.
    Other,
}

/// One arm of a choice.
#[derive(Debug, Clone)]
pub(crate) struct Arm {
    /// Patterns or values, of which one must fit; none: always.
    pub(crate) patterns: Vec<Node>,
    /// `case [...] if GUARD`
    pub(crate) guard: Option<Node>,
    pub(crate) body: Node,
    /// Goes on with the next arm's body.
    pub(crate) falls_through: bool,
}

/// What a step does or is worth.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Text(String),
    Int(i64),
    Bool(bool),
    Nothing,
    /// Unknown, with words about what it comes of, after these steps.
    Unknown(String, Vec<Node>),
    Var(String),
    Concat(Vec<Node>),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    /// All of a list, in the place of one.
    Spread(Box<Node>),
    /// How many there are in a list.
    Length(Box<Node>),
    Item(Box<Node>, Box<Node>),
    Field(Box<Node>, String),
    Expand(Box<Node>, String, Expansion),
    /// `$?`
    LastStatus,
    Calc(Calc, Box<Node>, Box<Node>),
    Compare(Rel, Box<Node>, Box<Node>),
    /// A test whose outcome depends on the host: `-f PATH`.
    Probe(String, Vec<Node>),
    /// Whether a text is empty, `-z`; asks of a variable without reading it.
    Empty(Box<Node>),
    /// Whether a variable or item is there.
    Exists(Box<Node>),
    Not(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    If(Box<Node>, Box<Node>, Box<Node>),
    Choose(Box<Node>, Rel, Vec<Arm>),
    /// `until` is a negated condition; `after` runs after each turn.
    Loop {
        condition: Box<Node>,
        body: Box<Node>,
        after: Option<Box<Node>>,
        last: Option<Box<Node>>,
    },
    For {
        target: Target,
        items: Box<Node>,
        body: Box<Node>,
    },
    Seq(Vec<Node>),
    Assign(Target, Box<Node>),
    /// An assignment that leaves the value it had, as `n++` is worth.
    AssignAfter(Target, Box<Node>, Box<Node>),
    /// `((…))`: fails where it is zero.
    Arithmetic(Box<Node>),
    /// A command of the shell, with variables of its own.
    Command(Vec<(String, Node)>, Vec<Node>),
    Redirected(Box<Node>, Vec<Redirect>),
    Pipeline(Vec<Node>),
    Subshell(Box<Node>),
    Background(Box<Node>),
    /// What a command prints.
    Capture(Box<Node>),
    Call(Box<Node>, Vec<Node>, Vec<(String, Node)>),
    Func(Rc<Func>),
    Class(Rc<Class>),
    /// A name from outside: `subprocess.run`.
    Outside(String),
    /// Variables that belong to the whole script.
    Global(Vec<String>),
    Break,
    Continue,
    Return(Option<Box<Node>>),
    /// The end of the process.
    Exit(Option<Box<Node>>),
    /// An exception; `die`.
    Raise(Vec<Node>),
    Try {
        body: Box<Node>,
        handlers: Vec<Node>,
        otherwise: Option<Box<Node>>,
        lastly: Option<Box<Node>>,
    },
    /// What cannot be followed, and why; everything may have changed.
    Opaque(String, Vec<Node>),
}

impl Node {
    pub(crate) fn new(line: usize, op: Op) -> Self {
        Self { line, op }
    }

    pub(crate) fn nothing(line: usize) -> Self {
        Self::new(line, Op::Nothing)
    }

    pub(crate) fn text(line: usize, text: impl Into<String>) -> Self {
        Self::new(line, Op::Text(text.into()))
    }

    pub(crate) fn var(line: usize, name: impl Into<String>) -> Self {
        Self::new(line, Op::Var(name.into()))
    }

    pub(crate) fn boxed(self) -> Box<Self> {
        Box::new(self)
    }

    /// The other truth.
    pub(crate) fn negated(self) -> Self {
        Self { line: self.line, op: Op::Not(self.boxed()) }
    }

    /// The steps right below this one.
    pub(crate) fn children(&self) -> Vec<&Self> {
        use Op::{
            And, Arithmetic, Assign, AssignAfter, Background, Calc, Call, Capture, Choose, Command, Compare,
            Concat, Empty, Exists, Exit, Expand, Field, For, If, Item, Length, List, Loop, Map, Not, Opaque,
            Or, Pipeline, Probe, Raise, Redirected, Return, Seq, Spread, Subshell, Try, Unknown,
        };
        let mut below: Vec<&Self> = Vec::new();
        match &self.op {
            Unknown(_, nodes)
            | Concat(nodes)
            | List(nodes)
            | Probe(_, nodes)
            | Seq(nodes)
            | Pipeline(nodes)
            | Raise(nodes)
            | Opaque(_, nodes) => below.extend(nodes),
            Map(pairs) => below.extend(pairs.iter().flat_map(|(key, value)| [key, value])),
            Spread(a)
            | Length(a)
            | Field(a, _)
            | Empty(a)
            | Exists(a)
            | Not(a)
            | Arithmetic(a)
            | Subshell(a)
            | Background(a)
            | Capture(a) => below.push(a),
            Expand(a, _, how) => {
                below.push(a);
                match how {
                    Expansion::Default(b) | Expansion::Assign(b) | Expansion::Alternative(b) => below.push(b),
                    Expansion::Replace { from, to, .. } => below.extend([&**from, &**to]),
                    Expansion::CutFront { pattern, .. } | Expansion::CutBack { pattern, .. } => {
                        below.push(pattern)
                    }
                    Expansion::Demand | Expansion::Upper | Expansion::Lower | Expansion::Other => {}
                }
            }
            Item(a, b) | Calc(_, a, b) | Compare(_, a, b) | And(a, b) | Or(a, b) => {
                below.extend([&**a, &**b])
            }
            If(a, b, c) => below.extend([&**a, &**b, &**c]),
            Choose(subject, _, arms) => {
                below.push(subject);
                for arm in arms {
                    below.extend(&arm.patterns);
                    below.extend(&arm.guard);
                    below.push(&arm.body);
                }
            }
            Loop { condition, body, after, last } => {
                below.extend([&**condition, &**body]);
                below.extend(after.iter().chain(last).map(|node| &**node));
            }
            For { items, body, .. } => below.extend([&**items, &**body]),
            Assign(target, value) => {
                target.nodes(&mut below);
                below.push(value);
            }
            AssignAfter(target, value, was) => {
                target.nodes(&mut below);
                below.extend([&**value, &**was]);
            }
            Command(own, words) => {
                below.extend(own.iter().map(|(_, value)| value));
                below.extend(words);
            }
            Redirected(body, redirects) => {
                below.push(body);
                below.extend(redirects.iter().filter_map(|redirect| match &redirect.to {
                    Goal::File(node, _) => Some(node),
                    Goal::Same(_) | Goal::Elsewhere => None,
                }));
            }
            Call(callee, words, named) => {
                below.push(callee);
                below.extend(words);
                below.extend(named.iter().map(|(_, value)| value));
            }
            Return(value) | Exit(value) => below.extend(value.iter().map(|value| &**value)),
            Try { body, handlers, otherwise, lastly } => {
                below.push(body);
                below.extend(handlers);
                below.extend(otherwise.iter().chain(lastly).map(|node| &**node));
            }
            Op::Text(_)
            | Op::Int(_)
            | Op::Bool(_)
            | Op::Nothing
            | Op::Var(_)
            | Op::LastStatus
            | Op::Func(_)
            | Op::Class(_)
            | Op::Outside(_)
            | Op::Global(_)
            | Op::Break
            | Op::Continue => {}
        }
        below
    }

    /// Calls `see` for this step and for all below it, those of functions that are defined here left out.
    pub(crate) fn walk<'n>(&'n self, see: &mut dyn FnMut(&'n Self)) {
        see(self);
        for child in self.children() {
            child.walk(see);
        }
    }
}

impl Target {
    fn nodes<'n>(&'n self, into: &mut Vec<&'n Node>) {
        match self {
            Self::Item(a, b) => into.extend([&**a, &**b]),
            Self::Field(a, _) => into.push(a),
            Self::Each(targets) => targets.iter().for_each(|target| target.nodes(into)),
            Self::Rest(target) => target.nodes(into),
            Self::Name(_) | Self::Local(_) | Self::Lost => {}
        }
    }
}
