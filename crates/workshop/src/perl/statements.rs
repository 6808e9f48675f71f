//! Statements.

use super::{Reader, Tree};
use crate::flow::ir::{Func, Node, Op, Param, Target};
use crate::syntax::Below as _;
use std::rc::Rc;

impl<'t> Reader<'t> {
    pub(super) fn statement(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let op = match node.kind() {
            "expression_statement"
            | "block_statement"
            | "block"
            | "package_statement"
            | "phaser_statement" => {
                let mut steps: Vec<Node> =
                    node.named().into_iter().map(|child| self.statement(child)).collect();
                if steps.len() == 1 {
                    return steps.remove(0);
                }
                Op::Seq(steps)
            }
            "conditional_statement" => return self.branch(node),
            "elsif" => return self.branch(node),
            "else" => {
                return node
                    .child_by_field_name("block")
                    .map_or_else(|| Node::nothing(line), |block| self.block(block));
            }
            "loop_statement" => {
                let until = self.keyword(node) == "until";
                let condition = node
                    .child_by_field_name("condition")
                    .map_or_else(|| Node::new(line, Op::Bool(true)), |condition| self.expression(condition));
                let condition = if until { condition.negated() } else { condition };
                let body = node
                    .child_by_field_name("block")
                    .map_or_else(|| Node::nothing(line), |block| self.block(block));
                Op::Loop { condition: condition.boxed(), body: body.boxed(), after: None, last: None }
            }
            "for_statement" => {
                let name = node
                    .child_by_field_name("variable")
                    .map_or_else(|| "$_".to_owned(), |variable| self.name(variable));
                let items = node
                    .child_by_field_name("list")
                    .map_or_else(|| Node::nothing(line), |list| self.list(list));
                let body = node
                    .child_by_field_name("block")
                    .map_or_else(|| Node::nothing(line), |block| self.block(block));
                Op::For { target: Target::Local(name), items: items.boxed(), body: body.boxed() }
            }
            "cstyle_for_statement" => {
                let part = |name: &str| {
                    node.fields(name)
                        .into_iter()
                        .find(|part| part.is_named())
                        .map(|part| self.statement(part))
                };
                let condition = part("condition").unwrap_or_else(|| Node::new(line, Op::Bool(true)));
                let body = node
                    .child_by_field_name("block")
                    .map_or_else(|| Node::nothing(line), |block| self.block(block));
                let turn = Op::Loop {
                    condition: condition.boxed(),
                    body: body.boxed(),
                    after: part("iterator").map(Node::boxed),
                    last: None,
                };
                Op::Seq(part("initialiser").into_iter().chain([Node::new(line, turn)]).collect())
            }
            "postfix_conditional_expression" => {
                let condition = node
                    .child_by_field_name("condition")
                    .map_or_else(|| Node::nothing(line), |condition| self.expression(condition));
                let body =
                    node.named().first().map_or_else(|| Node::nothing(line), |body| self.statement(*body));
                let unless = node.all().iter().any(|child| child.kind() == "unless");
                let condition = if unless { condition.negated() } else { condition };
                Op::If(condition.boxed(), body.boxed(), Node::nothing(line).boxed())
            }
            "postfix_loop_expression" => {
                let condition = node
                    .child_by_field_name("condition")
                    .map_or_else(|| Node::nothing(line), |condition| self.expression(condition));
                let body =
                    node.named().first().map_or_else(|| Node::nothing(line), |body| self.statement(*body));
                let until = node.all().iter().any(|child| child.kind() == "until");
                let condition = if until { condition.negated() } else { condition };
                Op::Loop { condition: condition.boxed(), body: body.boxed(), after: None, last: None }
            }
            "postfix_for_expression" => {
                let named = node.named();
                let items = node
                    .child_by_field_name("list")
                    .or_else(|| named.last().copied())
                    .map_or_else(|| Node::nothing(line), |list| self.list(list));
                let body = named.first().map_or_else(|| Node::nothing(line), |body| self.statement(*body));
                Op::For { target: Target::Local("$_".into()), items: items.boxed(), body: body.boxed() }
            }
            // Subs have been defined before.
            "subroutine_declaration_statement" => Op::Nothing,
            "use_statement" | "no_statement" | "use_version_statement" | "require_version_expression" => {
                return self.used(node);
            }
            "heredoc_content" | "pod" | "comment" | "data_section" | "eof_marker" => Op::Nothing,
            "ERROR" => Op::Opaque("a part that cannot be read as Perl".into(), Vec::new()),
            "try_statement" => {
                let block = |name: &str| node.child_by_field_name(name).map(|block| self.block(block));
                let handlers = block("catch_block").into_iter().collect();
                let body = block("try_block").unwrap_or_else(|| Node::nothing(line));
                Op::Try {
                    body: body.boxed(),
                    handlers,
                    otherwise: None,
                    lastly: block("finally_block").map(Node::boxed),
                }
            }
            _ => return self.expression(node),
        };
        Node::new(line, op)
    }

