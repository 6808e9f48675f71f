//! Expressions.

use super::{Reader, Tree};
use crate::flow::ir::{Calc, Func, Node, Op, Rel, Target};
use crate::syntax::Below as _;
use std::rc::Rc;

impl<'t> Reader<'t> {
    pub(super) fn expression(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let all = || node.named().into_iter().map(|child| self.expression(child)).collect::<Vec<_>>();
        let op = match node.kind() {
            "identifier" => match self.of(node) {
                "__name__" => Op::Text("__main__".to_owned()),
                name => Op::Var(name.to_owned()),
            },
            "string" => return self.string(node),
            "concatenated_string" => Op::Concat(all()),
            "integer" => match self.of(node).replace('_', "").parse() {
                Ok(number) => Op::Int(number),
                Err(_) => Op::Unknown(self.of(node).to_owned(), Vec::new()),
            },
            "true" => Op::Bool(true),
            "false" => Op::Bool(false),
            "none" => Op::Nothing,
            "parenthesized_expression" | "await" => match &node.named()[..] {
                [inner] => return self.expression(*inner),
                _ => Op::Unknown("(…)".into(), all()),
            },
            "list" | "tuple" | "set" | "expression_list" => Op::List(all()),
            "list_splat" => match node.named().first() {
                Some(inner) => Op::Spread(self.expression(*inner).boxed()),
                None => Op::Nothing,
            },
            "dictionary" => return self.dictionary(node),
            "attribute" => Op::Field(self.field(node, "object").boxed(), self.named_field(node, "attribute")),
            "subscript" => return self.subscript(node),
            "call" => return self.call(node),
            "lambda" => {
                let params = node
                    .child_by_field_name("parameters")
                    .map(|list| self.parameters(list))
                    .unwrap_or_default();
                Op::Func(Rc::new(Func {
                    name: "lambda".into(),
                    params,
                    body: self.field(node, "body"),
                    expression: true,
                }))
            }
            "conditional_expression" => match &node.named()[..] {
                [yes, condition, no] => Op::If(
                    self.expression(*condition).boxed(),
                    self.expression(*yes).boxed(),
                    self.expression(*no).boxed(),
                ),
                _ => Op::Unknown("if".into(), all()),
            },
            "named_expression" => {
                let name = self.named_field(node, "name");
                Op::Assign(Target::Name(name), self.field(node, "value").boxed())
            }
            "not_operator" => Op::Not(self.field(node, "argument").boxed()),
            "boolean_operator" => {
                let (left, right) = (self.field(node, "left").boxed(), self.field(node, "right").boxed());
                if self.named_field(node, "operator") == "and" {
                    Op::And(left, right)
                } else {
                    Op::Or(left, right)
                }
            }
            "comparison_operator" => return self.comparison(node),
            "binary_operator" => return self.binary(node),
            "unary_operator" => match (self.of(node).starts_with('-'), self.field(node, "argument").op) {
                (true, Op::Int(number)) => Op::Int(-number),
                (_, other) => Op::Unknown("-".into(), vec![Node::new(line, other)]),
            },
            "list_comprehension"
            | "set_comprehension"
            | "generator_expression"
            | "dictionary_comprehension" => return self.comprehension(node),
            "yield" => Op::Unknown("yield".into(), all()),
            "assignment" | "augmented_assignment" => return self.statement(node),
            "ERROR" => Op::Opaque("a part that cannot be read as Python".into(), Vec::new()),
            "ellipsis" | "type" => Op::Nothing,
            _ => Op::Unknown(self.of(node).chars().take(60).collect(), all()),
        };
        Node::new(line, op)
    }

    fn string(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let start = node.child(0).map(|start| self.of(start)).unwrap_or_default();
        let raw = start.to_lowercase().contains('r');
        let mut parts = Vec::new();
        for child in node.named() {
            match child.kind() {
                "string_content" => {
                    let text = self.of(child);
                    let text = if raw {
                        text.to_owned()
                    } else {
                        text.replace("\\n", "\n")
                            .replace("\\\"", "\"")
                            .replace("\\'", "'")
                            .replace("\\\\", "\\")
                    };
                    parts.push(Node::text(line, text.replace("{{", "{").replace("}}", "}")));
                }
                "interpolation" => parts.push(self.field(child, "expression")),
                _ => {}
            }
        }
        match &parts[..] {
            [] => Node::text(line, ""),
            [only] if matches!(only.op, Op::Text(_)) => only.clone(),
            _ => Node::new(line, Op::Concat(parts)),
        }
    }

    fn dictionary(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let children = node.named();
        if children.iter().any(|child| child.kind() != "pair") {
            return Node::new(line, Op::Unknown("{…}".into(), Vec::new()));
        }
        let pairs = children.into_iter().map(|pair| (self.field(pair, "key"), self.field(pair, "value")));
        Node::new(line, Op::Map(pairs.collect()))
    }

    fn subscript(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let of = self.field(node, "value");
        match node.child_by_field_name("subscript") {
            Some(slice) if slice.kind() == "slice" => {
                // `list[1:3]` is followed, slices by variables are not.
                let text = self.of(slice);
                let number = |part: &str| part.trim().is_empty() || part.trim().parse::<usize>().is_ok();
                let plain = text.split_once(':').is_some_and(|(from, until)| number(from) && number(until));
                match plain {
                    true => Node::new(
                        line,
                        Op::Call(
                            Node::new(line, Op::Field(of.boxed(), format!("[{text}]"))).boxed(),
                            Vec::new(),
                            Vec::new(),
                        ),
                    ),
                    false => Node::new(line, Op::Unknown(format!("[{text}]"), vec![of])),
                }
            }
            Some(at) => Node::new(line, Op::Item(of.boxed(), self.expression(at).boxed())),
            None => of,
        }
    }

