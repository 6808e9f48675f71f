//! Statements.

use super::{Reader, Tree};
use crate::flow::ir::{Arm, Calc, Class, Func, Node, Op, Param, Rel, Target};
use crate::syntax::Below as _;
use std::rc::Rc;

impl<'t> Reader<'t> {
    pub(super) fn statement(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let op = match node.kind() {
            "expression_statement" => {
                let steps: Vec<Node> = node.named().into_iter().map(|child| self.statement(child)).collect();
                return match <[Node; 1]>::try_from(steps) {
                    Ok([only]) => only,
                    Err(steps) => Node::new(line, Op::Seq(steps)),
                };
            }
            "assignment" => return self.assignment(node),
            "augmented_assignment" => return self.augmented(node),
            "import_statement" | "import_from_statement" | "future_import_statement" => {
                return self.import(node);
            }
            "function_definition" => {
                let name = self.named_field(node, "name");
                let func = self.function(node, &name);
                Op::Assign(Target::Name(name), Node::new(line, Op::Func(Rc::new(func))).boxed())
            }
            "decorated_definition" => return self.decorated(node),
            "class_definition" => {
                let name = self.named_field(node, "name");
                let bases =
                    node.child_by_field_name("superclasses").map(|bases| self.of(bases)).unwrap_or_default();
                let body = node
                    .child_by_field_name("body")
                    .map(|body| body.named().into_iter().map(|child| self.statement(child)).collect())
                    .unwrap_or_default();
                let class = Class { name: name.clone(), enumeration: bases.contains("Enum"), body };
                Op::Assign(Target::Name(name), Node::new(line, Op::Class(Rc::new(class))).boxed())
            }
            "if_statement" => return self.branch(node),
            "while_statement" => {
                let condition = self.field(node, "condition");
                let last =
                    node.child_by_field_name("alternative").map(|otherwise| self.body(otherwise).boxed());
                Op::Loop { condition: condition.boxed(), body: self.body(node).boxed(), after: None, last }
            }
            "for_statement" => {
                let target = node.child_by_field_name("left").map_or(Target::Lost, |left| self.target(left));
                let turn = Node::new(
                    line,
                    Op::For {
                        target,
                        items: self.field(node, "right").boxed(),
                        body: self.body(node).boxed(),
                    },
                );
                match node.child_by_field_name("alternative") {
                    // Whether it was left by a break is not followed.
                    Some(otherwise) => {
                        let asked =
                            Node::new(line, Op::Unknown("whether the loop was left".into(), Vec::new()));
                        let rest =
                            Op::If(asked.boxed(), self.body(otherwise).boxed(), Node::nothing(line).boxed());
                        Op::Seq(vec![turn, Node::new(line, rest)])
                    }
                    None => return turn,
                }
            }
            "try_statement" => return self.attempt(node),
            "with_statement" => {
                let items = node
                    .named()
                    .into_iter()
                    .filter(|child| child.kind() == "with_clause")
                    .flat_map(|clause| clause.named());
                let mut steps: Vec<Node> = items
                    .map(|item| {
                        item.child_by_field_name("value")
                            .map_or_else(|| Node::nothing(line), |value| self.expression(value))
                    })
                    .collect();
                steps.push(self.body(node));
                Op::Seq(steps)
            }
            "match_statement" => return self.choice(node),
            "return_statement" => {
                Op::Return(node.named().first().map(|value| self.expression(*value).boxed()))
            }
            "raise_statement" => {
                let values = node.named();
                if let Some(first) = values.first()
                    && (self.of(*first).starts_with("SystemExit") || self.of(*first).starts_with("sys.exit"))
                {
                    let code = first
                        .named()
                        .into_iter()
                        .find(|child| child.kind() == "argument_list")
                        .and_then(|list| list.named().first().copied());
                    return Node::new(line, Op::Exit(code.map(|code| self.expression(code).boxed())));
                }
                Op::Raise(values.into_iter().map(|value| self.expression(value)).collect())
            }
            "assert_statement" => {
                let Some(first) = node.named().first().copied() else { return Node::nothing(line) };
                Op::Or(self.expression(first).boxed(), Node::new(line, Op::Raise(Vec::new())).boxed())
            }
            "global_statement" | "nonlocal_statement" => {
                Op::Global(node.named().into_iter().map(|name| self.of(name).to_owned()).collect())
            }
            "break_statement" => Op::Break,
            "continue_statement" => Op::Continue,
            "pass_statement" | "type_alias_statement" => Op::Nothing,
            "delete_statement" => Op::Nothing,
            "exec_statement" => {
                Op::Opaque("what exec does with a text that is made at run time".into(), Vec::new())
            }
            "print_statement" => Op::Nothing,
            "block" | "module" => return self.block(node),
            "ERROR" => Op::Opaque("a part that cannot be read as Python".into(), Vec::new()),
            _ => return self.expression(node),
        };
        Node::new(line, op)
    }

