//! Statements.

use super::{Reader, Tree};
use crate::flow::ir::{Arm, Expansion, Func, Goal, Mode, Node, Op, Redirect, Rel, Target};
use crate::syntax::Below as _;
use std::rc::Rc;

impl<'t> Reader<'t> {
    pub(super) fn statement(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let op = match node.kind() {
            "command" => return self.command(node),
            "list" => return self.list(node),
            "pipeline" => return self.pipeline(node),
            "redirected_statement" => return self.redirected(node),
            "variable_assignment" => return self.assignment(node, false),
            "variable_assignments" => {
                Op::Seq(node.named().into_iter().map(|child| self.assignment(child, false)).collect())
            }
            "declaration_command" => return self.declaration(node),
            "unset_command" => {
                let words = node.named().into_iter().map(|child| Node::text(line, self.of(child)));
                Op::Command(Vec::new(), std::iter::once(Node::text(line, "unset")).chain(words).collect())
            }
            "test_command" => return self.test_command(node),
            "negated_command" => match node.named().first() {
                Some(child) => return self.statement(*child).negated(),
                None => Op::Nothing,
            },
            "subshell" => Op::Subshell(self.block(node).boxed()),
            "compound_statement" => {
                if node.child(0).is_some_and(|first| first.kind() == "((") {
                    let inner: Vec<Node> =
                        node.named().into_iter().map(|child| self.arithmetic(child)).collect();
                    return Self::arithmetic_of(line, inner);
                }
                return self.block(node);
            }
            "do_group" | "else_clause" | "program" => return self.block(node),
            "if_statement" => return self.branch(node),
            "while_statement" => {
                let until = node.child(0).is_some_and(|first| first.kind() == "until");
                let conditions = node.fields("condition");
                let condition = self.statements(line, &conditions);
                let condition = if until { condition.negated() } else { condition };
                let body = node
                    .child_by_field_name("body")
                    .map_or_else(|| Node::nothing(line), |body| self.block(body));
                Op::Loop { condition: condition.boxed(), body: body.boxed(), after: None, last: None }
            }
            "for_statement" => {
                let name = node.child_by_field_name("variable").map(|name| self.of(name)).unwrap_or_default();
                let values = node.fields("value");
                let has_in = node.all().iter().any(|child| child.kind() == "in");
                let items = if has_in {
                    Node::new(line, Op::List(values.into_iter().map(|value| self.word(value)).collect()))
                } else {
                    Node::var(line, "@")
                };
                let body = node
                    .child_by_field_name("body")
                    .map_or_else(|| Node::nothing(line), |body| self.block(body));
                Op::For { target: Target::Name(name.to_owned()), items: items.boxed(), body: body.boxed() }
            }
            "c_style_for_statement" => {
                let part = |name: &str| {
                    let parts: Vec<Node> = node
                        .fields(name)
                        .into_iter()
                        .filter(|part| part.is_named())
                        .map(|part| self.arithmetic(part))
                        .collect();
                    (!parts.is_empty()).then(|| Node::new(line, Op::Seq(parts)))
                };
                let condition = part("condition").map_or_else(
                    || Node::new(line, Op::Bool(true)),
                    |condition| match condition.op {
                        Op::Seq(parts) => Self::arithmetic_of(line, parts),
                        _ => condition,
                    },
                );
                let body = node
                    .child_by_field_name("body")
                    .map_or_else(|| Node::nothing(line), |body| self.block(body));
                let turn = Op::Loop {
                    condition: condition.boxed(),
                    body: body.boxed(),
                    after: part("update").map(Node::boxed),
                    last: None,
                };
                Op::Seq(part("initializer").into_iter().chain([Node::new(line, turn)]).collect())
            }
            "case_statement" => return self.case(node),
            "function_definition" => {
                let name = node.child_by_field_name("name").map(|name| self.of(name)).unwrap_or_default();
                let body = node
                    .child_by_field_name("body")
                    .map_or_else(|| Node::nothing(line), |body| self.statement(body));
                let func = Func { name: name.to_owned(), params: Vec::new(), body, expression: false };
                let value = Node::new(line, Op::Func(Rc::new(func)));
                Op::Assign(Target::Name(format!("fn:{name}")), value.boxed())
            }
            "ERROR" => Op::Opaque("a part that cannot be read as shell".to_owned(), Vec::new()),
            // A word where a statement is expected.
            _ => Op::Unknown(self.of(node).chars().take(40).collect(), Vec::new()),
        };
        Node::new(line, op)
    }

