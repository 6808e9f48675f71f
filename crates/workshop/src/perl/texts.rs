//! Texts, patterns, barewords and calls.

use super::{Reader, Tree};
use crate::flow::ir::{Expansion, Node, Op, Rel, Target};
use crate::syntax::Below as _;

impl<'t> Reader<'t> {
    pub(super) fn quoted(&self, node: Tree<'t>) -> String {
        let text = node.child_by_field_name("content").map(|content| self.of(content)).unwrap_or_default();
        text.replace("\\'", "'").replace("\\\\", "\\")
    }

    pub(super) fn interpolated(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let Some(content) = node.child_by_field_name("content") else { return Node::text(line, "") };
        let mut parts = Vec::new();
        let mut at = content.start_byte();
        for child in content.named() {
            if child.start_byte() > at {
                parts.push(Node::text(line, self.text.get(at..child.start_byte()).unwrap_or_default()));
            }
            at = child.end_byte();
            parts.push(match child.kind() {
                "escape_sequence" => Node::text(
                    line,
                    match self.of(child) {
                        "\\n" => "\n".to_owned(),
                        "\\t" => "\t".to_owned(),
                        other => other.trim_start_matches('\\').to_owned(),
                    },
                ),
                _ => self.expression(child),
            });
        }
        if content.end_byte() > at {
            parts.push(Node::text(line, self.text.get(at..content.end_byte()).unwrap_or_default()));
        }
        match &parts[..] {
            [only] if matches!(only.op, Op::Text(_)) => only.clone(),
            _ => Node::new(line, Op::Concat(parts)),
        }
    }

    /// A word without quotes: a text before `=>`, a constant, a function without arguments.
    pub(super) fn bareword(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let text = self.of(node);
        let plain = node.kind() != "bareword"
            || matches!(text, "STDIN" | "STDOUT" | "STDERR" | "__PACKAGE__" | "main");
        if plain {
            return Node::text(line, text);
        }
        Node::new(line, Op::Call(Node::var(line, text).boxed(), Vec::new(), Vec::new()))
    }

    /// A built-in with at most one operand: `exit 1`, `-e $path`, `defined $x`.
    pub(super) fn builtin(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let function = node.child_by_field_name("function");
        let name = function.map(|function| self.of(function)).unwrap_or_default();
        let operand =
            node.named().into_iter().find(|child| Some(child.id()) != function.map(|function| function.id()));
        let words = || operand.map(|operand| self.words(operand)).unwrap_or_default();
        let value = || operand.map_or_else(|| Node::var(line, "$_"), |operand| self.expression(operand));
        let op = match name {
            _ if name.starts_with('-') && name.len() == 2 => Op::Probe(name.to_owned(), vec![value()]),
            "exit" => Op::Exit(operand.map(|operand| self.expression(operand).boxed())),
            "defined" | "exists" => {
                let of = match operand {
                    Some(operand) if operand.kind() == "function" => {
                        Node::var(line, format!("fn:{}", self.of(operand).trim_start_matches('&')))
                    }
                    _ => value(),
                };
                Op::Exists(of.boxed())
            }
            "shift" | "pop" => {
                let words = operand.map(|operand| self.expression(operand)).into_iter().collect();
                Op::Call(Node::var(line, name).boxed(), words, Vec::new())
            }
            "scalar" => match operand {
                Some(operand) if operand.kind() == "array" => Op::Length(self.expression(operand).boxed()),
                _ => return value(),
            },
            "undef" => Op::Nothing,
            "lc" => Op::Expand(value().boxed(), "lc".into(), Expansion::Lower),
            "uc" => Op::Expand(value().boxed(), "uc".into(), Expansion::Upper),
            "chomp" | "chop" => Op::Int(1),
            "keys" | "values" | "each" => {
                let words = operand.map(|operand| self.expression(operand)).into_iter().collect();
                Op::Call(Node::var(line, name).boxed(), words, Vec::new())
            }
            _ => Op::Call(Node::var(line, name).boxed(), words(), Vec::new()),
        };
        Node::new(line, op)
    }

