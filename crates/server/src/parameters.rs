//! The parameters of a request: query and body, read and merged by Proxmox VE's rules (api.md 1.2).

use crate::target::percent_decode;
use api::{ApiError, Given};
use serde_json::Value;
use std::collections::BTreeMap;

/// Names and values.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Parameters(BTreeMap<String, Given>);

/// The form of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyForm {
    Form,
    Json,
}

impl BodyForm {
    /// What a `Content-Type` says; a body without one is a form.
    ///
    /// # Errors
    /// Proxmox VE's text, which goes with the status 506.
    pub(crate) fn of(content_type: Option<&str>) -> Result<Self, String> {
        let Some(text) = content_type else { return Ok(Self::Form) };
        match text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "" | "application/x-www-form-urlencoded" => Ok(Self::Form),
            "application/json" => Ok(Self::Json),
            _ => Err(format!("upload 'Content-Type '{text}' not implemented")),
        }
    }
}

impl Parameters {
    /// Reads a query string, or a body in its form: pairs end at `&` and `;`, `+` is a blank, a value ends at a second `=`.
    /// An empty value is none. A name that comes again makes a list.
    ///
    /// # Errors
    /// [`ApiError::Parameters`] where something is no text.
    pub(crate) fn form(text: &[u8]) -> Result<Self, ApiError> {
        let mut parameters = Self::default();
        for pair in text.split(|byte| matches!(byte, b'&' | b';')) {
            let mut parts = pair.split(|byte| *byte == b'=');
            let (name, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let name = decode(name).ok_or_else(|| not_text(&String::from_utf8_lossy(name)))?;
            let value = decode(value).ok_or_else(|| not_text(&name))?;
            if !name.is_empty() && !value.is_empty() {
                parameters.add(name, value);
            }
        }
        Ok(parameters)
    }

    /// Reads a body of JSON: an object of scalars and lists of scalars; `null` is no value.
    ///
    /// # Errors
    /// [`ApiError::Parameters`] for anything else.
    pub(crate) fn json(bytes: &[u8]) -> Result<Self, ApiError> {
        let whole = |text: &str| ApiError::parameter("body", text);
        let value: Value = match bytes.trim_ascii() {
            [] => return Ok(Self::default()),
            bytes => serde_json::from_slice(bytes)
                .map_err(|error| whole(&format!("malformed JSON string: {error}")))?,
        };
        let Value::Object(fields) = value else { return Err(whole("the JSON text is no object")) };
        let mut parameters = Self::default();
        for (name, value) in fields {
            let given = match value {
                Value::Null => continue,
                Value::Array(list) => Given::Many(
                    list.iter()
                        .map(|item| scalar(item).ok_or_else(|| no_scalar(&name, item)))
                        .collect::<Result<_, _>>()?,
                ),
                other => Given::One(scalar(&other).ok_or_else(|| no_scalar(&name, &other))?),
            };
            parameters.0.insert(name, given);
        }
        Ok(parameters)
    }

    /// Takes a value that came as a part of a form; an empty one is none.
    pub(crate) fn put(&mut self, name: &str, value: String) {
        if !value.is_empty() {
            self.add(name.to_owned(), value);
        }
    }

    /// Whether there is a value of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn add(&mut self, name: String, value: String) {
        match self.0.get_mut(&name) {
            None => drop(self.0.insert(name, Given::One(value))),
            Some(Given::Many(list)) => list.push(value),
            Some(one) => *one = Given::Many(vec![one.joined(), value]),
        }
    }

    /// Lets the query's values take the place of the body's.
    pub(crate) fn overridden_by(mut self, query: Self) -> Self {
        self.0.extend(query.0);
        self
    }

    /// All but `_dc`, the web interface's way around caches.
    pub(crate) fn given(self) -> Vec<(String, Given)> {
        self.0.into_iter().filter(|(name, _)| name != "_dc").collect()
    }
}

fn decode(text: &[u8]) -> Option<String> {
    percent_decode(&std::str::from_utf8(text).ok()?.replace('+', " "))
}

fn not_text(name: &str) -> ApiError {
    ApiError::parameter(name, "type check ('string') failed - got bytes that are no text")
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Bool(flag) => Some(u8::from(*flag).to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) if !text.contains('\0') => Some(text.clone()),
        _ => None,
    }
}

fn no_scalar(name: &str, value: &Value) -> ApiError {
    match value {
        Value::Object(_) => ApiError::parameter(name, "type check ('string') failed - got HASH"),
        Value::Array(_) => ApiError::parameter(name, "type check ('string') failed - got ARRAY"),
        _ => not_text(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, value: &str) -> (String, Given) {
        (name.to_owned(), Given::One(value.to_owned()))
    }

    fn many(name: &str, values: &[&str]) -> (String, Given) {
        (name.to_owned(), Given::Many(values.iter().map(|value| (*value).to_owned()).collect()))
    }

    #[test]
    fn a_form_is_read_as_proxmox_ve_reads_it() {
        for (text, want) in [
            ("", vec![]),
            ("a=1&b=x+y%20z", vec![one("a", "1"), one("b", "x y z")]),
            ("a=1;b=2", vec![one("a", "1"), one("b", "2")]),
            ("a=x%3By%3Dz", vec![one("a", "x;y=z")]),
            ("a=1=2&b&c=&&=3", vec![one("a", "1")]),
            ("t=a&t=b&t=c", vec![many("t", &["a", "b", "c"])]),
            ("tags=%C3%A9", vec![one("tags", "é")]),
        ] {
            assert_eq!(Parameters::form(text.as_bytes()).unwrap().given(), want, "{text}");
        }
        for bad in ["a=%ff", "a=%00", "%fe=1"] {
            assert!(Parameters::form(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_json_body_has_scalars_and_lists_of_them() {
        let text =
            br#" {"vmid": 100, "kvm": false, "onboot": true, "name": "", "x": null, "command": ["a", 1]} "#;
        let want = [
            many("command", &["a", "1"]),
            one("kvm", "0"),
            one("name", ""),
            one("onboot", "1"),
            one("vmid", "100"),
        ];
        assert_eq!(Parameters::json(text).unwrap().given(), want);
        assert_eq!(Parameters::json(b" ").unwrap(), Parameters::default());
        for (bad, said) in [
            ("[1]", "body: the JSON text is no object"),
            ("{", "body: malformed JSON string"),
            (r#"{"a": {"b": 1}}"#, "a: type check ('string') failed - got HASH"),
            (r#"{"a": [[1]]}"#, "a: type check ('string') failed - got ARRAY"),
            (r#"{"a": "\u0000"}"#, "a: type check ('string') failed"),
        ] {
            let error = Parameters::json(bad.as_bytes()).unwrap_err().printed();
            assert!(error.contains(said), "{bad}: {error}");
        }
    }

    #[test]
    fn the_query_overrides_the_body() {
        let body = Parameters::form(b"a=1&b=2&_dc=17").unwrap();
        let query = Parameters::form(b"b=3&c=4").unwrap();
        let all = body.overridden_by(query).given();
        assert_eq!(all, [one("a", "1"), one("b", "3"), one("c", "4")]);
    }

    #[test]
    fn a_body_is_a_form_unless_it_says_otherwise() {
        for (text, want) in [
            (None, Ok(BodyForm::Form)),
            (Some("application/x-www-form-urlencoded; charset=utf-8"), Ok(BodyForm::Form)),
            (Some("Application/JSON"), Ok(BodyForm::Json)),
            (Some("text/plain"), Err("upload 'Content-Type 'text/plain' not implemented".to_owned())),
        ] {
            assert_eq!(BodyForm::of(text), want);
        }
    }
}
