//! The machine-readable output formats (api.md 5.4): keys sorted, numbers and strings told apart.

use serde_json::Value;
use std::fmt::Write as _;

/// What `--output-format` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people; each command has its own layout.
    Text,
    /// One line.
    Json,
    /// Three spaces a level and ` : ` between key and value, as Proxmox VE's.
    JsonPretty,
    /// A whole document.
    Yaml,
}

impl Format {
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            "json-pretty" => Some(Self::JsonPretty),
            "yaml" => Some(Self::Yaml),
            _ => None,
        }
    }

    /// The value in this format with its line's end; nothing for [`Format::Text`].
    pub(crate) fn print(self, value: &Value) -> Option<String> {
        let mut out = String::new();
        match self {
            Self::Text => return None,
            Self::Json => json(&mut out, value),
            Self::JsonPretty => json_pretty(&mut out, value, 0),
            Self::Yaml => {
                out.push_str("---");
                yaml(&mut out, value, 0, false);
            }
        }
        if !out.ends_with('\n') {
            out.push('\n');
        }
        Some(out)
    }
}

fn sorted(map: &serde_json::Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by_key(|(key, _)| *key);
    entries
}

fn json(out: &mut String, value: &Value) {
    match value {
        Value::Object(map) => {
            out.push('{');
            for (index, (key, value)) in sorted(map).into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                let _ = write!(out, "{}:", Value::from(key.as_str()));
                json(out, value);
            }
            out.push('}');
        }
        Value::Array(list) => {
            out.push('[');
            for (index, value) in list.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                json(out, value);
            }
            out.push(']');
        }
        scalar => {
            let _ = write!(out, "{scalar}");
        }
    }
}

fn json_pretty(out: &mut String, value: &Value, depth: usize) {
    let indent = |out: &mut String, depth: usize| out.push_str(&"   ".repeat(depth));
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push_str("{\n");
            for (index, (key, value)) in sorted(map).into_iter().enumerate() {
                if index > 0 {
                    out.push_str(",\n");
                }
                indent(out, depth + 1);
                let _ = write!(out, "{} : ", Value::from(key.as_str()));
                json_pretty(out, value, depth + 1);
            }
            out.push('\n');
            indent(out, depth);
            out.push('}');
        }
        Value::Array(list) if !list.is_empty() => {
            out.push_str("[\n");
            for (index, value) in list.iter().enumerate() {
                if index > 0 {
                    out.push_str(",\n");
                }
                indent(out, depth + 1);
                json_pretty(out, value, depth + 1);
            }
            out.push('\n');
            indent(out, depth);
            out.push(']');
        }
        other => json(out, other),
    }
}

/// Writes a value after what stands on the line so far: `---`, `key:` or `-`.
fn yaml(out: &mut String, value: &Value, depth: usize, in_list: bool) {
    match value {
        Value::Object(map) if map.is_empty() => out.push_str(" {}\n"),
        Value::Object(map) => {
            for (index, (key, value)) in sorted(map).into_iter().enumerate() {
                if index == 0 && in_list {
                    out.push(' ');
                } else {
                    if index == 0 {
                        out.push('\n');
                    }
                    out.push_str(&"  ".repeat(depth));
                }
                let _ = write!(out, "{}:", yaml_text(key));
                yaml(out, value, depth + 1, false);
            }
        }
        Value::Array(list) if list.is_empty() => out.push_str(" []\n"),
        Value::Array(list) => {
            out.push('\n');
            // A list below a key stands in the key's own column.
            let depth = depth.saturating_sub(usize::from(depth > 0 && !in_list));
            for value in list {
                out.push_str(&"  ".repeat(depth));
                out.push('-');
                yaml(out, value, depth + 1, true);
            }
        }
        Value::Null => out.push_str(" ~\n"),
        Value::String(text) => {
            let _ = writeln!(out, " {}", yaml_text(text));
        }
        scalar => {
            let _ = writeln!(out, " {scalar}");
        }
    }
}

fn yaml_text(text: &str) -> String {
    if text.chars().any(|c| c.is_control()) {
        return Value::from(text).to_string();
    }
    let word = text.to_ascii_lowercase();
    let reserved = matches!(
        word.as_str(),
        "" | "~" | "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n"
    );
    let number = text.parse::<f64>().is_ok() || text.starts_with("0x");
    let leading = text.starts_with(|c: char| "-?:,[]{}#&*!|>'\"%@` ".contains(c));
    let inner = text.contains(": ") || text.contains(" #") || text.ends_with([':', ' ']);
    if reserved || number || leading || inner {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sample() -> Value {
        json!({
            "vmid": 100, "memory": "64", "ha": {"managed": 0}, "clipboard": null, "boot": "order=ide0",
            "rows": [{"b": 1, "a": "x: y"}, "two"], "none": [],
        })
    }

    #[test]
    fn json_is_one_sorted_line() {
        assert_eq!(
            Format::Json.print(&sample()).unwrap(),
            "{\"boot\":\"order=ide0\",\"clipboard\":null,\"ha\":{\"managed\":0},\"memory\":\"64\",\"none\":[],\
             \"rows\":[{\"a\":\"x: y\",\"b\":1},\"two\"],\"vmid\":100}\n"
        );
    }

    #[test]
    fn json_pretty_indents_by_three() {
        let value = json!({"status": "running", "ha": {"managed": 0}, "list": ["a"]});
        let want = concat!(
            "{\n",
            "   \"ha\" : {\n",
            "      \"managed\" : 0\n",
            "   },\n",
            "   \"list\" : [\n",
            "      \"a\"\n",
            "   ],\n",
            "   \"status\" : \"running\"\n",
            "}\n",
        );
        assert_eq!(Format::JsonPretty.print(&value).unwrap(), want);
    }

    #[test]
    fn yaml_quotes_what_would_read_as_something_else() {
        let want = concat!(
            "---\n",
            "boot: order=ide0\n",
            "clipboard: ~\n",
            "ha:\n",
            "  managed: 0\n",
            "memory: '64'\n",
            "none: []\n",
            "rows:\n",
            "- a: 'x: y'\n",
            "  b: 1\n",
            "- two\n",
            "vmid: 100\n",
        );
        assert_eq!(Format::Yaml.print(&sample()).unwrap(), want);
    }
}
