//! Expressions.

use super::{Reader, Tree};
use crate::flow::ir::{Calc, Node, Op, Rel, Target};
use crate::syntax::Below as _;
use std::rc::Rc;

impl<'t> Reader<'t> {
    /// A variable's name with its sigil: `$x`, `@x`, `%x`.
    pub(super) fn name(&self, node: Tree<'t>) -> String {
        self.of(node).replace(['{', '}', ' '], "")
    }

    pub(super) fn expression(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let all = || node.named().into_iter().map(|child| self.expression(child)).collect::<Vec<_>>();
        let left = || {
            node.child_by_field_name("left").map_or_else(|| Node::nothing(line), |left| self.expression(left))
        };
        let right = || {
            node.child_by_field_name("right")
                .map_or_else(|| Node::nothing(line), |right| self.expression(right))
        };
        let operator =
            || node.child_by_field_name("operator").map(|operator| self.of(operator)).unwrap_or_default();
        let op = match node.kind() {
            "scalar" | "array" | "hash"
                if node
                    .named()
                    .first()
                    .is_none_or(|inner| inner.kind() == "varname" && inner.named().is_empty()) =>
            {
                Op::Var(self.name(node))
            }
            // `@{$list}`, `%$map`, `$$ref`
            "scalar" | "array" | "hash" => match node.named().first() {
                Some(inner) => return self.dereferenced(*inner),
                None => Op::Nothing,
            },
            "string_literal" => Op::Text(self.quoted(node)),
            "interpolated_string_literal" => return self.interpolated(node),
            "heredoc_token" => Op::Unknown("a here document".into(), Vec::new()),
            "command_string" => {
                let text = self.interpolated(node);
                Op::Call(Node::var(line, "qx").boxed(), vec![text], Vec::new())
            }
            "number" => match self.of(node).replace('_', "").trim_end_matches('.').parse() {
                Ok(number) => Op::Int(number),
                Err(_) => Op::Unknown(self.of(node).to_owned(), Vec::new()),
            },
            "autoquoted_bareword" | "bareword" | "filehandle" => return self.bareword(node),
            "quoted_word_list" => {
                let words =
                    node.child_by_field_name("content").map(|content| self.of(content)).unwrap_or_default();
                Op::List(words.split_whitespace().map(|word| Node::text(line, word)).collect())
            }
            "parenthesized_expression" | "list_expression" => {
                let mut items = all();
                match items.len() {
                    1 => return items.remove(0),
                    _ => Op::List(items),
                }
            }
            "anonymous_array_expression" => Op::List(self.items(node)),
            "anonymous_hash_expression" => return self.map(line, &self.trees(node)),
            "anonymous_subroutine_expression" => Op::Func(Rc::new(self.func(node, "sub"))),
            "refgen_expression" => match node.named().first() {
                Some(inner) if inner.kind() == "function" => {
                    Op::Var(format!("fn:{}", self.of(*inner).trim_start_matches('&')))
                }
                Some(inner) => return self.expression(*inner),
                None => Op::Nothing,
            },
            "array_element_expression" | "hash_element_expression" => return self.element(node),
            "arraylen" => {
                let name = format!("@{}", self.of(node).trim_start_matches("$#"));
                let length = Node::new(line, Op::Length(Node::var(line, name).boxed()));
                Op::Calc(Calc::Subtract, length.boxed(), Node::new(line, Op::Int(1)).boxed())
            }
            "variable_declaration" | "localization_expression" => {
                // Without a value: nothing is in them.
                let target = self.target(node);
                Op::Assign(target, Node::nothing(line).boxed())
            }
            "assignment_expression" => return self.assignment(node),
            "postinc_expression" | "preinc_expression" => {
                let Some(of) = node.child_by_field_name("operand") else { return Node::nothing(line) };
                let how = if operator() == "--" { Calc::Subtract } else { Calc::Add };
                let next = Op::Calc(how, self.expression(of).boxed(), Node::new(line, Op::Int(1)).boxed());
                Op::Assign(self.target(of), Node::new(line, next).boxed())
            }
            "equality_expression" | "relational_expression" => {
                let how = match operator() {
                    "eq" | "==" => Rel::Equal,
                    "ne" | "!=" => Rel::Differs,
                    "<" => Rel::Less,
                    "<=" => Rel::LessOrEqual,
                    ">" => Rel::Greater,
                    ">=" => Rel::GreaterOrEqual,
                    other => return Node::new(line, Op::Unknown(other.to_owned(), vec![left(), right()])),
                };
                Op::Compare(how, self.counted(left()).boxed(), self.counted(right()).boxed())
            }
            "unary_expression" | "ambiguous_unary_expression" => {
                let operand = node.child_by_field_name("operand").or_else(|| node.named().last().copied());
                let operand = operand.map_or_else(|| Node::nothing(line), |operand| self.expression(operand));
                match (operator(), operand.op) {
                    ("!" | "not", op) => Op::Not(self.counted(Node::new(line, op)).boxed()),
                    ("-", Op::Int(number)) => Op::Int(-number),
                    (other, op) => Op::Unknown(other.to_owned(), vec![Node::new(line, op)]),
                }
            }
            "lowprec_logical_expression" => match operator() {
                "and" => Op::And(left().boxed(), self.branch_of(node, "right").boxed()),
                "or" => Op::Or(left().boxed(), self.branch_of(node, "right").boxed()),
                "not" => Op::Not(right().boxed()),
                _ => Op::Unknown("xor".into(), vec![left(), right()]),
            },
            "binary_expression" => return self.binary(node),
            "conditional_expression" => {
                let part = |name: &str| {
                    node.child_by_field_name(name)
                        .map_or_else(|| Node::nothing(line), |part| self.expression(part))
                };
                Op::If(part("condition").boxed(), part("consequent").boxed(), part("alternative").boxed())
            }
            "func1op_call_expression" | "func0op_call_expression" => return self.builtin(node),
            "function_call_expression" | "ambiguous_function_call_expression" => return self.call(node),
            "function" => {
                let name = self.of(node).trim_start_matches('&');
                Op::Call(Node::var(line, name).boxed(), Vec::new(), Vec::new())
            }
            "coderef_call_expression" => {
                let named = node.named();
                let Some(callee) = named.first() else { return Node::nothing(line) };
                let words = named[1..].iter().flat_map(|list| self.words(*list)).collect();
                // A reference to a sub is called as a value, not by a name.
                let callee = Node::new(
                    line,
                    Op::If(
                        Node::new(line, Op::Bool(true)).boxed(),
                        self.expression(*callee).boxed(),
                        Node::nothing(line).boxed(),
                    ),
                );
                Op::Call(callee.boxed(), words, Vec::new())
            }
            "method_call_expression" => {
                let invocant = node
                    .child_by_field_name("invocant")
                    .map_or_else(|| Node::nothing(line), |of| self.expression(of));
                let method =
                    node.child_by_field_name("method").map(|method| self.of(method)).unwrap_or_default();
                let words: Vec<Node> =
                    node.fields("arguments").into_iter().flat_map(|list| self.words(list)).collect();
                match (&invocant.op, method) {
                    (Op::Text(package), "can") if package == "main" || package == "__PACKAGE__" => {
                        let name = Node::new(
                            line,
                            Op::Concat([Node::text(line, "fn:")].into_iter().chain(words).collect()),
                        );
                        Op::Unknown("a sub that is chosen at run time".into(), vec![name])
                    }
                    _ => Op::Unknown(method.to_owned(), std::iter::once(invocant).chain(words).collect()),
                }
            }
            "loopex_expression" => {
                match node.child_by_field_name("loopex").map(|word| self.of(word)).unwrap_or_default() {
                    "last" => Op::Break,
                    _ => Op::Continue,
                }
            }
            "return_expression" => {
                Op::Return(node.named().first().map(|value| self.expression(*value).boxed()))
            }
            "eval_expression" => match node.named().first() {
                Some(block) if block.kind() == "block" => {
                    let nothing = Node::new(line, Op::Nothing);
                    Op::Try {
                        body: self.block(*block).boxed(),
                        handlers: vec![nothing],
                        otherwise: None,
                        lastly: None,
                    }
                }
                _ => Op::Opaque("what eval does with a text that is made at run time".into(), Vec::new()),
            },
            "do_expression" => match node.named().first() {
                Some(block) if block.kind() == "block" => return self.block(*block),
                _ => Op::Opaque("a file that is brought in by do".into(), Vec::new()),
            },
            "require_expression" => Op::Int(1),
            "map_grep_expression" | "sort_expression" => return self.mapped(node),
            "match_regexp" | "quoted_regexp" => {
                let pattern = self.pattern(node);
                Op::Compare(Rel::Regex, Node::var(line, "$_").boxed(), pattern.boxed())
            }
            "ERROR" => Op::Opaque("a part that cannot be read as Perl".into(), Vec::new()),
            "block"
            | "block_statement"
            | "expression_statement"
            | "conditional_statement"
            | "postfix_conditional_expression"
            | "postfix_loop_expression"
            | "postfix_for_expression" => {
                return self.statement(node);
            }
            "undef_expression" => Op::Nothing,
            _ => Op::Unknown(self.of(node).chars().take(60).collect(), all()),
        };
        Node::new(line, op)
    }

