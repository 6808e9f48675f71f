use super::CommandError;

/// Splits the option `args` as a shell splits words: blanks, `'…'`, `"…"` and backslashes, nothing expanded.
pub(super) fn split(text: &str) -> Result<Vec<String>, CommandError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => {
                let next =
                    chars.next().ok_or_else(|| CommandError::invalid("args", "ends in a backslash"))?;
                let word = word.get_or_insert_default();
                // Within double quotes a backslash is only special before these.
                if quote.is_some() && !matches!(next, '"' | '\\' | '$' | '`') {
                    word.push('\\');
                }
                word.push(next);
            }
            (None, c) if c.is_ascii_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err(CommandError::invalid("args", "a quote is not closed"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_split_as_in_a_shell() {
        let text = r#"-device 'a b,c' -fw_cfg "name=\"x\",s=\n"  plain\ blank '' "#;
        let expected = ["-device", "a b,c", "-fw_cfg", r#"name="x",s=\n"#, "plain blank", ""];
        assert_eq!(split(text).unwrap(), expected);
        assert!(split("  ").unwrap().is_empty());
        for bad in ["'a", "\"a\\\"", "a\\"] {
            assert!(split(bad).is_err(), "{bad}");
        }
    }
}