    pub(super) fn arithmetic_of(line: usize, mut inner: Vec<Node>) -> Node {
        let inner = if inner.len() == 1 { inner.remove(0) } else { Node::new(line, Op::Seq(inner)) };
        Node::new(line, Op::Arithmetic(inner.boxed()))
    }

    fn command(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let mut own = Vec::new();
        let mut words = Vec::new();
        let mut redirects = Vec::new();
        let mut earlier: Vec<Node> = Vec::new();
        let mut last_row = None;
        for child in node.all() {
            if !child.is_named() && child.kind() != "word" {
                // `$` before a string, `==` as a word of `[`.
                if matches!(child.kind(), "==" | "=~" | "=" | "!=" | "!") {
                    words.push(Node::text(line, child.kind()));
                }
                continue;
            }
            match child.kind() {
                "variable_assignment" => {
                    last_row = Some(child.end_position().row);
                    let name =
                        child.child_by_field_name("name").map(|name| self.of(name)).unwrap_or_default();
                    let value = child
                        .child_by_field_name("value")
                        .map_or_else(|| Node::text(line, ""), |value| self.value(value));
                    own.push((name.to_owned(), value, child));
                }
                "command_name" => {
                    // The grammar takes assignments on a line of their own for a part of the next command.
                    let continued = last_row.is_some_and(|row| {
                        row < child.start_position().row
                            && !self.text.lines().nth(row).unwrap_or_default().ends_with('\\')
                    });
                    if continued {
                        earlier.extend(own.drain(..).map(|(_, _, child)| self.assignment(child, false)));
                    }
                    words.extend(child.all().into_iter().map(|word| self.word(word)));
                }
                "file_redirect" | "herestring_redirect" | "heredoc_redirect" => {
                    redirects.extend(self.redirect(child))
                }
                "comment" => {}
                _ => words.push(self.word(child)),
            }
        }
        let own = own.into_iter().map(|(name, value, _)| (name, value)).collect();
        let at = node.child_by_field_name("name").map_or(line, |name| name.line());
        let mut step = Node::new(at, Op::Command(own, words));
        if !redirects.is_empty() {
            step = Node::new(at, Op::Redirected(step.boxed(), redirects));
        }
        if earlier.is_empty() {
            return step;
        }
        earlier.push(step);
        Node::new(line, Op::Seq(earlier))
    }

    fn list(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let mut parts = node.all().into_iter().filter(|child| child.kind() != "comment");
        let Some(first) = parts.next() else { return Node::nothing(line) };
        let mut whole = self.statement(first);
        let mut and = true;
        for part in parts {
            match part.kind() {
                "&&" => and = true,
                "||" => and = false,
                _ if part.is_named() => {
                    let next = self.statement(part);
                    whole = if and {
                        Node::new(line, Op::And(whole.boxed(), next.boxed()))
                    } else {
                        Node::new(line, Op::Or(whole.boxed(), next.boxed()))
                    };
                }
                _ => {}
            }
        }
        whole
    }

    fn pipeline(&self, node: Tree<'t>) -> Node {
        let mut stages = Vec::new();
        for child in node.all() {
            match child.kind() {
                "|&" => {
                    if let Some(stage) = stages.pop() {
                        let both = Redirect { from: vec![2], to: Goal::Same(1) };
                        let stage: Node = stage;
                        stages.push(Node::new(stage.line, Op::Redirected(stage.boxed(), vec![both])));
                    }
                }
                _ if child.is_named() && child.kind() != "comment" => stages.push(self.statement(child)),
                _ => {}
            }
        }
        Node::new(node.line(), Op::Pipeline(stages))
    }