    fn branch_of(&self, node: Tree<'t>, field: &str) -> Node {
        node.child_by_field_name(field)
            .map_or_else(|| Node::nothing(node.line()), |part| self.statement(part))
    }

    /// A list where a number is wanted is how long it is.
    fn counted(&self, node: Node) -> Node {
        match &node.op {
            Op::Var(name) if name.starts_with('@') => Node::new(node.line, Op::Length(node.boxed())),
            _ => node,
        }
    }

    fn dereferenced(&self, node: Tree<'t>) -> Node {
        match node.kind() {
            "block" => node
                .named()
                .first()
                .map_or_else(|| Node::nothing(node.line()), |inner| self.statement(*inner)),
            "varname" => match node.named().first() {
                Some(inner) => self.dereferenced(*inner),
                None => Node::var(node.line(), format!("${}", self.of(node))),
            },
            _ => self.expression(node),
        }
    }

    fn element(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let list = node.kind() == "array_element_expression";
        let container = node.child_by_field_name(if list { "array" } else { "hash" });
        let key = node
            .child_by_field_name(if list { "index" } else { "key" })
            .map_or_else(|| Node::nothing(line), |key| self.expression(key));
        let of = match container {
            Some(container) if container.kind() == "container_variable" => {
                let sigil = if list { '@' } else { '%' };
                let name = self.of(container).trim_start_matches('$');
                Node::var(line, format!("{sigil}{}", name.trim_matches(['{', '}'])))
            }
            Some(other) => self.expression(other),
            None => match node.named().first() {
                Some(inner) => self.expression(*inner),
                None => Node::nothing(line),
            },
        };
        if matches!(&of.op, Op::Var(name) if name == "%ENV") {
            return Node::new(line, Op::Unknown("$ENV".into(), vec![key]));
        }
        Node::new(line, Op::Item(of.boxed(), key.boxed()))
    }