    /// A function or class, and what its decorators make of it.
    fn decorated(&self, node: Tree<'t>) -> Node {
        let Some(inner) = node.child_by_field_name("definition") else { return Node::nothing(node.line()) };
        let mut definition = self.statement(inner);
        for decorator in node.named().into_iter().filter(|child| child.kind() == "decorator").rev() {
            let text = self.of(decorator).trim_start_matches('@').trim();
            let name =
                text.split(['(', ' ']).next().unwrap_or_default().rsplit('.').next().unwrap_or_default();
            let plain = [
                "property",
                "staticmethod",
                "classmethod",
                "dataclass",
                "contextmanager",
                "wraps",
                "cache",
                "lru_cache",
                "cached_property",
                "unique",
                "total_ordering",
                "abstractmethod",
                "override",
                "final",
                "setter",
            ];
            if plain.contains(&name) {
                continue;
            }
            if let (Op::Assign(target, value), Some(with)) = (definition.op, decorator.named().first()) {
                let made = Node::new(
                    node.line(),
                    Op::Call(self.expression(*with).boxed(), vec![*value], Vec::new()),
                );
                definition = Node::new(node.line(), Op::Assign(target, made.boxed()));
            } else {
                return Node::nothing(node.line());
            }
        }
        definition
    }

    pub(super) fn named_field(&self, node: Tree<'t>, name: &str) -> String {
        node.child_by_field_name(name).map(|field| self.of(field).to_owned()).unwrap_or_default()
    }

    pub(super) fn field(&self, node: Tree<'t>, name: &str) -> Node {
        node.child_by_field_name(name)
            .map_or_else(|| Node::nothing(node.line()), |field| self.expression(field))
    }

    fn body(&self, node: Tree<'t>) -> Node {
        let body = node
            .child_by_field_name("body")
            .or_else(|| node.named().into_iter().find(|child| child.kind() == "block"));
        body.map_or_else(|| Node::nothing(node.line()), |body| self.block(body))
    }

    pub(super) fn function(&self, node: Tree<'t>, name: &str) -> Func {
        let params =
            node.child_by_field_name("parameters").map(|list| self.parameters(list)).unwrap_or_default();
        Func { name: name.to_owned(), params, body: self.body(node), expression: false }
    }

