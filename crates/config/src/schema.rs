//! The dialect in which options and parameters are described, and the check of a value against it.
//!
//! Tables of [`Property`] are plain `static` data. Texts are Proxmox VE's (api.md 1.2, oracle.md 2.3); clients match
//! on them.

use crate::format::Format;
use std::collections::BTreeMap;

/// One option, parameter or field.
#[derive(Debug, Clone, Copy)]
pub struct Property {
    /// Its name; for an indexed family the part before the number.
    pub name: &'static str,
    /// The type of its value.
    pub kind: Type,
    /// How many indices a family has: `net[n]` has 32, `net0` to `net31`.
    pub count: Option<u32>,
    /// Whether it may be absent.
    pub optional: bool,
    /// What holds where it is absent, as the schema says it.
    pub default: Option<&'static str>,
    /// The least number.
    pub minimum: Option<i64>,
    /// The greatest number.
    pub maximum: Option<i64>,
    /// The least length in characters.
    pub min_length: Option<usize>,
    /// The greatest length in characters.
    pub max_length: Option<usize>,
    /// The values that it may have; empty for any.
    pub enumeration: &'static [&'static str],
    /// What its text looks like.
    pub pattern: Option<Pattern>,
    /// What its text is.
    pub format: Option<Format>,
    /// Another property that must be present with it.
    pub requires: Option<&'static str>,
    /// In a property string: the key whose name may be left out.
    pub default_key: bool,
    /// In a property string: the key that this one stands for.
    pub alias: Option<&'static str>,
    /// In a property string: the key that takes the alias's name, as `virtio=MAC` says `model=virtio,macaddr=MAC`.
    pub key_alias: Option<&'static str>,
    /// What help texts show for the value.
    pub typetext: Option<&'static str>,
    /// One or two sentences for help texts.
    pub description: &'static str,
}

/// The type of a value.
#[derive(Debug, Clone, Copy)]
pub enum Type {
    /// `0` or `1`.
    Boolean,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A text.
    String,
    /// A list of values of one kind.
    Array(&'static Property),
    /// Values by name.
    Object(&'static [Property]),
    /// Nothing.
    Null,
}

impl Type {
    /// Its name in the schema.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::String => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
            Self::Null => "null",
        }
    }
}

/// A pattern: its text for the schema, and the function that matches it.
#[derive(Debug, Clone, Copy)]
pub struct Pattern {
    /// The regular expression.
    pub text: &'static str,
    /// Whether a whole text matches it.
    pub matches: fn(&str) -> bool,
}

impl Property {
    /// A required property of any type, without further conditions.
    #[must_use]
    pub const fn new(name: &'static str, kind: Type) -> Self {
        Self {
            name,
            kind,
            count: None,
            optional: false,
            default: None,
            minimum: None,
            maximum: None,
            min_length: None,
            max_length: None,
            enumeration: &[],
            pattern: None,
            format: None,
            requires: None,
            default_key: false,
            alias: None,
            key_alias: None,
            typetext: None,
            description: "",
        }
    }

    /// A required boolean.
    #[must_use]
    pub const fn boolean(name: &'static str) -> Self {
        Self::new(name, Type::Boolean)
    }

    /// A required whole number.
    #[must_use]
    pub const fn integer(name: &'static str) -> Self {
        Self::new(name, Type::Integer)
    }

    /// A required number.
    #[must_use]
    pub const fn number(name: &'static str) -> Self {
        Self::new(name, Type::Number)
    }

    /// A required text.
    #[must_use]
    pub const fn string(name: &'static str) -> Self {
        Self::new(name, Type::String)
    }

    /// A key of a property string that stands for another one.
    #[must_use]
    pub const fn alias(name: &'static str, of: &'static str) -> Self {
        Self { alias: Some(of), optional: true, ..Self::new(name, Type::String) }
    }

    /// May be absent.
    #[must_use]
    pub const fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    /// A family with indices from 0 to `count` - 1; its members are optional.
    #[must_use]
    pub const fn indexed(self, count: u32) -> Self {
        Self { count: Some(count), optional: true, ..self }
    }

    /// What holds where it is absent; makes it optional.
    #[must_use]
    pub const fn default(self, value: &'static str) -> Self {
        Self { default: Some(value), optional: true, ..self }
    }

    /// The least number.
    #[must_use]
    pub const fn min(self, least: i64) -> Self {
        Self { minimum: Some(least), ..self }
    }

    /// The greatest number.
    #[must_use]
    pub const fn max(self, greatest: i64) -> Self {
        Self { maximum: Some(greatest), ..self }
    }

