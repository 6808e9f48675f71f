//! Trees of scripts.

use crate::flow::ir::Node;
use tree_sitter::{Language, Parser, Tree};

/// How deep a script may be nested.
const DEPTH: u32 = 1000;

/// A script, read.
pub(crate) struct Script {
    /// What it does.
    pub(crate) body: Node,
    /// The lines that the grammar could not read.
    pub(crate) wrong: Vec<usize>,
}

/// A text that no tree comes of.
#[derive(Debug, thiserror::Error)]
#[error("the text cannot be parsed")]
pub(crate) struct Unreadable;

/// What the readers of all languages do with a tree's nodes.
pub(crate) trait Below<'t> {
    /// All children.
    fn all(&self) -> Vec<tree_sitter::Node<'t>>;
    /// Those that are no punctuation and no comment.
    fn named(&self) -> Vec<tree_sitter::Node<'t>>;
    /// Those of a field.
    fn fields(&self, name: &str) -> Vec<tree_sitter::Node<'t>>;
    /// The line it begins on, from 1.
    fn line(&self) -> usize;
}

impl<'t> Below<'t> for tree_sitter::Node<'t> {
    fn all(&self) -> Vec<Self> {
        let mut cursor = self.walk();
        self.children(&mut cursor).collect()
    }

    fn named(&self) -> Vec<Self> {
        self.all().into_iter().filter(|child| child.is_named() && child.kind() != "comment").collect()
    }

    fn fields(&self, name: &str) -> Vec<Self> {
        let mut cursor = self.walk();
        self.children_by_field_name(name, &mut cursor).collect()
    }

    fn line(&self) -> usize {
        self.start_position().row + 1
    }
}

/// Makes the tree of a text.
pub(crate) fn parse(text: &str, language: &Language) -> Result<Tree, Unreadable> {
    let mut parser = Parser::new();
    parser.set_language(language).map_err(|_| Unreadable)?;
    parser.parse(text, None).filter(|tree| depth(tree) <= DEPTH).ok_or(Unreadable)
}

/// How deep a tree is, found without a call a level.
fn depth(tree: &Tree) -> u32 {
    let mut cursor = tree.walk();
    let mut deepest = 0;
    loop {
        deepest = deepest.max(cursor.depth());
        if cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return deepest;
            }
        }
    }
}

/// The lines that have an error, each once.
pub(crate) fn wrong_lines(tree: &Tree) -> Vec<usize> {
    let mut lines = Vec::new();
    if !tree.root_node().has_error() {
        return lines;
    }
    let mut stack = vec![tree.root_node()];
    while let Some(node) = stack.pop() {
        if node.is_error() || node.is_missing() {
            lines.push(node.start_position().row + 1);
        } else if node.has_error() && node.kind() != "expansion" {
            // What is wrong within one word, as the grammar sees it, leaves the rest as it is.
            let mut cursor = node.walk();
            stack.extend(node.children(&mut cursor));
        }
    }
    lines.sort_unstable();
    lines.dedup();
    lines
}