    pub(super) fn parameters(&self, list: Tree<'t>) -> Vec<Param> {
        let one = |node: Tree<'t>| {
            let plain = |name: &str| Some(Param { name: name.to_owned(), default: None, rest: false });
            match node.kind() {
                "identifier" => plain(self.of(node)),
                "typed_parameter" => node.named().first().and_then(|inner| match inner.kind() {
                    "list_splat_pattern" => Some(Param {
                        name: self.of(*inner).trim_start_matches('*').to_owned(),
                        default: None,
                        rest: true,
                    }),
                    "dictionary_splat_pattern" => None,
                    _ => plain(self.of(*inner)),
                }),
                "default_parameter" | "typed_default_parameter" => Some(Param {
                    name: self.named_field(node, "name"),
                    default: node.child_by_field_name("value").map(|value| self.expression(value)),
                    rest: false,
                }),
                "list_splat_pattern" => Some(Param {
                    name: self.of(node).trim_start_matches('*').to_owned(),
                    default: None,
                    rest: true,
                }),
                _ => None,
            }
        };
        list.named().into_iter().filter_map(one).collect()
    }

    fn assignment(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let target = node.child_by_field_name("left").map_or(Target::Lost, |left| self.target(left));
        match node.child_by_field_name("right") {
            Some(right) if right.kind() == "assignment" => {
                // `a = b = value`
                let inner = self.assignment(right);
                let Op::Assign(first, value) = inner.op else { return Node::nothing(line) };
                Node::new(line, Op::Assign(target, Node::new(line, Op::Assign(first, value)).boxed()))
            }
            Some(right) => Node::new(line, Op::Assign(target, self.expression(right).boxed())),
            // A field of a data class.
            None => Node::new(
                line,
                Op::Assign(target, Node::new(line, Op::Unknown("a field".into(), Vec::new())).boxed()),
            ),
        }
    }

    fn augmented(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let target = node.child_by_field_name("left").map_or(Target::Lost, |left| self.target(left));
        let (before, value) = (self.field(node, "left"), self.field(node, "right"));
        let op = match self.named_field(node, "operator").as_str() {
            "+=" => Op::Calc(Calc::Add, before.boxed(), value.boxed()),
            "-=" => Op::Calc(Calc::Subtract, before.boxed(), value.boxed()),
            "*=" => Op::Calc(Calc::Multiply, before.boxed(), value.boxed()),
            other => Op::Unknown(other.to_owned(), vec![before, value]),
        };
        Node::new(line, Op::Assign(target, Node::new(line, op).boxed()))
    }

    pub(super) fn target(&self, node: Tree<'t>) -> Target {
        match node.kind() {
            "identifier" => Target::Name(self.of(node).to_owned()),
            "pattern_list" | "tuple_pattern" | "list_pattern" | "tuple" | "expression_list" => {
                Target::Each(node.named().into_iter().map(|child| self.target(child)).collect())
            }
            "list_splat_pattern" => {
                node.named().first().map_or(Target::Lost, |inner| Target::Rest(Box::new(self.target(*inner))))
            }
            "attribute" => {
                Target::Field(self.field(node, "object").boxed(), self.named_field(node, "attribute"))
            }
            "subscript" => {
                Target::Item(self.field(node, "value").boxed(), self.field(node, "subscript").boxed())
            }
            "parenthesized_expression" => {
                node.named().first().map_or(Target::Lost, |inner| self.target(*inner))
            }
            _ => Target::Lost,
        }
    }

    fn import(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let module = node.child_by_field_name("module_name").map(|name| self.of(name));
        if node.kind() == "future_import_statement" {
            return Node::nothing(line);
        }
        let assign = |name: &str, from: String| {
            Node::new(
                line,
                Op::Assign(Target::Name(name.to_owned()), Node::new(line, Op::Outside(from)).boxed()),
            )
        };
        let steps = node.fields("name").into_iter().map(|child| {
            let (path, own) = match child.kind() {
                "aliased_import" => (self.named_field(child, "name"), Some(self.named_field(child, "alias"))),
                _ => (self.of(child).to_owned(), None),
            };
            match module {
                Some(module) => assign(own.as_deref().unwrap_or(&path), format!("{module}.{path}")),
                None => match own {
                    Some(own) => assign(&own, path),
                    None => {
                        let first = path.split('.').next().unwrap_or(&path).to_owned();
                        assign(&first.clone(), first)
                    }
                },
            }
        });
        Node::new(line, Op::Seq(steps.collect()))
    }

    fn branch(&self, node: Tree<'t>) -> Node {
        let mut last = Node::nothing(node.line());
        for alternative in node.fields("alternative").into_iter().rev() {
            last = match alternative.kind() {
                "elif_clause" => {
                    let body = alternative
                        .child_by_field_name("consequence")
                        .map_or_else(|| Node::nothing(node.line()), |body| self.block(body));
                    Node::new(
                        alternative.line(),
                        Op::If(self.field(alternative, "condition").boxed(), body.boxed(), last.boxed()),
                    )
                }
                _ => self.body(alternative),
            };
        }
        let body = node
            .child_by_field_name("consequence")
            .map_or_else(|| Node::nothing(node.line()), |body| self.block(body));
        Node::new(node.line(), Op::If(self.field(node, "condition").boxed(), body.boxed(), last.boxed()))
    }

    fn attempt(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let mut handlers = Vec::new();
        let (mut otherwise, mut lastly) = (None, None);
        for child in node.named() {
            match child.kind() {
                "except_clause" | "except_group_clause" => {
                    let mut steps = Vec::new();
                    let name = child
                        .named()
                        .into_iter()
                        .find(|part| part.kind() == "as_pattern")
                        .and_then(|part| part.child_by_field_name("alias"));
                    if let Some(name) = name {
                        let unknown = Node::new(line, Op::Unknown("the exception".into(), Vec::new()));
                        steps.push(Node::new(
                            line,
                            Op::Assign(Target::Name(self.of(name).to_owned()), unknown.boxed()),
                        ));
                    }
                    steps.push(self.body(child));
                    handlers.push(Node::new(child.line(), Op::Seq(steps)));
                }
                "else_clause" => otherwise = Some(self.body(child).boxed()),
                "finally_clause" => lastly = Some(self.body(child).boxed()),
                _ => {}
            }
        }
        Node::new(line, Op::Try { body: self.body(node).boxed(), handlers, otherwise, lastly })
    }

    fn choice(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let subject = self.field(node, "subject");
        let cases = node.child_by_field_name("body").map(|body| body.named()).unwrap_or_default();
        let arms = cases.into_iter().filter(|case| case.kind() == "case_clause").map(|case| {
            let patterns: Vec<Tree<'t>> =
                case.named().into_iter().filter(|child| child.kind() == "case_pattern").collect();
            let mut values = Vec::new();
            let mut any = false;
            for pattern in patterns {
                any |= !self.pattern(pattern, &mut values);
            }
            let guard = case
                .child_by_field_name("guard")
                .and_then(|guard| guard.named().first().map(|inner| self.expression(*inner)));
            let body = case
                .child_by_field_name("consequence")
                .map_or_else(|| Node::nothing(line), |body| self.block(body));
            Arm { patterns: if any { Vec::new() } else { values }, guard, body, falls_through: false }
        });
        Node::new(line, Op::Choose(subject.boxed(), Rel::Equal, arms.collect()))
    }

    /// Collects the values of a pattern; `false` where it takes everything.
    fn pattern(&self, node: Tree<'t>, values: &mut Vec<Node>) -> bool {
        match node.kind() {
            "case_pattern" | "as_pattern" => match node.named().first() {
                Some(inner) => self.pattern(*inner, values),
                None => self.of(node) != "_",
            },
            "union_pattern" => {
                let mut all = true;
                for child in node.named() {
                    all &= self.pattern(child, values);
                }
                all
            }
            "dotted_name" => {
                let names: Vec<&str> = self.of(node).split('.').collect();
                if names.len() == 1 {
                    return false;
                }
                let first = Node::var(node.line(), names[0]);
                values.push(names[1..].iter().fold(first, |of, name| {
                    Node::new(node.line(), Op::Field(of.boxed(), (*name).to_owned()))
                }));
                true
            }
            "string" | "integer" | "none" | "true" | "false" | "concatenated_string" => {
                values.push(self.expression(node));
                true
            }
            _ => {
                values.push(Node::new(
                    node.line(),
                    Op::Unknown(self.of(node).chars().take(40).collect(), Vec::new()),
                ));
                true
            }
        }
    }
}