    pub(super) fn target(&self, node: Tree<'t>) -> Target {
        let own = node.kind() == "variable_declaration" && self.keyword(node) != "our";
        match node.kind() {
            "variable_declaration" | "localization_expression" => {
                let variables = node.fields("variables");
                let named = |tree: &Tree<'t>| {
                    if own { Target::Local(self.name(*tree)) } else { Target::Name(self.name(*tree)) }
                };
                if !variables.is_empty() {
                    return Target::Each(
                        variables
                            .iter()
                            .map(|variable| match variable.kind() {
                                "array" | "hash" => Target::Rest(Box::new(named(variable))),
                                "undef_expression" => Target::Lost,
                                _ => named(variable),
                            })
                            .collect(),
                    );
                }
                let one = node.child_by_field_name("variable").or_else(|| node.named().first().copied());
                one.map_or(Target::Lost, |one| named(&one))
            }
            "scalar" | "array" | "hash" => Target::Name(self.name(node)),
            "array_element_expression" | "hash_element_expression" => match self.element(node).op {
                Op::Item(of, key) => Target::Item(of, key),
                _ => Target::Lost,
            },
            "parenthesized_expression" | "list_expression" => {
                let trees = self.trees(node);
                match &trees[..] {
                    [only] => self.target(*only),
                    _ => Target::Each(trees.into_iter().map(|tree| self.target(tree)).collect()),
                }
            }
            "assignment_expression" => {
                node.child_by_field_name("left").map_or(Target::Lost, |left| self.target(left))
            }
            _ => Target::Lost,
        }
    }

    fn assignment(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let (Some(left), Some(right)) = (node.child_by_field_name("left"), node.child_by_field_name("right"))
        else {
            return Node::nothing(line);
        };
        let target = self.target(left);
        let text = self.of(left);
        let map = text.contains('%') && !matches!(target, Target::Item(..));
        let list = text.contains('@') && matches!(target, Target::Name(_) | Target::Local(_));
        let value = match right.kind() {
            "parenthesized_expression" | "list_expression" if map => self.map(line, &self.trees(right)),
            "parenthesized_expression" | "list_expression" if list => {
                Node::new(line, Op::List(self.items(right)))
            }
            // `my $first = (…)[0]`, `my $count = @list`
            "array" if matches!(target, Target::Name(_) | Target::Local(_)) && !list && !map => {
                Node::new(line, Op::Length(self.expression(right).boxed()))
            }
            _ => self.expression(right),
        };
        let before = || self.expression(left);
        let value = match node
            .child_by_field_name("operator")
            .map(|operator| self.of(operator))
            .unwrap_or_default()
        {
            "+=" => Node::new(line, Op::Calc(Calc::Add, before().boxed(), value.boxed())),
            "-=" => Node::new(line, Op::Calc(Calc::Subtract, before().boxed(), value.boxed())),
            ".=" => Node::new(line, Op::Concat(vec![before(), value])),
            "||=" | "//=" => Node::new(line, Op::Or(before().boxed(), value.boxed())),
            "=" => value,
            other => Node::new(line, Op::Unknown(other.to_owned(), vec![value])),
        };
        Node::new(line, Op::Assign(target, value.boxed()))
    }

    fn binary(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let (Some(left), Some(right)) = (node.child_by_field_name("left"), node.child_by_field_name("right"))
        else {
            return Node::nothing(line);
        };
        let operator =
            node.child_by_field_name("operator").map(|operator| self.of(operator)).unwrap_or_default();
        if matches!(operator, "=~" | "!~") {
            return self.matched(left, right, operator == "!~");
        }
        let (a, b) = (self.expression(left), self.expression(right));
        let op = match operator {
            "&&" => Op::And(a.boxed(), self.statement(right).boxed()),
            "||" | "//" => Op::Or(self.counted(a).boxed(), self.statement(right).boxed()),
            // `1..5`, which the grammar takes for `1. . 5`.
            "." if self.of(left).ends_with('.')
                || self.of(node).contains("..") && left.kind() == "number" =>
            {
                range(line, &a, &b)
            }
            ".." => range(line, &a, &b),
            "." => Op::Concat(vec![a, b]),
            "+" => Op::Calc(Calc::Add, self.counted(a).boxed(), b.boxed()),
            "-" => Op::Calc(Calc::Subtract, self.counted(a).boxed(), b.boxed()),
            "*" => Op::Calc(Calc::Multiply, a.boxed(), b.boxed()),
            "/" => Op::Calc(Calc::Divide, a.boxed(), b.boxed()),
            "%" => Op::Calc(Calc::Remainder, a.boxed(), b.boxed()),
            other => Op::Unknown(other.to_owned(), vec![a, b]),
        };
        Node::new(line, op)
    }

    fn mapped(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let list =
            node.child_by_field_name("list").map_or_else(|| Node::nothing(line), |list| self.list(list));
        if node.kind() == "sort_expression" {
            return list;
        }
        let callback = node.child_by_field_name("callback");
        let grep = self.of(node).starts_with("grep");
        let body = callback.map_or_else(
            || Node::nothing(line),
            |callback| match callback.kind() {
                "block" => self.block(callback),
                _ => self.expression(callback),
            },
        );
        // `grep { $_ eq $phase } qw(…)` asks whether the phase is one of them.
        let body = match body.op {
            Op::Seq(mut steps) if steps.len() == 1 => steps.remove(0),
            op => Node::new(line, op),
        };
        if let (true, Op::Compare(Rel::Equal, a, b)) = (grep, &body.op) {
            let is_item = |node: &Node| matches!(&node.op, Op::Var(name) if name == "$_");
            let subject = if is_item(a) {
                Some(b)
            } else if is_item(b) {
                Some(a)
            } else {
                None
            };
            if let Some(subject) = subject {
                return Node::new(line, Op::Compare(Rel::In, subject.clone(), list.boxed()));
            }
        }
        let turn = Op::For { target: Target::Local("$_".into()), items: list.boxed(), body: body.boxed() };
        Node::new(line, Op::Unknown("a list".into(), vec![Node::new(line, turn)]))
    }

    /// The parts of a list, parentheses left out.
    pub(super) fn trees(&self, node: Tree<'t>) -> Vec<Tree<'t>> {
        node.named()
            .into_iter()
            .flat_map(|child| match child.kind() {
                "list_expression" => self.trees(child),
                _ => vec![child],
            })
            .collect()
    }

    fn items(&self, node: Tree<'t>) -> Vec<Node> {
        self.trees(node)
            .into_iter()
            .map(|child| {
                let item = self.expression(child);
                match child.kind() {
                    "array" | "quoted_word_list" | "parenthesized_expression" => {
                        Node::new(item.line, Op::Spread(item.boxed()))
                    }
                    _ => item,
                }
            })
            .collect()
    }

    pub(super) fn list(&self, node: Tree<'t>) -> Node {
        match node.kind() {
            "list_expression" | "parenthesized_expression" => {
                let mut items = self.items(node);
                if items.len() == 1
                    && let Op::Spread(_) = items[0].op
                    && let Op::Spread(inner) = items.remove(0).op
                {
                    return *inner;
                }
                Node::new(node.line(), Op::List(self.items(node)))
            }
            _ => self.expression(node),
        }
    }

    fn map(&self, line: usize, trees: &[Tree<'t>]) -> Node {
        if trees.iter().any(|tree| matches!(tree.kind(), "hash" | "array" | "map_grep_expression")) {
            return Node::new(line, Op::Unknown("a map".into(), Vec::new()));
        }
        let pairs = trees
            .chunks(2)
            .filter(|pair| pair.len() == 2)
            .map(|pair| (self.expression(pair[0]), self.expression(pair[1])));
        Node::new(line, Op::Map(pairs.collect()))
    }

    /// The arguments of a call.
    pub(super) fn words(&self, node: Tree<'t>) -> Vec<Node> {
        match node.kind() {
            "list_expression" | "parenthesized_expression" => self.items(node),
            "array" => vec![Node::new(node.line(), Op::Spread(self.expression(node).boxed()))],
            "quoted_word_list" => vec![Node::new(node.line(), Op::Spread(self.expression(node).boxed()))],
            _ => vec![self.expression(node)],
        }
    }
}

fn range(line: usize, a: &Node, b: &Node) -> Op {
    match (&a.op, &b.op) {
        (Op::Int(from), Op::Int(until)) => Op::List(
            (*from..=(*until).min(from + 63)).map(|number| Node::new(line, Op::Int(number))).collect(),
        ),
        _ => Op::Unknown("a range".into(), vec![a.clone(), b.clone()]),
    }
}
