//! The shell, by tree-sitter's grammar of bash.

mod arithmetic;
mod statements;
mod tests_of;
mod words;

use crate::flow::ir::{Node, Op};
use crate::syntax::{self, Below as _, Script, Unreadable};
use std::borrow::Cow;

/// Reads a script.
pub(crate) fn read(text: &str) -> Result<Script, Unreadable> {
    let (text, tree) = parse(text)?;
    let reader = Reader { text: &text };
    let body = reader.block(tree.root_node());
    Ok(Script { body, wrong: syntax::wrong_lines(&tree) })
}

/// The tree of a text. Where the grammar takes `$X.$1` apart into `$X.$` and a command `1`, or `${X}/$Y.z` likewise, the text
/// is one with `${1}` and `${Y}`, which it reads as a shell does.
fn parse(text: &str) -> Result<(Cow<'_, str>, tree_sitter::Tree), Unreadable> {
    let mut text = Cow::Borrowed(text);
    loop {
        let tree = syntax::parse(&text, &tree_sitter_bash::LANGUAGE.into())?;
        let lost = lost_dollars(&tree, text.as_bytes());
        if lost.is_empty() {
            return Ok((text, tree));
        }
        // From the end on, so that what is before stays where it is.
        for at in lost.into_iter().rev() {
            let name = name_length(&text.as_bytes()[at + 1..]);
            let braced = format!("{{{}}}", &text[at + 1..=at + name]);
            text.to_mut().replace_range(at + 1..=at + name, &braced);
        }
    }
}

/// How long the name of a parameter is that a text begins with: one digit, or a variable's name.
fn name_length(text: &[u8]) -> usize {
    match text.first() {
        Some(first) if first.is_ascii_digit() => 1,
        Some(first) if first.is_ascii_alphabetic() || *first == b'_' => {
            text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count()
        }
        _ => 0,
    }
}

/// Where a dollar sign with a parameter's name behind it is no expansion, in their order.
fn lost_dollars(tree: &tree_sitter::Tree, text: &[u8]) -> Vec<usize> {
    let mut lost = Vec::new();
    let mut stack = vec![tree.root_node()];
    while let Some(node) = stack.pop() {
        let is_lost = |child: &Tree<'_>| {
            child.kind() == "$" && text.get(child.end_byte()..).is_some_and(|rest| name_length(rest) > 0)
        };
        let children = node.all();
        if node.kind() == "concatenation" {
            lost.extend(children.iter().filter(|child| is_lost(child)).map(|child| child.start_byte()));
        }
        stack.extend(children);
    }
    lost.sort_unstable();
    lost
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

    /// A list of statements; one with `&` behind it goes to the background.
    fn block(&self, node: Tree<'t>) -> Node {
        let children = node.all();
        self.statements(node.line(), &children)
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