    fn redirected(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let mut step = node.child_by_field_name("body").map_or_else(
            || Node::new(line, Op::Command(Vec::new(), vec![Node::text(line, ":")])),
            |body| self.statement(body),
        );
        let mut redirects = Vec::new();
        let mut behind: Vec<(bool, Node)> = Vec::new();
        let mut stages: Vec<Node> = Vec::new();
        for redirect in node.fields("redirect") {
            redirects.extend(self.redirect(redirect));
            if redirect.kind() != "heredoc_redirect" {
                continue;
            }
            let mut and = true;
            for child in redirect.all() {
                match child.kind() {
                    "&&" => and = true,
                    "||" => and = false,
                    "file_redirect" | "herestring_redirect" => redirects.extend(self.redirect(child)),
                    "pipeline" => stages.extend(child.named().into_iter().map(|stage| self.statement(stage))),
                    "heredoc_start" | "heredoc_body" | "heredoc_end" | "comment" | "file_descriptor" => {}
                    _ if child.is_named() => {
                        let fielded = redirect.fields("right").iter().any(|right| right.id() == child.id());
                        if fielded {
                            behind.push((and, self.statement(child)));
                        } else if let Op::Command(_, words) = &mut step.op {
                            words.push(self.word(child));
                        }
                    }
                    _ => {}
                }
            }
        }
        // `! cmd 2>/dev/null` is the other truth of `cmd 2>/dev/null`.
        let negated = matches!(step.op, Op::Not(_));
        if let Op::Not(inner) = step.op {
            step = *inner;
        }
        step = Node::new(line, Op::Redirected(step.boxed(), redirects));
        if negated {
            step = step.negated();
        }
        if !stages.is_empty() {
            let all = std::iter::once(step).chain(stages).collect();
            step = Node::new(line, Op::Pipeline(all));
        }
        for (and, next) in behind {
            step = if and {
                Node::new(line, Op::And(step.boxed(), next.boxed()))
            } else {
                Node::new(line, Op::Or(step.boxed(), next.boxed()))
            };
        }
        step
    }

    fn redirect(&self, node: Tree<'t>) -> Vec<Redirect> {
        if node.kind() != "file_redirect" {
            // The text of a here document is read by the command; what is in it is expanded all the same.
            return Vec::new();
        }
        let descriptor =
            node.child_by_field_name("descriptor").and_then(|number| self.of(number).parse::<u32>().ok());
        let operator = node
            .all()
            .into_iter()
            .find(|child| !child.is_named())
            .map(|child| child.kind())
            .unwrap_or_default();
        let Some(goal) = node.child_by_field_name("destination") else {
            return vec![Redirect { from: vec![descriptor.unwrap_or(1)], to: Goal::Elsewhere }];
        };
        let from = match operator {
            "&>" | "&>>" => vec![1, 2],
            "<" | "<&" | "<&-" | "<<" => vec![descriptor.unwrap_or(0)],
            _ => vec![descriptor.unwrap_or(1)],
        };
        if goal.kind() == "process_substitution" {
            return vec![Redirect { from, to: Goal::Elsewhere }];
        }
        let text = self.of(goal);
        let to = match operator {
            ">&" | "<&" => match text.parse::<u32>() {
                Ok(other) => Goal::Same(other),
                Err(_) if text == "-" => Goal::Elsewhere,
                Err(_) if operator == ">&" && descriptor.is_none() => {
                    return vec![Redirect { from: vec![1, 2], to: Goal::File(self.word(goal), Mode::Write) }];
                }
                Err(_) => Goal::Elsewhere,
            },
            ">>" | "&>>" => Goal::File(self.word(goal), Mode::Append),
            "<" => Goal::File(self.word(goal), Mode::Read),
            _ => Goal::File(self.word(goal), Mode::Write),
        };
        vec![Redirect { from, to }]
    }

    pub(super) fn assignment(&self, node: Tree<'t>, own: bool) -> Node {
        let line = node.line();
        let Some(name) = node.child_by_field_name("name") else { return Node::nothing(line) };
        let value =
            node.child_by_field_name("value").map_or_else(|| Node::text(line, ""), |value| self.value(value));
        let adds = node.all().iter().any(|child| child.kind() == "+=");
        if name.kind() == "subscript" {
            let list = name.child_by_field_name("name").map(|name| self.of(name)).unwrap_or_default();
            let index = name
                .child_by_field_name("index")
                .map_or_else(|| Node::text(line, "0"), |index| self.word(index));
            let target = Target::Item(Node::var(line, list).boxed(), index.boxed());
            return Node::new(line, Op::Assign(target, value.boxed()));
        }
        let name = self.of(name).to_owned();
        let value = if adds {
            let before = Node::new(
                line,
                Op::Expand(
                    Node::var(line, name.clone()).boxed(),
                    name.clone(),
                    Expansion::Default(Node::text(line, "").boxed()),
                ),
            );
            match value.op {
                Op::List(mut items) => {
                    items.insert(0, Node::new(line, Op::Spread(before.boxed())));
                    Node::new(line, Op::List(items))
                }
                _ => Node::new(line, Op::Concat(vec![before, value])),
            }
        } else {
            value
        };
        let target = if own { Target::Local(name) } else { Target::Name(name) };
        Node::new(line, Op::Assign(target, value.boxed()))
    }

