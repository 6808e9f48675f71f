//! Python, by tree-sitter's grammar.

mod expressions;
mod statements;

use crate::flow::ir::{Node, Op};
use crate::syntax::{self, Below as _, Script, Unreadable};

/// Reads a script.
pub(crate) fn read(text: &str) -> Result<Script, Unreadable> {
    let tree = syntax::parse(text, &tree_sitter_python::LANGUAGE.into())?;
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

    fn block(&self, node: Tree<'t>) -> Node {
        let steps = node.named().into_iter().map(|child| self.statement(child)).collect();
        Node::new(node.line(), Op::Seq(steps))
    }
}