    /// `use constant NAME => VALUE` defines one; other modules have no effect that counts here.
    fn used(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let module = node.child_by_field_name("module").map(|module| self.of(module)).unwrap_or_default();
        if module != "constant" {
            return Node::nothing(line);
        }
        let pairs: Vec<Tree<'t>> = node
            .named()
            .into_iter()
            .filter(|child| child.kind() != "package")
            .flat_map(|child| match child.kind() {
                "list_expression" => child.named(),
                "anonymous_hash_expression" => child
                    .named()
                    .into_iter()
                    .flat_map(|list| if list.kind() == "list_expression" { list.named() } else { vec![list] })
                    .collect(),
                _ => vec![child],
            })
            .collect();
        let steps = pairs.chunks(2).filter(|pair| pair.len() == 2).map(|pair| {
            let name = self.of(pair[0]).trim_matches(['"', '\'']).to_owned();
            let func = Func {
                name: name.clone(),
                params: Vec::new(),
                body: self.expression(pair[1]),
                expression: true,
            };
            Node::new(
                line,
                Op::Assign(
                    Target::Name(format!("fn:{name}")),
                    Node::new(line, Op::Func(Rc::new(func))).boxed(),
                ),
            )
        });
        Node::new(line, Op::Seq(steps.collect()))
    }

    pub(super) fn keyword(&self, node: Tree<'t>) -> &'t str {
        node.all().into_iter().find(|child| !child.is_named()).map(|child| child.kind()).unwrap_or_default()
    }

    fn branch(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let unless = self.keyword(node) == "unless";
        let condition = node
            .child_by_field_name("condition")
            .map_or_else(|| Node::nothing(line), |condition| self.expression(condition));
        let condition = if unless { condition.negated() } else { condition };
        let body =
            node.child_by_field_name("block").map_or_else(|| Node::nothing(line), |block| self.block(block));
        let otherwise = node.named().into_iter().find(|child| matches!(child.kind(), "elsif" | "else"));
        let otherwise = otherwise.map_or_else(|| Node::nothing(line), |child| self.statement(child));
        Node::new(line, Op::If(condition.boxed(), body.boxed(), otherwise.boxed()))
    }

    pub(super) fn sub(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let name = node.child_by_field_name("name").map(|name| self.of(name)).unwrap_or_default();
        let value = Node::new(line, Op::Func(Rc::new(self.func(node, name))));
        Node::new(line, Op::Assign(Target::Name(format!("fn:{name}")), value.boxed()))
    }

    pub(super) fn func(&self, node: Tree<'t>, name: &str) -> Func {
        let body = node
            .child_by_field_name("body")
            .map_or_else(|| Node::nothing(node.line()), |body| self.block(body));
        let signature = node.named().into_iter().find(|child| child.kind() == "signature");
        let params = signature.map(|signature| signature.named()).unwrap_or_default().into_iter().filter_map(
            |param| {
                let variable = if param.kind() == "scalar" {
                    Some(param)
                } else {
                    param.named().into_iter().find(|child| child.kind() == "scalar")
                };
                variable.map(|variable| Param {
                    name: self.of(variable).to_owned(),
                    default: None,
                    rest: false,
                })
            },
        );
        Func { name: name.to_owned(), params: params.collect(), body, expression: false }
    }
}