    /// The least length in characters.
    #[must_use]
    pub const fn min_length(self, least: usize) -> Self {
        Self { min_length: Some(least), ..self }
    }

    /// The greatest length in characters.
    #[must_use]
    pub const fn max_length(self, greatest: usize) -> Self {
        Self { max_length: Some(greatest), ..self }
    }

    /// The values that it may have.
    #[must_use]
    pub const fn one_of(self, values: &'static [&'static str]) -> Self {
        Self { enumeration: values, ..self }
    }

    /// What its text looks like.
    #[must_use]
    pub const fn pattern(self, text: &'static str, matches: fn(&str) -> bool) -> Self {
        Self { pattern: Some(Pattern { text, matches }), ..self }
    }

    /// What its text is.
    #[must_use]
    pub const fn format(self, format: Format) -> Self {
        Self { format: Some(format), ..self }
    }

    /// Another property that must be present with it.
    #[must_use]
    pub const fn requires(self, other: &'static str) -> Self {
        Self { requires: Some(other), ..self }
    }

    /// The key of a property string whose name may be left out.
    #[must_use]
    pub const fn default_key(self) -> Self {
        Self { default_key: true, ..self }
    }

    /// The key that takes an alias's name.
    #[must_use]
    pub const fn key_alias(self, key: &'static str) -> Self {
        Self { key_alias: Some(key), ..self }
    }

    /// What help texts show for the value.
    #[must_use]
    pub const fn typetext(self, text: &'static str) -> Self {
        Self { typetext: Some(text), ..self }
    }

    /// One or two sentences for help texts.
    #[must_use]
    pub const fn describe(self, text: &'static str) -> Self {
        Self { description: text, ..self }
    }

    /// Whether `key` names it, or a member of the family.
    #[must_use]
    pub fn is_named(&self, key: &str) -> bool {
        match (self.count, key.strip_prefix(self.name)) {
            (None, Some(rest)) => rest.is_empty(),
            (Some(count), Some(index)) => {
                let plain = !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit());
                plain
                    && (index == "0" || !index.starts_with('0'))
                    && index.parse::<u32>().is_ok_and(|n| n < count)
            }
            (_, None) => false,
        }
    }

    /// Its name as schemas write it: `name`, or `name[n]`.
    #[must_use]
    pub fn schema_name(&self) -> String {
        if self.count.is_some() { format!("{}[n]", self.name) } else { self.name.to_owned() }
    }

    /// Checks a value; `path` names it in what is said about the parts of a property string.
    ///
    /// # Errors
    /// Proxmox VE's text, without the property's name. It may have several lines and end with one.
    pub fn check(&self, path: &str, value: &str) -> Result<(), String> {
        if !self.is_of_type(value) {
            return Err(format!("type check ('{}') failed - got '{value}'", self.kind.as_str()));
        }
        if let Some(format) = self.format {
            format.check(path, value).map_err(|cause| format!("invalid format - {cause}\n"))?;
        }
        if self.pattern.is_some_and(|pattern| !(pattern.matches)(value)) {
            return Err("value does not match the regex pattern".to_owned());
        }
        let length = value.chars().count();
        if let Some(greatest) = self.max_length.filter(|greatest| length > *greatest) {
            return Err(format!("value may only be {greatest} characters long"));
        }
        if let Some(least) = self.min_length.filter(|least| length < *least) {
            return Err(format!("value must be at least {least} characters long"));
        }
        let number = value.parse::<f64>().ok();
        if let Some(greatest) =
            self.maximum.filter(|greatest| number.is_some_and(|number| number > *greatest as f64))
        {
            return Err(format!("value must have a maximum value of {greatest}"));
        }
        if let Some(least) = self.minimum.filter(|least| number.is_some_and(|number| number < *least as f64))
        {
            return Err(format!("value must have a minimum value of {least}"));
        }
        if !self.enumeration.is_empty() && !self.enumeration.contains(&value) {
            let values = self.enumeration.join(", ");
            return Err(format!("value '{value}' does not have a value in the enumeration '{values}'"));
        }
        Ok(())
    }

    fn is_of_type(&self, value: &str) -> bool {
        match self.kind {
            Type::Boolean => matches!(value, "0" | "1"),
            Type::Integer => is_integer(value),
            Type::Number => is_number(value),
            Type::String | Type::Array(_) | Type::Object(_) => true,
            Type::Null => value.is_empty(),
        }
    }
}

