//! `[ … ]` and `[[ … ]]`.

use super::{Reader, Tree};
use crate::flow::ir::{Expansion, Node, Op, Rel};
use crate::syntax::Below as _;

impl<'t> Reader<'t> {
    pub(super) fn test_command(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let opening = node.child(0).map(|first| first.kind()).unwrap_or_default();
        match (opening, &node.named()[..]) {
            ("[[", [inner]) => self.expression(*inner),
            ("((", inner) => {
                Self::arithmetic_of(line, inner.iter().map(|child| self.arithmetic(*child)).collect())
            }
            _ => {
                // The grammar has no precedence of `-a` and `-o`: `[` is taken by its words.
                let mut words = vec![Node::text(line, "[")];
                for child in node.all() {
                    self.words_of_test(child, &mut words);
                }
                words.retain(|word| !matches!(&word.op, Op::Text(text) if text == "]"));
                Node::new(line, Op::Command(Vec::new(), words))
            }
        }
    }

    fn words_of_test(&self, node: Tree<'t>, words: &mut Vec<Node>) {
        match node.kind() {
            "binary_expression" | "unary_expression" | "parenthesized_expression" | "ternary_expression" => {
                for child in node.all() {
                    self.words_of_test(child, words);
                }
            }
            "[" | "]" => {}
            "comment" => {}
            _ => {
                let word = self.word_as_text(node);
                let asks = matches!(words.last().map(|word| &word.op), Some(Op::Text(test)) if matches!(test.as_str(), "-z" | "-n" | "-v"));
                words.push(if asks { Self::asked(word) } else { word });
            }
        }
    }

    /// A word whose variables may be missing: that is the question.
    fn asked(word: Node) -> Node {
        let line = word.line;
        let quiet = |node: Node| {
            let about = match &node.op {
                Op::Var(name) => name.clone(),
                _ => return node,
            };
            Node::new(line, Op::Expand(node.boxed(), about, Expansion::Default(Node::text(line, "").boxed())))
        };
        match word.op {
            Op::Concat(parts) => Node::new(line, Op::Concat(parts.into_iter().map(quiet).collect())),
            op => quiet(Node::new(line, op)),
        }
    }

    fn expression(&self, node: Tree<'t>) -> Node {
        let line = node.line();
        let probe = |test: &str, of: Vec<Node>| Node::new(line, Op::Probe(test.to_owned(), of));
        match node.kind() {
            "parenthesized_expression" => match &node.named()[..] {
                [inner] => self.expression(*inner),
                _ => probe(self.of(node), Vec::new()),
            },
            "unary_expression" => {
                let operator = node.child_by_field_name("operator").or_else(|| node.child(0));
                let Some(operator) = operator else { return Node::nothing(line) };
                let of = node.named().into_iter().find(|child| child.id() != operator.id());
                let Some(of) = of else { return probe(self.of(node), Vec::new()) };
                match self.of(operator) {
                    "!" => self.expression(of).negated(),
                    "-z" => Node::new(line, Op::Empty(self.word_as_text(of).boxed())),
                    "-n" => Node::new(line, Op::Empty(self.word_as_text(of).boxed())).negated(),
                    "-v" => match self.of(of) {
                        name if name.chars().all(|c| c.is_alphanumeric() || c == '_') => {
                            Node::new(line, Op::Exists(Node::var(line, name).boxed()))
                        }
                        whole => self
                            .item_exists(line, whole)
                            .unwrap_or_else(|| probe("-v", vec![self.word_as_text(of)])),
                    },
                    test => probe(test, vec![self.word_as_text(of)]),
                }
            }
            "binary_expression" => {
                let (Some(left), Some(right)) =
                    (node.child_by_field_name("left"), node.child_by_field_name("right"))
                else {
                    return probe(self.of(node), Vec::new());
                };
                let operator = node
                    .child_by_field_name("operator")
                    .map(|operator| self.of(operator))
                    .unwrap_or_default();
                match operator {
                    "&&" => {
                        return Node::new(
                            line,
                            Op::And(self.expression(left).boxed(), self.expression(right).boxed()),
                        );
                    }
                    "||" => {
                        return Node::new(
                            line,
                            Op::Or(self.expression(left).boxed(), self.expression(right).boxed()),
                        );
                    }
                    _ => {}
                }
                let quoted = matches!(right.kind(), "string" | "raw_string");
                let how = match operator {
                    "=" | "==" if quoted => Some(Rel::Equal),
                    "=" | "==" => Some(Rel::Glob),
                    "!=" if quoted => Some(Rel::Differs),
                    "!=" => {
                        let fits = Op::Compare(
                            Rel::Glob,
                            self.word_as_text(left).boxed(),
                            self.word_as_text(right).boxed(),
                        );
                        return Node::new(line, fits).negated();
                    }
                    "=~" => Some(Rel::Regex),
                    "-eq" => Some(Rel::Equal),
                    "-ne" => Some(Rel::Differs),
                    "-lt" => Some(Rel::Less),
                    "-le" => Some(Rel::LessOrEqual),
                    "-gt" => Some(Rel::Greater),
                    "-ge" => Some(Rel::GreaterOrEqual),
                    _ => None,
                };
                let (a, b) = (self.word_as_text(left), self.word_as_text(right));
                match how {
                    Some(how) => Node::new(line, Op::Compare(how, a.boxed(), b.boxed())),
                    None => probe(operator, vec![a, b]),
                }
            }
            _ => Node::new(line, Op::Empty(self.word_as_text(node).boxed())).negated(),
        }
    }

    /// `map[key]`, `map["$key"]`
    fn item_exists(&self, line: usize, text: &str) -> Option<Node> {
        let text = text.trim_matches('"');
        let (name, rest) = text.split_once('[')?;
        let key = rest.strip_suffix(']')?.trim_matches(['"', '\'']);
        let key = match key.strip_prefix('$') {
            Some(variable) => {
                let variable = variable.trim_matches(['{', '}']);
                match variable.parse::<i64>() {
                    Ok(at) => Node::new(
                        line,
                        Op::Item(Node::var(line, "@").boxed(), Node::new(line, Op::Int(at - 1)).boxed()),
                    ),
                    Err(_) => Node::var(line, variable),
                }
            }
            None => Node::text(line, key),
        };
        let item = Op::Item(Node::var(line, name).boxed(), key.boxed());
        Some(Node::new(line, Op::Exists(Node::new(line, item).boxed())))
    }
}