    pub(super) fn call(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let Some(function) = node.child_by_field_name("function") else { return Node::nothing(line) };
        let name = self.of(function).trim_start_matches('&').to_owned();
        let mut words: Vec<Node> =
            node.fields("arguments").into_iter().flat_map(|list| self.words(list)).collect();
        match name.as_str() {
            "die" | "croak" | "confess" | "Carp::croak" => return Node::new(line, Op::Raise(words)),
            "exit" => return Node::new(line, Op::Exit(words.into_iter().next().map(Node::boxed))),
            "open" => {
                // What is opened first, is assigned to.
                let first = node.fields("arguments").into_iter().next().and_then(|list| match list.kind() {
                    "list_expression" => list.named().first().copied(),
                    _ => Some(list),
                });
                if let (Some(first), Some(word)) = (first, words.first_mut()) {
                    *word = match self.target(first) {
                        Target::Name(name) | Target::Local(name) => Node::var(line, name),
                        _ => Node::text(line, self.of(first)),
                    };
                }
            }
            "return" => return Node::new(line, Op::Return(words.into_iter().next().map(Node::boxed))),
            _ if name.contains('{') || name.starts_with('$') => {
                // `&$code(…)`, `&{"on_$phase"}(…)`
                let inner = function.named().into_iter().next();
                let callee = inner.map_or_else(
                    || Node::nothing(line),
                    |inner| {
                        Node::new(
                            line,
                            Op::Unknown(
                                "a sub that is chosen at run time".into(),
                                inner.named().into_iter().map(|part| self.expression(part)).collect(),
                            ),
                        )
                    },
                );
                return Node::new(line, Op::Call(callee.boxed(), words, Vec::new()));
            }
            _ => {}
        }
        Node::new(line, Op::Call(Node::var(line, name).boxed(), words, Vec::new()))
    }

    pub(super) fn pattern(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let Some(content) = node.child_by_field_name("content") else { return Node::text(line, "") };
        // Only what stands there as it is can be compared with.
        let variable = content.named().iter().any(|child| matches!(child.kind(), "scalar" | "array"));
        if variable {
            return Node::new(line, Op::Unknown(self.of(content).to_owned(), Vec::new()));
        }
        let folded = node
            .named()
            .iter()
            .any(|child| child.kind().ends_with("modifiers") && self.of(*child).contains('i'));
        let text = self.of(content).to_owned();
        Node::text(line, if folded { format!("(?i){text}") } else { text })
    }

    /// `=~` and `!~`: a match, or a change of the text on the left.
    pub(super) fn matched(&self, left: Tree<'t>, right: Tree<'t>, negated: bool) -> Node {
        let line = left.line();
        let subject = self.expression(left);
        let plain = |text: &str| {
            !text
                .chars()
                .any(|c| matches!(c, '\\' | '.' | '*' | '+' | '?' | '(' | '[' | '|' | '^' | '$' | '{'))
        };
        let part = |name: &str| {
            right.child_by_field_name(name).map(|part| self.of(part).to_owned()).unwrap_or_default()
        };
        let op = match right.kind() {
            "match_regexp" | "quoted_regexp" => {
                Op::Compare(Rel::Regex, subject.boxed(), self.pattern(right).boxed())
            }
            "substitution_regexp" | "transliteration_expression" => {
                let (from, to) = (part("content"), part("replacement"));
                let modifiers = part("modifiers");
                let all = right.kind() == "transliteration_expression" || modifiers.contains('g');
                let single = right.kind() == "substitution_regexp"
                    || from.chars().count() == 1 && to.chars().count() == 1;
                let changed = if plain(&from) && plain(&to) && single {
                    Op::Expand(
                        self.value_of(left).boxed(),
                        "text".into(),
                        Expansion::Replace {
                            all,
                            from: Node::text(line, from).boxed(),
                            to: Node::text(line, to).boxed(),
                        },
                    )
                } else {
                    Op::Unknown("a changed text".into(), vec![self.value_of(left)])
                };
                let steps = vec![
                    subject,
                    Node::new(line, Op::Assign(self.target_of(left), Node::new(line, changed).boxed())),
                ];
                Op::Seq(steps)
            }
            _ => Op::Compare(Rel::Regex, subject.boxed(), self.expression(right).boxed()),
        };
        let node = Node::new(line, op);
        if negated { node.negated() } else { node }
    }

    /// What is changed by `(my $copy = $text) =~ s/…/…/`.
    fn target_of(&self, node: Tree<'t>) -> Target {
        self.target(node)
    }

    fn value_of(&self, node: Tree<'t>) -> Node {
        match self.target_of(node) {
            Target::Name(name) | Target::Local(name) => Node::var(node.line(), name),
            _ => self.expression(node),
        }
    }
}