/// `[+-]?\d+`
fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// A decimal number with an optional sign, fraction and exponent.
fn is_number(text: &str) -> bool {
    let named = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    named && text.bytes().any(|b| b.is_ascii_digit()) && text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// What is wrong with parameters, by parameter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Errors(pub BTreeMap<String, String>);

impl Errors {
    /// Notes an error; several of one parameter are joined by a literal `\n`, as Proxmox VE joins them.
    pub fn add(&mut self, key: &str, text: &str) {
        self.0
            .entry(key.to_owned())
            .and_modify(|there| {
                there.push_str("\\n");
                there.push_str(text);
            })
            .or_insert_with(|| text.to_owned());
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Nothing, or itself.
    ///
    /// # Errors
    /// Itself, where there is an error.
    pub fn into_result(self) -> Result<(), Self> {
        if self.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl std::error::Error for Errors {}

impl std::fmt::Display for Errors {
    /// `key: text` and a line's end for each.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|(key, text)| writeln!(f, "{key}: {text}"))
    }
}

/// The property that a key names.
#[must_use]
pub fn find<'a>(properties: &'a [Property], key: &str) -> Option<&'a Property> {
    properties.iter().find(|property| property.is_named(key))
}

/// Checks a whole set of values: each value, what is required, and that nothing else is there. `path` is put before
/// each name: empty, or `net0.`.
pub fn check_all<'a>(
    properties: &[Property],
    values: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    path: &str,
    errors: &mut Errors,
) {
    let has = |name: &str| values.clone().any(|(key, _)| key == name);
    for property in properties.iter().filter(|property| property.alias.is_none()) {
        if !property.optional && !has(property.name) {
            errors.add(&format!("{path}{}", property.name), "property is missing and it is not optional");
        }
    }
    for (key, value) in values.clone() {
        let name = format!("{path}{key}");
        let Some(property) = find(properties, key) else {
            errors.add(
                &name,
                "property is not defined in schema and the schema does not allow additional properties",
            );
            continue;
        };
        if let Err(text) = property.check(&name, value) {
            errors.add(&name, &text);
        }
        if let Some(other) = property.requires.filter(|other| !has(other)) {
            errors.add(&format!("{path}{other}"), &format!("missing property required by '{key}'"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_proxmox() {
        let ostype = Property::string("ostype").one_of(&["other", "l26"]);
        let vmid = Property::integer("vmid").format(Format::Vmid).min(100).max(999_999_999);
        let name = Property::string("x")
            .pattern("a+", |text| text.bytes().all(|b| b == b'a'))
            .min_length(2)
            .max_length(3);
        for (property, value, text) in [
            (ostype, "beos", "value 'beos' does not have a value in the enumeration 'other, l26'"),
            (vmid, "abc", "type check ('integer') failed - got 'abc'"),
            (vmid, "99", "invalid format - value does not look like a valid VM ID\n"),
            (Property::integer("balloon").min(0), "-1", "value must have a minimum value of 0"),
            (Property::number("cpulimit").max(128), "128.5", "value must have a maximum value of 128"),
            (Property::boolean("kvm"), "yes", "type check ('boolean') failed - got 'yes'"),
            (name, "b", "value does not match the regex pattern"),
            (name, "a", "value must be at least 2 characters long"),
            (name, "aaaa", "value may only be 3 characters long"),
        ] {
            assert_eq!(property.check(property.name, value), Err(text.to_owned()));
        }
        assert_eq!(
            vmid.check("vmid", "+100"),
            Err("invalid format - value does not look like a valid VM ID\n".to_owned())
        );
        assert_eq!(vmid.check("vmid", "100"), Ok(()));
    }

    #[test]
    fn a_family_has_its_indices_and_no_others() {
        let net = Property::string("net").indexed(32);
        for (key, named) in [
            ("net0", true),
            ("net31", true),
            ("net32", false),
            ("net", false),
            ("net01", false),
            ("netx", false),
        ] {
            assert_eq!(net.is_named(key), named, "{key}");
        }
    }

    #[test]
    fn a_set_is_checked_as_a_whole() {
        let table = [
            Property::integer("vmid"),
            Property::string("archive").optional(),
            Property::boolean("force").optional().requires("archive"),
        ];
        let mut errors = Errors::default();
        check_all(&table, [("force", "1"), ("what", "x")].into_iter(), "", &mut errors);
        errors.add("what", "twice");
        let text = "archive: missing property required by 'force'\nvmid: property is missing and it is not optional\n\
            what: property is not defined in schema and the schema does not allow additional properties\\ntwice\n";
        assert_eq!(errors.to_string(), text);
    }
}
