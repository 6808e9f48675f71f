//! As much of JSON Schema as the book's schema uses. A keyword that is not known here is a fault of the schema, and so is a
//! field that an object has and the schema does not name.

use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A schema.
pub(crate) struct Schema(Value);

/// The folder of the book.
pub(crate) fn book() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

impl Schema {
    /// Reads the one of the book.
    pub(crate) fn read() -> Self {
        let text = std::fs::read_to_string(book().join("context.schema.json")).unwrap();
        Self(serde_json::from_str(&text).unwrap())
    }

    /// What is wrong with a value.
    pub(crate) fn faults(&self, value: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        self.check(&self.0, value, "", &mut faults);
        faults
    }

    /// The names of all fields.
    pub(crate) fn fields(&self) -> BTreeSet<String> {
        let mut fields = BTreeSet::new();
        collect(&self.0, &mut fields);
        fields
    }

    fn check(&self, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
        let schema = schema.as_object().expect("a schema is an object");
        let mut fault = |text: String| faults.push(format!("{at} {text}"));
        for (keyword, rule) in schema {
            match keyword.as_str() {
                "$schema" | "$defs" | "title" | "description" => {}
                "$ref" => {
                    let name = rule.as_str().and_then(|to| to.strip_prefix("#/$defs/")).expect("a reference");
                    return self.check(&self.0["$defs"][name], value, at, faults);
                }
                "const" if value != rule => fault("is not its value".to_owned()),
                "enum" if !rule.as_array().expect("values").contains(value) => {
                    fault("is none of its values".to_owned());
                }
                "type" => {
                    let types: Vec<&str> = match rule {
                        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
                        one => one.as_str().into_iter().collect(),
                    };
                    if !types.iter().any(|name| is_of(value, name)) {
                        return fault(format!("is no {}", types.join(" or ")));
                    }
                }
                "minimum" if value.as_i64() < rule.as_i64() && value.is_number() => {
                    fault(format!("is less than {rule}"));
                }
                "maximum" if value.as_i64() > rule.as_i64() => fault(format!("is more than {rule}")),
                "minItems" if value.as_array().map(Vec::len) < length(rule) && value.is_array() => {
                    fault(format!("has less than {rule} items"));
                }
                "maxItems" if value.as_array().map(Vec::len) > length(rule) => {
                    fault(format!("has more than {rule} items"));
                }
                "required" => {
                    for key in rule.as_array().expect("names").iter().filter_map(Value::as_str) {
                        if value.as_object().is_some_and(|object| !object.contains_key(key)) {
                            fault(format!("has no {key}"));
                        }
                    }
                }
                "const" | "enum" | "minimum" | "maximum" | "minItems" | "maxItems" => {}
                "properties" | "additionalProperties" | "items" => {}
                other => panic!("the schema uses '{other}', which is not checked here"),
            }
        }
        match value {
            Value::Object(object) => self.check_fields(schema, object, at, faults),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.check(&schema["items"], item, &format!("{at}/{index}"), faults);
                }
            }
            _ => {}
        }
    }

    fn check_fields(
        &self,
        schema: &Map<String, Value>,
        object: &Map<String, Value>,
        at: &str,
        faults: &mut Vec<String>,
    ) {
        for (key, value) in object {
            let at = format!("{at}/{key}");
            let named = schema.get("properties").and_then(|fields| fields.get(key));
            match named.or_else(|| schema.get("additionalProperties")) {
                Some(rule) => self.check(rule, value, &at, faults),
                None => faults.push(format!("{at} is not in the schema")),
            }
        }
    }
}

fn length(rule: &Value) -> Option<usize> {
    rule.as_u64().and_then(|length| usize::try_from(length).ok())
}

fn is_of(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        other => panic!("the schema uses the type '{other}', which is not checked here"),
    }
}

fn collect(schema: &Value, fields: &mut BTreeSet<String>) {
    if let Some(named) = schema.get("properties").and_then(Value::as_object) {
        for (name, schema) in named {
            fields.insert(name.clone());
            collect(schema, fields);
        }
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(schema) = schema.get(inner) {
            collect(schema, fields);
        }
    }
}