    fn declaration(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let verb = node.child(0).map(|first| first.kind()).unwrap_or_default();
        let children = node.named();
        let options: Vec<&str> = children
            .iter()
            .filter(|child| child.kind() == "word")
            .map(|child| self.of(*child))
            .filter(|word| word.starts_with('-'))
            .collect();
        let own = matches!(verb, "local" | "declare" | "typeset")
            && !options.iter().any(|option| option.contains('g'));
        let maps = options.iter().any(|option| option.contains('A'));
        let mut steps = Vec::new();
        for child in &children {
            match child.kind() {
                "variable_assignment" => {
                    let step = self.assignment(*child, own);
                    // The command's own end is a success, whatever a substitution in it was.
                    steps.push(step);
                    steps.push(Node::new(line, Op::Command(Vec::new(), vec![Node::text(line, ":")])));
                }
                "variable_name" if maps => {
                    let target = Target::Local(self.of(*child).to_owned());
                    steps.push(Node::new(
                        line,
                        Op::Assign(target, Node::new(line, Op::Map(Vec::new())).boxed()),
                    ));
                }
                "variable_name" if own => {
                    let target = Target::Local(self.of(*child).to_owned());
                    let list = options.iter().any(|option| option.contains('a'));
                    let empty = if list { Op::List(Vec::new()) } else { Op::Text(String::new()) };
                    steps.push(Node::new(line, Op::Assign(target, Node::new(line, empty).boxed())));
                }
                _ => {}
            }
        }
        if let [only] = &steps[..] {
            return only.clone();
        }
        Node::new(line, Op::Seq(steps))
    }

    fn branch(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let mut conditions = Vec::new();
        let mut body = Vec::new();
        let mut otherwise = None;
        let mut elifs = Vec::new();
        let mut then = false;
        for child in node.all() {
            match child.kind() {
                "if" | "elif" | "fi" | "comment" => {}
                "then" => then = true,
                "elif_clause" => elifs.push(child),
                "else_clause" => otherwise = Some(self.block(child)),
                _ if then => body.push(child),
                _ => conditions.push(child),
            }
        }
        let end = Node::new(line, Op::Command(Vec::new(), vec![Node::text(line, ":")]));
        let mut last = otherwise.unwrap_or(end);
        for elif in elifs.into_iter().rev() {
            let next = self.branch(elif);
            if let Op::If(condition, body, _) = next.op {
                last = Node::new(next.line, Op::If(condition, body, last.boxed()));
            }
        }
        let condition = self.statements(line, &conditions);
        let condition = match condition.op {
            Op::Seq(mut steps) if steps.len() == 1 => steps.remove(0),
            op => Node::new(condition.line, op),
        };
        Node::new(line, Op::If(condition.boxed(), self.statements(line, &body).boxed(), last.boxed()))
    }

    fn case(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let subject = node
            .child_by_field_name("value")
            .map_or_else(|| Node::nothing(line), |value| self.word_as_text(value));
        let items = node.named().into_iter().filter(|child| child.kind() == "case_item");
        let arms = items.map(|item| {
            let values = item.fields("value");
            let patterns: Vec<Node> = values.iter().map(|value| self.word_as_text(*value)).collect();
            let ends: Vec<Tree<'t>> =
                item.fields("termination").into_iter().chain(item.fields("fallthrough")).collect();
            let falls_through = ends.iter().any(|end| end.kind() == ";&" || end.kind() == ";;&");
            let skip: Vec<usize> = values.iter().chain(&ends).map(|node| node.id()).collect();
            let children: Vec<Tree<'t>> = item
                .all()
                .into_iter()
                .filter(|child| !skip.contains(&child.id()) && !matches!(child.kind(), "(" | ")" | "|"))
                .collect();
            Arm { patterns, guard: None, body: self.statements(item.line(), &children), falls_through }
        });
        Node::new(line, Op::Choose(subject.boxed(), Rel::Glob, arms.collect()))
    }
}
