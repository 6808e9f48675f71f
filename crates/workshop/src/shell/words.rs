//! Words and what is expanded in them.

use super::{Reader, Tree};
use crate::flow::ir::{Expansion, Node, Op};
use crate::syntax::Below as _;

impl<'t> Reader<'t> {
    /// The right side of an assignment: not split, lists are lists.
    pub(super) fn value(&self, node: Tree<'t>) -> Node {
        if node.kind() != "array" {
            return self.word_as_text(node);
        }
        let line = node.line();
        let items = node.named();
        let pair = |item: &Tree<'t>| {
            let text = self.of(*item);
            let rest = text.strip_prefix('[')?;
            let (key, _) = rest.split_once("]=")?;
            let parts = item.named();
            // Behind `[key]=` stands the value: what is left of that word, and the parts that follow.
            let at =
                parts.iter().position(|part| self.of(*part).starts_with('=') && part.kind() == "word")?;
            let head = self.of(parts[at]).trim_start_matches('=').to_owned();
            let mut value = vec![Node::text(line, head)];
            value.extend(parts[at + 1..].iter().map(|part| self.word_as_text(*part)));
            let keys: Vec<Node> = parts[..at]
                .iter()
                .filter(|part| !matches!(self.of(**part), "[" | "]"))
                .map(|part| self.word_as_text(*part))
                .collect();
            let key = if keys.is_empty() {
                Node::text(line, key.trim_matches(['"', '\'']))
            } else {
                Node::new(line, Op::Concat(keys))
            };
            Some((key, Node::new(line, Op::Concat(value))))
        };
        let pairs: Vec<Option<(Node, Node)>> = items.iter().map(pair).collect();
        if !pairs.is_empty() && pairs.iter().all(Option::is_some) {
            return Node::new(line, Op::Map(pairs.into_iter().flatten().collect()));
        }
        Node::new(line, Op::List(items.into_iter().map(|item| self.word(item)).collect()))
    }

    /// A word that is not split: on the right of `=`, in a pattern.
    pub(super) fn word_as_text(&self, node: Tree<'t>) -> Node {
        let word = self.word(node);
        match word.op {
            Op::Spread(inner) => *inner,
            op => Node::new(word.line, op),
        }
    }

    /// A word; one that a shell would split or leave out is a spread.
    pub(super) fn word(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let op = match node.kind() {
            "word" | "extglob_pattern" | "number" | "regex" | "test_operator" | "variable_name"
            | "file_descriptor" => {
                let named = node.named();
                if named.is_empty() || node.kind() == "regex" {
                    Op::Text(unescaped(self.of(node)))
                } else {
                    return self.parts(node);
                }
            }
            "raw_string" => Op::Text(self.of(node).trim_matches('\'').to_owned()),
            "ansi_c_string" => Op::Text(
                self.of(node)
                    .trim_start_matches('$')
                    .trim_matches('\'')
                    .replace("\\n", "\n")
                    .replace("\\t", "\t"),
            ),
            "string" | "translated_string" => return self.string(node),
            "concatenation" => return self.concatenation(node),
            "simple_expansion" | "expansion" => {
                let inner = self.expansion(node, false);
                return Node::new(line, Op::Spread(inner.boxed()));
            }
            "command_substitution" => {
                let inner = self.substitution(node);
                return Node::new(line, Op::Spread(inner.boxed()));
            }
            "arithmetic_expansion" => {
                let inner: Vec<Node> = node.named().into_iter().map(|child| self.arithmetic(child)).collect();
                return match inner.len() {
                    1 => inner.into_iter().next().unwrap_or_else(|| Node::nothing(line)),
                    _ => Node::new(line, Op::Unknown("$((…))".into(), inner)),
                };
            }
            "process_substitution" => {
                let inner = self.block(node);
                Op::Unknown("/dev/fd".into(), vec![Node::new(line, Op::Capture(inner.boxed()))])
            }
            "brace_expression" => {
                let numbers: Vec<i64> =
                    node.named().iter().filter_map(|child| self.of(*child).parse().ok()).collect();
                match numbers[..] {
                    [from, until] if from <= until && until - from <= 1000 => {
                        let items =
                            (from..=until.min(from + 63)).map(|number| Node::new(line, Op::Int(number)));
                        return Node::new(
                            line,
                            Op::Spread(Node::new(line, Op::List(items.collect())).boxed()),
                        );
                    }
                    _ => Op::Unknown(self.of(node).to_owned(), Vec::new()),
                }
            }
            "subscript" => return self.subscript(node),
            "array" => return self.value(node),
            _ => Op::Text(self.of(node).to_owned()),
        };
        Node::new(line, op)
    }

    fn parts(&self, node: Tree<'t>) -> Node {
        let parts = node.named().into_iter().map(|child| self.word_as_text(child)).collect();
        Node::new(node.line(), Op::Concat(parts))
    }

    /// The parts of a word, with a list among them spread over words.
    fn concatenation(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let children = node.all();
        let parts: Vec<Node> =
            children.iter().filter(|child| child.is_named()).map(|child| self.word_as_text(*child)).collect();
        let text: Option<String> = parts
            .iter()
            .map(|part| match &part.op {
                Op::Text(text) => Some(text.as_str()),
                _ => None,
            })
            .collect();
        // `{a,b}` is two words, `/path/{a,b}` too.
        if let Some(text) = text {
            if let Some((before, rest)) = text.split_once('{')
                && let Some((inner, behind)) = rest.split_once('}')
                && inner.contains(',')
                && !behind.contains('{')
            {
                let items = inner.split(',').map(|item| Node::text(line, format!("{before}{item}{behind}")));
                return Node::new(line, Op::Spread(Node::new(line, Op::List(items.collect())).boxed()));
            }
            return Node::text(line, text);
        }
        Node::new(line, Op::Concat(parts))
    }

    fn string(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let mut parts: Vec<Node> = Vec::new();
        let mut at = node.start_byte() + 1;
        let end = node.end_byte().saturating_sub(1).max(at);
        for child in node.named() {
            // Blanks between expansions belong to no node.
            if child.start_byte() > at {
                parts.push(Node::text(
                    line,
                    unescaped_in_quotes(self.text.get(at..child.start_byte()).unwrap_or_default()),
                ));
            }
            at = child.end_byte();
            match child.kind() {
                "string_content" => parts.push(Node::text(line, unescaped_in_quotes(self.of(child)))),
                "simple_expansion" | "expansion" => parts.push(self.expansion(child, true)),
                "command_substitution" => parts.push(self.substitution(child)),
                _ => parts.push(self.word_as_text(child)),
            }
        }
        if at < end {
            parts.push(Node::text(line, unescaped_in_quotes(self.text.get(at..end).unwrap_or_default())));
        }
        if node.kind() == "translated_string" {
            return self.parts(node);
        }
        // `"$@"` and `"${list[@]}"` are as many words as they hold.
        if let [only] = &parts[..]
            && let Op::Spread(_) = only.op
        {
            return only.clone();
        }
        let parts = parts.into_iter().map(|part| match part.op {
            Op::Spread(inner) => *inner,
            op => Node::new(part.line, op),
        });
        Node::new(line, Op::Concat(parts.collect()))
    }

    fn substitution(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        // `$(< FILE)`
        if node.named().iter().all(|child| child.kind() == "file_redirect") {
            let words = node
                .named()
                .into_iter()
                .filter_map(|child| child.child_by_field_name("destination"))
                .map(|path| self.word(path));
            return Node::new(line, Op::Unknown("$(<)".into(), words.collect()));
        }
        Node::new(line, Op::Capture(self.block(node).boxed()))
    }

    fn subscript(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let name = node.child_by_field_name("name").map(|name| self.of(name)).unwrap_or_default();
        let Some(index) = node.child_by_field_name("index") else { return Node::var(line, name) };
        match self.of(index) {
            "@" => Node::new(line, Op::Spread(Node::var(line, name).boxed())),
            "*" => Node::var(line, name),
            _ => Node::new(line, Op::Item(Node::var(line, name).boxed(), self.word_as_text(index).boxed())),
        }
    }

    fn parameter(&self, line: usize, name: &str, quoted: bool) -> Node {
        match name {
            "?" => Node::new(line, Op::LastStatus),
            "#" => Node::new(line, Op::Length(Node::var(line, "@").boxed())),
            "@" => Node::new(line, Op::Spread(Node::var(line, "@").boxed())),
            "*" if quoted => Node::var(line, "@"),
            "*" => Node::new(line, Op::Spread(Node::var(line, "@").boxed())),
            name => match name.parse::<i64>() {
                Ok(number) if number > 0 => Node::new(
                    line,
                    Op::Item(Node::var(line, "@").boxed(), Node::new(line, Op::Int(number - 1)).boxed()),
                ),
                _ => Node::var(line, name),
            },
        }
    }

    fn expansion(&self, node: Tree<'t>, quoted: bool) -> Node {
        let line = node.line();
        if node.kind() == "simple_expansion" {
            let name = node.named().first().map(|name| self.of(*name)).unwrap_or_default();
            return self.parameter(line, name, quoted);
        }
        let children: Vec<Tree<'t>> =
            node.all().into_iter().filter(|child| !matches!(child.kind(), "${" | "}")).collect();
        let is_name = |child: &Tree<'t>| {
            matches!(child.kind(), "variable_name" | "special_variable_name" | "subscript")
        };
        let Some(at) = children.iter().position(is_name) else {
            // `${#}` and what the grammar does not know.
            let text = self.of(node);
            return if text == "${#}" {
                self.parameter(line, "#", quoted)
            } else {
                Node::new(line, Op::Unknown(text.to_owned(), Vec::new()))
            };
        };
        let name = children[at];
        let about = self.of(name).to_owned();
        let of = if name.kind() == "subscript" {
            self.subscript(name)
        } else {
            self.parameter(line, self.of(name), quoted)
        };
        match children[..at].first().map(|child| child.kind()) {
            Some("#") => {
                let of = match of.op {
                    Op::Spread(inner) => *inner,
                    op => Node::new(line, op),
                };
                return Node::new(line, Op::Length(of.boxed()));
            }
            // `${!map[@]}` is its keys; `${!name}` what the variable names that another one holds.
            Some("!") => {
                return match of.op {
                    Op::Spread(inner) => Node::new(
                        line,
                        Op::Spread(
                            Node::new(line, Op::Unknown(format!("${{!{about}}}"), vec![*inner])).boxed(),
                        ),
                    ),
                    op => Node::new(line, Op::Unknown(format!("${{!{about}}}"), vec![Node::new(line, op)])),
                };
            }
            _ => {}
        }
        let rest = &children[at + 1..];
        let Some(operator) = rest.first() else { return of };
        let operands: Vec<Tree<'t>> = rest[1..].iter().copied().filter(|child| child.is_named()).collect();
        let operand = |at: usize| {
            operands.get(at).map_or_else(|| Node::text(line, ""), |node| self.word_as_text(*node)).boxed()
        };
        let how = match operator.kind() {
            ":-" | "-" => Expansion::Default(operand(0)),
            ":=" | "=" => Expansion::Assign(operand(0)),
            ":+" | "+" => Expansion::Alternative(operand(0)),
            ":?" | "?" => Expansion::Demand,
            "//" => Expansion::Replace { all: true, from: operand(0), to: operand(1) },
            "/" => Expansion::Replace { all: false, from: operand(0), to: operand(1) },
            "#" => Expansion::CutFront { longest: false, pattern: operand(0) },
            "##" => Expansion::CutFront { longest: true, pattern: operand(0) },
            "%" => Expansion::CutBack { longest: false, pattern: operand(0) },
            "%%" => Expansion::CutBack { longest: true, pattern: operand(0) },
            "^^" => Expansion::Upper,
            ",," | "," => Expansion::Lower,
            _ => Expansion::Other,
        };
        match of.op {
            Op::Spread(inner) => {
                let inner = Node::new(line, Op::Expand(inner, about, how));
                Node::new(line, Op::Spread(inner.boxed()))
            }
            op => Node::new(line, Op::Expand(Node::new(line, op).boxed(), about, how)),
        }
    }
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('\n') | None => {}
                Some(c) => plain.push(c),
            },
            c => plain.push(c),
        }
    }
    plain
}

fn unescaped_in_quotes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some('$' | '`' | '"' | '\\')) => plain.extend(chars.next()),
            ('\\', Some('\n')) => {
                chars.next();
            }
            _ => plain.push(c),
        }
    }
    plain
}
