//! Perl, by tree-sitter's grammar.

mod expressions;
mod statements;
mod texts;

use crate::flow::ir::{Node, Op};
use crate::syntax::{self, Below as _, Script, Unreadable};

/// Reads a script.
pub(crate) fn read(text: &str) -> Result<Script, Unreadable> {
    // What stands behind the end is data.
    let text = text.split("\n__END__").next().unwrap_or(text).split("\n__DATA__").next().unwrap_or(text);
    let tree = syntax::parse(text, &ts_parser_perl::LANGUAGE.into())?;
    let reader = Reader { text };
    // Subs are there before the first statement runs, wherever they stand.
    let mut subs = Vec::new();
    reader.subs(tree.root_node(), &mut subs);
    let body = reader.block(tree.root_node());
    let line = body.line;
    subs.push(body);
    Ok(Script { body: Node::new(line, Op::Seq(subs)), wrong: syntax::wrong_lines(&tree) })
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

    fn subs(&self, node: Tree<'t>, into: &mut Vec<Node>) {
        for child in node.named() {
            match child.kind() {
                "subroutine_declaration_statement" => into.push(self.sub(child)),
                "block_statement" | "package_statement" | "block" => self.subs(child, into),
                _ => {}
            }
        }
    }
}
