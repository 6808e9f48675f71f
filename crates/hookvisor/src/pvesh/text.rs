//! An answer as people read it: a table of a list, a table of keys and values of an object (api.md 5.4).

use crate::programs::plain;
use crate::table::{Column, Drawing, table};
use api::{Field, Kind, Shape};
use serde_json::Value;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// How tables are drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// Whether there are lines around cells.
    pub(super) border: bool,
    /// Whether columns have heads.
    pub(super) header: bool,
    /// Whether bytes and times are shown as people read them.
    pub(super) human: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self { border: true, header: true, human: true }
    }
}

/// The answer's text; an empty list has none.
pub(super) fn text(value: &Value, shape: &Shape, style: Style, width: Option<usize>) -> String {
    let drawing = Drawing { border: style.border, header: style.header, unicode: is_utf8(), width };
    match value {
        Value::Object(map) if map.is_empty() => String::new(),
        Value::Object(_) => object(value, shape, style, drawing),
        Value::Array(list) if list.is_empty() => String::new(),
        Value::Array(list) if list.iter().all(Value::is_object) => rows(list, shape, style, drawing),
        Value::Array(list) => {
            let cells: Vec<Vec<String>> = list.iter().map(|item| vec![plain(item)]).collect();
            let column = Column { title: String::new(), right: false };
            table(&[column], &cells, Drawing { header: false, ..drawing })
        }
        one => plain(one) + "\n",
    }
}

fn object(value: &Value, shape: &Shape, style: Style, drawing: Drawing) -> String {
    let fields = match shape.bare() {
        Shape::Object(fields) => &fields[..],
        _ => &[],
    };
    let mut keys: Vec<&String> = value.as_object().into_iter().flat_map(serde_json::Map::keys).collect();
    keys.sort();
    let cells = keys.into_iter().filter(|key| !value[*key].is_null()).map(|key| {
        let field = fields.iter().find(|field| field.name == *key);
        vec![key.clone(), cell(&value[key], field.map_or(&Shape::Any, |field| &field.shape), style.human)]
    });
    let columns = ["key", "value"].map(|title| Column { title: title.to_owned(), right: false });
    table(&columns, &cells.collect::<Vec<_>>(), drawing)
}

/// All columns that the shape has, what is always there first; those of the rows where the shape tells nothing.
fn rows(list: &[Value], shape: &Shape, style: Style, drawing: Drawing) -> String {
    let fields = match shape.bare() {
        Shape::List(item) => match &**item {
            Shape::Object(fields) if fields.iter().any(|field| field.shape != Shape::Any) => fields.clone(),
            Shape::Object(fields) => seen(list, fields),
            _ => seen(list, &[]),
        },
        _ => seen(list, &[]),
    };
    let mut fields: Vec<&Field> = fields.iter().collect();
    fields.sort_by_key(|field| (field.optional, &field.name));
    let mut sorted: Vec<&Value> = list.iter().collect();
    if let Some(first) = fields.first() {
        sorted.sort_by(|a, b| order(&a[&first.name], &b[&first.name]));
    }
    let columns: Vec<Column> = fields
        .iter()
        .map(|field| Column { title: field.title.clone(), right: is_number(&field.shape) })
        .collect();
    let cells: Vec<Vec<String>> = sorted
        .iter()
        .map(|row| fields.iter().map(|field| cell(&row[&field.name], &field.shape, style.human)).collect())
        .collect();
    table(&columns, &cells, drawing)
}

/// The fields that rows have, where they are not known beforehand.
fn seen(list: &[Value], known: &[Field]) -> Vec<Field> {
    let names: BTreeSet<&String> =
        list.iter().filter_map(Value::as_object).flat_map(serde_json::Map::keys).collect();
    let field = |name: &&String| {
        let values = || list.iter().map(|row| &row[*name]).filter(|value| !value.is_null());
        let number = values().all(Value::is_number) && values().next().is_some();
        Field {
            name: (*name).clone(),
            title: (*name).clone(),
            optional: !known.iter().any(|field| field.name == **name),
            shape: if number { Shape::One(Kind::Number) } else { Shape::Any },
        }
    };
    names.iter().map(field).collect()
}

fn is_number(shape: &Shape) -> bool {
    matches!(shape.bare(), Shape::One(kind) if kind.is_number())
}

