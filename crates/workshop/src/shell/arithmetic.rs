//! What stands between `((` and `))`.

use super::{Reader, Tree};
use crate::flow::ir::{Calc, Expansion, Node, Op, Rel, Target};
use crate::syntax::Below as _;

impl<'t> Reader<'t> {
    pub(super) fn arithmetic(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let unknown = || {
            let parts = node.named().into_iter().map(|child| self.arithmetic(child)).collect();
            Node::new(line, Op::Unknown(self.of(node).to_owned(), parts))
        };
        match node.kind() {
            "number" | "word" | "variable_name" => match self.of(node).parse::<i64>() {
                Ok(number) => Node::new(line, Op::Int(number)),
                // A name that is not set counts as zero, without `set -u`.
                Err(_) if self.of(node).chars().all(|c| c.is_alphanumeric() || c == '_') => {
                    Self::named_number(line, self.of(node))
                }
                Err(_) => unknown(),
            },
            "parenthesized_expression" => match &node.named()[..] {
                [inner] => self.arithmetic(*inner),
                _ => unknown(),
            },
            "variable_assignment" => {
                let name = node.child_by_field_name("name").map(|name| self.of(name)).unwrap_or_default();
                let value = node
                    .child_by_field_name("value")
                    .map_or_else(|| Node::text(line, ""), |value| self.arithmetic(value));
                Node::new(line, Op::Assign(Target::Name(name.to_owned()), value.boxed()))
            }
            "binary_expression" => {
                let (Some(left), Some(right)) =
                    (node.child_by_field_name("left"), node.child_by_field_name("right"))
                else {
                    return unknown();
                };
                let operator = node
                    .child_by_field_name("operator")
                    .map(|operator| self.of(operator))
                    .unwrap_or_default();
                self.binary(line, left, operator, right).unwrap_or_else(unknown)
            }
            "postfix_expression" | "unary_expression" => {
                let operator = node
                    .child_by_field_name("operator")
                    .or_else(|| node.child(0))
                    .map(|operator| self.of(operator))
                    .unwrap_or_default();
                let Some(of) = node.named().into_iter().find(|child| self.of(*child) != operator) else {
                    return unknown();
                };
                let name = self.of(of).to_owned();
                let step = |how: Calc| {
                    let next = Node::new(
                        line,
                        Op::Calc(
                            how,
                            Self::named_number(line, &name).boxed(),
                            Node::new(line, Op::Int(1)).boxed(),
                        ),
                    );
                    let target = Target::Name(name.clone());
                    match node.kind() {
                        "postfix_expression" => {
                            Op::AssignAfter(target, next.boxed(), Self::named_number(line, &name).boxed())
                        }
                        _ => Op::Assign(target, next.boxed()),
                    }
                };
                match operator {
                    "++" => Node::new(line, step(Calc::Add)),
                    "--" => Node::new(line, step(Calc::Subtract)),
                    "!" => self.arithmetic(of).negated(),
                    "-" => {
                        let zero = Node::new(line, Op::Int(0));
                        Node::new(line, Op::Calc(Calc::Subtract, zero.boxed(), self.arithmetic(of).boxed()))
                    }
                    _ => unknown(),
                }
            }
            "simple_expansion"
            | "expansion"
            | "command_substitution"
            | "string"
            | "subscript"
            | "arithmetic_expansion" => self.word_as_text(node),
            _ => unknown(),
        }
    }

    fn named_number(line: usize, name: &str) -> Node {
        let zero = Node::new(line, Op::Int(0));
        Node::new(
            line,
            Op::Expand(Node::var(line, name).boxed(), name.to_owned(), Expansion::Default(zero.boxed())),
        )
    }

    fn binary(&self, line: usize, left: Tree<'t>, operator: &str, right: Tree<'t>) -> Option<Node> {
        let (a, b) = (self.arithmetic(left), self.arithmetic(right));
        let calc = |how| Op::Calc(how, a.clone().boxed(), b.clone().boxed());
        let compare = |how| Op::Compare(how, a.clone().boxed(), b.clone().boxed());
        let name = self.of(left).to_owned();
        let op = match operator {
            "+" => calc(Calc::Add),
            "-" => calc(Calc::Subtract),
            "*" => calc(Calc::Multiply),
            "/" => calc(Calc::Divide),
            "%" => calc(Calc::Remainder),
            "==" => compare(Rel::Equal),
            "!=" => compare(Rel::Differs),
            "<" => compare(Rel::Less),
            "<=" => compare(Rel::LessOrEqual),
            ">" => compare(Rel::Greater),
            ">=" => compare(Rel::GreaterOrEqual),
            "&&" => Op::And(
                Node::new(line, Op::Arithmetic(a.clone().boxed())).boxed(),
                Node::new(line, Op::Arithmetic(b.clone().boxed())).boxed(),
            ),
            "||" => Op::Or(
                Node::new(line, Op::Arithmetic(a.clone().boxed())).boxed(),
                Node::new(line, Op::Arithmetic(b.clone().boxed())).boxed(),
            ),
            "=" => Op::Assign(Target::Name(name), b.boxed()),
            "+=" => Op::Assign(Target::Name(name), Node::new(line, calc(Calc::Add)).boxed()),
            "-=" => Op::Assign(Target::Name(name), Node::new(line, calc(Calc::Subtract)).boxed()),
            "*=" => Op::Assign(Target::Name(name), Node::new(line, calc(Calc::Multiply)).boxed()),
            _ => return None,
        };
        Some(Node::new(line, op))
    }
}
