//! The shell, by tree-sitter's grammar of bash.

mod arithmetic;
mod statements;
mod tests_of;
mod words;

use crate::flow::ir::{Node, Op};
use crate::syntax::{self, Script, Unreadable};

/// Reads a script.
pub(crate) fn read(text: &str) -> Result<Script, Unreadable> {
    let tree = syntax::parse(text, &tree_sitter_bash::LANGUAGE.into())?;
    let reader = Reader { text };
    let body = reader.block(tree.root_node());
    Ok(Script { body, wrong: syntax::wrong_lines(&tree) })
}

/// Brings the grammar's nodes to steps.
pub(crate) struct Reader<'t> {
    text: &'t str,
}

type Tree<'t> = tree_sitter::Node<'t>;

impl<'t> Reader<'t> {
    fn of(&self, node: Tree<'t>) -> &'t str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    fn line(node: Tree<'t>) -> usize {
        node.start_position().row + 1
    }

    fn children(node: Tree<'t>) -> Vec<Tree<'t>> {
        let mut cursor = node.walk();
        node.children(&mut cursor).collect()
    }

    fn named(node: Tree<'t>) -> Vec<Tree<'t>> {
        Self::children(node)
            .into_iter()
            .filter(|child| child.is_named() && child.kind() != "comment")
            .collect()
    }

    fn fields(node: Tree<'t>, name: &str) -> Vec<Tree<'t>> {
        let mut cursor = node.walk();
        node.children_by_field_name(name, &mut cursor).collect()
    }

    /// A list of statements; one with `&` behind it goes to the background.
    fn block(&self, node: Tree<'t>) -> Node {
        let children = Self::children(node);
        self.statements(Self::line(node), &children)
    }

    fn statements(&self, line: usize, children: &[Tree<'t>]) -> Node {
        let mut steps: Vec<Node> = Vec::new();
        for child in children {
            match child.kind() {
                "&" => {
                    if let Some(step) = steps.pop() {
                        let line = step.line;
                        steps.push(Node::new(line, Op::Background(step.boxed())));
                    }
                }
                kind if child.is_named() && !matches!(kind, "comment" | "heredoc_body" | "heredoc_end") => {
                    steps.push(self.statement(*child));
                }
                _ => {}
            }
        }
        Node::new(line, Op::Seq(steps))
    }
}