fn order(a: &Value, b: &Value) -> Ordering {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => plain(a).cmp(&plain(b)),
    }
}

fn cell(value: &Value, shape: &Shape, human: bool) -> String {
    let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
    let shown = match (shape.bare(), number) {
        (Shape::One(kind), Some(number)) if human => match kind {
            Kind::Bytes => Some(bytes(number)),
            Kind::Duration => Some(duration(number)),
            Kind::Time => Some(process::local_second(number as i64)),
            Kind::Share => Some(format!("{:.2}%", number * 100.0)),
            _ => None,
        },
        _ => None,
    };
    shown.unwrap_or_else(|| plain(value))
}

/// `1.50 MiB`
fn bytes(number: f64) -> String {
    let mut rest = number;
    let mut units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"].into_iter().peekable();
    while let Some(unit) = units.next() {
        if rest < 1024.0 || units.peek().is_none() {
            return format!("{rest:.2} {unit}");
        }
        rest /= 1024.0;
    }
    String::new()
}

/// `1d 2h 5s`: what is not there is left out.
fn duration(seconds: f64) -> String {
    let mut rest = seconds.max(0.0).round() as u64;
    let mut parts = Vec::new();
    for (unit, length) in [("w", 604_800), ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] {
        if rest >= length {
            parts.push(format!("{}{unit}", rest / length));
            rest %= length;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

/// Whether the locale's characters are UTF-8.
fn is_utf8() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    locale.is_none_or(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::Verb;
    use serde_json::json;

    const BARE: Drawing = Drawing { border: false, header: true, unicode: true, width: None };

    fn shape(verb: Verb, path: &str) -> Shape {
        api::shape(api::find(verb, path).unwrap().method)
    }

    #[test]
    fn an_object_has_sorted_keys_and_no_empty_ones() {
        let value = json!({
            "vmid": 100, "clipboard": null, "ha": {"managed": 0}, "mem": 1_570_286, "netin": 0, "uptime": 11,
        });
        let shape = shape(Verb::Get, "/nodes/n/qemu/100/status/current");
        let want =
            "key    value\nha     {\"managed\":0}\nmem    1.50 MiB\nnetin  0.00 B\nuptime 11s\nvmid   100\n";
        assert_eq!(object(&value, &shape, Style::default(), BARE), want);
        let raw = object(&value, &shape, Style { human: false, ..Style::default() }, BARE);
        assert!(raw.contains("mem    1570286\n"), "{raw}");
    }

    #[test]
    fn a_list_has_the_columns_of_its_shape_and_is_sorted_by_the_first() {
        let list = [json!({"n": 10, "t": "b", "x": null}), json!({"n": 9, "t": "a"})];
        let field = |name: &str, optional, kind| Field {
            name: name.to_owned(),
            title: name.to_uppercase(),
            optional,
            shape: Shape::One(kind),
        };
        let fields = vec![
            field("a", true, Kind::Text),
            field("t", false, Kind::Text),
            field("n", false, Kind::Integer),
        ];
        let shape = Shape::List(Box::new(Shape::Object(fields)));
        assert_eq!(rows(&list, &shape, Style::default(), BARE), " N T A\n 9 a\n10 b\n");
        let unknown = Shape::List(Box::new(Shape::Object(vec![])));
        assert_eq!(rows(&list, &unknown, Style::default(), BARE), " n t x\n 9 a\n10 b\n");
    }

    #[test]
    fn numbers_are_shown_as_people_read_them() {
        for (number, want) in
            [(0.0, "0.00 B"), (1023.0, "1023.00 B"), (1024.0, "1.00 KiB"), (67_108_864.0, "64.00 MiB")]
        {
            assert_eq!(bytes(number), want);
        }
        assert_eq!(bytes(f64::powi(1024.0, 6)), "1024.00 PiB");
        for (seconds, want) in [(0.0, "0s"), (61.0, "1m 1s"), (3600.0, "1h"), (694_861.0, "1w 1d 1h 1m 1s")] {
            assert_eq!(duration(seconds), want);
        }
    }

    #[test]
    fn a_value_alone_is_a_line() {
        let line = |value: Value| text(&value, &Shape::Any, Style::default(), None);
        assert_eq!(line(json!("101")), "101\n");
        assert_eq!(line(json!([])), "");
        assert_eq!(line(json!({})), "");
    }
}
