//! Parameters and answers as JSON Schema.

use crate::method::{Method, Returns};
use crate::shape::{Kind, Shape, shape};
use config::format::Format;
use config::schema::{Property, Type};
use serde_json::{Map, Value, json};

/// What a method returns, as a schema.
#[must_use]
pub fn returned(method: &Method) -> Value {
    let mut schema = shaped(&shape(method));
    if method.returns == Returns::Upid {
        // A task that ended at once has no id to wait for.
        schema = json!({ "type": ["string", "null"], "description": "The id of the task." });
        if !method.properties().any(|property| matches!(property.name, "delay" | "background_delay")) {
            schema["type"] = json!("string");
        }
    }
    schema
}

fn shaped(shape: &Shape) -> Value {
    match shape {
        Shape::Any => json!({}),
        Shape::Null => json!({ "type": "null" }),
        Shape::Maybe(shape) => json!({ "anyOf": [shaped(shape), { "type": "null" }] }),
        Shape::List(item) => json!({ "type": "array", "items": shaped(item) }),
        Shape::One(kind) => match kind {
            Kind::Text => json!({ "type": "string" }),
            Kind::Scalar => json!({ "type": ["string", "number"] }),
            Kind::Boolean => json!({ "enum": [0, 1] }),
            Kind::Integer => json!({ "type": "integer" }),
            Kind::Number | Kind::Share => json!({ "type": "number" }),
            Kind::Bytes => json!({ "type": "integer", "description": "In bytes." }),
            Kind::Duration => json!({ "type": "integer", "description": "In seconds." }),
            Kind::Time => json!({ "type": "integer", "description": "In seconds since the Unix epoch." }),
        },
        Shape::Object(fields) => {
            let properties: Map<String, Value> =
                fields.iter().map(|field| (field.name.clone(), shaped(&field.shape))).collect();
            let required: Vec<&str> =
                fields.iter().filter(|field| !field.optional).map(|field| field.name.as_str()).collect();
            let mut schema = json!({ "type": "object", "properties": properties });
            if !required.is_empty() {
                schema["required"] = json!(required);
            }
            schema
        }
    }
}

/// A parameter of the path or the query.
pub(super) fn parameter(property: &Property, place: &str) -> Value {
    let mut parameter = json!({
        "name": property.schema_name(),
        "in": place,
        "description": property.description,
        "required": place == "path" || !property.optional,
        "schema": of(property),
    });
    if let Some(schema) = parameter["schema"].as_object_mut() {
        schema.remove("description");
    }
    parameter
}

/// The parameters of a body. Families with an index are patterns of names.
pub(super) fn body(properties: &[&Property]) -> Value {
    let mut fixed = Map::new();
    let mut patterns = Map::new();
    for property in properties {
        match property.count {
            None => fixed.insert(property.name.to_owned(), of(property)),
            Some(count) => patterns.insert(format!("^{}({})$", property.name, below(count)), of(property)),
        };
    }
    let required: Vec<&str> =
        properties.iter().filter(|property| !property.optional).map(|property| property.name).collect();
    let needs: Map<String, Value> = properties
        .iter()
        .filter_map(|property| Some((property.name.to_owned(), json!([property.requires?]))))
        .collect();
    let mut schema = json!({ "type": "object", "properties": fixed, "additionalProperties": false });
    if !patterns.is_empty() {
        schema["patternProperties"] = Value::Object(patterns);
    }
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    if !needs.is_empty() {
        schema["dependentRequired"] = Value::Object(needs);
    }
    schema
}

/// A regular expression for the numbers below `count`, which is at most 1000.
fn below(count: u32) -> String {
    let last = count.saturating_sub(1);
    let ones = |most: u32| match most {
        9 => r"\d".to_owned(),
        0 => "0".to_owned(),
        most => format!("[0-{most}]"),
    };
    let tens = |most: u32| if most == 1 { "1".to_owned() } else { format!("[1-{most}]") };
    match last {
        0..=9 => ones(last),
        10..=99 => {
            let (ten, one) = (last / 10, last % 10);
            if one == 9 {
                return format!(r"\d|{}\d", tens(ten));
            }
            let whole = if ten > 1 { format!(r"{}\d|", tens(ten - 1)) } else { String::new() };
            format!(r"\d|{whole}{ten}{}", ones(one))
        }
        _ => r"0|[1-9]\d{0,2}".to_owned(),
    }
    .replace("[1-2]", "[12]")
    .replace("[0-1]", "[01]")
}

/// One value. A property string is told as such; JSON Schema cannot look into it.
fn of(property: &Property) -> Value {
    let mut schema = match property.kind {
        Type::Array(item) => json!({ "type": "array", "items": of(item) }),
        Type::Object(_) => json!({ "type": "object" }),
        Type::Boolean => json!({ "enum": [0, 1, true, false] }),
        kind => json!({ "type": kind.as_str() }),
    };
    let mut put = |key: &str, value: Option<Value>| {
        if let (Some(value), Some(schema)) = (value, schema.as_object_mut()) {
            schema.insert(key.to_owned(), value);
        }
    };
    let described = !property.description.is_empty();
    put("description", described.then(|| json!(property.description)));
    put("minimum", property.minimum.map(|least| json!(least)));
    put("maximum", property.maximum.map(|most| json!(most)));
    put("minLength", property.min_length.map(|least| json!(least)));
    put("maxLength", property.max_length.map(|most| json!(most)));
    let values = match property.kind {
        Type::Integer => {
            property.enumeration.iter().filter_map(|v| v.parse::<i64>().ok()).map(Value::from).collect()
        }
        _ => property.enumeration.iter().map(|v| json!(v)).collect::<Vec<Value>>(),
    };
    put("enum", (!values.is_empty()).then(|| json!(values)));
    put("pattern", property.pattern.map(|pattern| json!(format!("^(?:{})$", pattern.text))));
    put("default", property.default.map(|text| default(property, text)));
    put("format", property.format.and_then(name).map(Value::from));
    put("x-typetext", property.typetext.map(Value::from));
    put("x-requires", property.requires.map(Value::from));
    schema
}

fn default(property: &Property, text: &str) -> Value {
    let number = || text.parse::<i64>().ok().map(Value::from);
    match property.kind {
        Type::Boolean => config::text::parse_boolean(text).map(|on| json!(u8::from(on))),
        Type::Integer => number(),
        Type::Number => number().or_else(|| text.parse::<f64>().ok().map(Value::from)),
        _ => None,
    }
    .unwrap_or_else(|| json!(text))
}

/// The name of a format, of a list `<name>-list`.
fn name(format: Format) -> Option<String> {
    match format {
        Format::List(item) => item.name().map(|name| format!("{name}-list")),
        Format::Properties(_) => Some("property-string".to_owned()),
        one => one.name().map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_a_regular_expression() {
        for (count, want) in [
            (1, "0"),
            (2, "[01]"),
            (4, "[0-3]"),
            (10, r"\d"),
            (16, r"\d|1[0-5]"),
            (20, r"\d|1\d"),
            (31, r"\d|[12]\d|30"),
            (32, r"\d|[12]\d|3[01]"),
            (256, r"0|[1-9]\d{0,2}"),
        ] {
            assert_eq!(below(count), want);
        }
    }
}