    fn call(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let callee = self.field(node, "function");
        let mut words = Vec::new();
        let mut named = Vec::new();
        if let Some(list) = node.child_by_field_name("arguments") {
            if list.kind() == "generator_expression" {
                words.push(self.expression(list));
            } else {
                for child in list.named() {
                    match child.kind() {
                        "keyword_argument" => {
                            named.push((self.named_field(child, "name"), self.field(child, "value")))
                        }
                        "dictionary_splat" => {}
                        _ => words.push(self.expression(child)),
                    }
                }
            }
        }
        Node::new(line, Op::Call(callee.boxed(), words, named))
    }

    fn comparison(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let operands: Vec<Tree<'t>> =
            node.named().into_iter().filter(|child| !matches!(child.kind(), "is not" | "not in")).collect();
        let operators: Vec<String> = node
            .fields("operators")
            .into_iter()
            .map(|operator| self.of(operator).split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        let mut whole: Option<Node> = None;
        for (at, operator) in operators.iter().enumerate() {
            let (Some(left), Some(right)) = (operands.get(at), operands.get(at + 1)) else { break };
            let (a, b) = (self.expression(*left).boxed(), self.expression(*right).boxed());
            let compared = |how| Node::new(line, Op::Compare(how, a.clone(), b.clone()));
            let one = match operator.as_str() {
                "==" | "is" => compared(Rel::Equal),
                "!=" | "is not" | "<>" => compared(Rel::Differs),
                "<" => compared(Rel::Less),
                "<=" => compared(Rel::LessOrEqual),
                ">" => compared(Rel::Greater),
                ">=" => compared(Rel::GreaterOrEqual),
                "in" => compared(Rel::In),
                "not in" => compared(Rel::In).negated(),
                other => Node::new(line, Op::Unknown(other.to_owned(), vec![*a, *b])),
            };
            whole = Some(match whole {
                Some(before) => Node::new(line, Op::And(before.boxed(), one.boxed())),
                None => one,
            });
        }
        whole.unwrap_or_else(|| Node::nothing(line))
    }

    fn binary(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let (left, right) = (self.field(node, "left"), self.field(node, "right"));
        let op = match self.named_field(node, "operator").as_str() {
            "+" => Op::Calc(Calc::Add, left.boxed(), right.boxed()),
            "-" => Op::Calc(Calc::Subtract, left.boxed(), right.boxed()),
            "*" => Op::Calc(Calc::Multiply, left.boxed(), right.boxed()),
            // Paths are joined in the same way.
            "/" => match (&left.op, &right.op) {
                (Op::Int(_), _) | (_, Op::Int(_)) => Op::Calc(Calc::Divide, left.boxed(), right.boxed()),
                _ => Op::Concat(vec![left, Node::text(line, "/"), right]),
            },
            "%" => match left.op {
                Op::Text(text) => formatted(line, &text, right),
                _ => Op::Calc(Calc::Remainder, left.boxed(), right.boxed()),
            },
            other => Op::Unknown(other.to_owned(), vec![left, right]),
        };
        Node::new(line, op)
    }

    /// `[f(x) for x in list]`: what is done for each is gone through, the list that comes of it is not known.
    fn comprehension(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let body = node.child_by_field_name("body");
        let value = body.map_or_else(
            || Node::nothing(line),
            |body| match body.kind() {
                "pair" => Node::new(line, Op::List(vec![self.field(body, "key"), self.field(body, "value")])),
                _ => self.expression(body),
            },
        );
        let mut turn = value;
        let mut sources = Vec::new();
        for clause in node.named().into_iter().rev() {
            match clause.kind() {
                "if_clause" => {
                    if let Some(condition) = clause.named().first() {
                        turn = Node::new(
                            line,
                            Op::If(
                                self.expression(*condition).boxed(),
                                turn.boxed(),
                                Node::nothing(line).boxed(),
                            ),
                        );
                    }
                }
                "for_in_clause" => {
                    let target =
                        clause.child_by_field_name("left").map_or(Target::Lost, |left| self.target(left));
                    let items = self.field(clause, "right");
                    turn = Node::new(line, Op::For { target, items: items.boxed(), body: turn.boxed() });
                    sources.push(());
                }
                _ => {}
            }
        }
        Node::new(line, Op::Unknown("a list".into(), vec![turn]))
    }
}

/// `"… %s …" % values`
fn formatted(line: usize, text: &str, values: Node) -> Op {
    let mut values = match values.op {
        Op::List(values) => values.into_iter(),
        op => vec![Node::new(line, op)].into_iter(),
    };
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        parts.push(Node::text(line, &rest[..at]));
        let behind = &rest[at + 1..];
        match behind.chars().next() {
            Some('s' | 'd' | 'i') => {
                parts.push(values.next().unwrap_or_else(|| Node::nothing(line)));
                rest = &behind[1..];
            }
            Some('%') => {
                parts.push(Node::text(line, "%"));
                rest = &behind[1..];
            }
            _ => return Op::Unknown(text.to_owned(), values.collect()),
        }
    }
    parts.push(Node::text(line, rest));
    Op::Concat(parts)
}
