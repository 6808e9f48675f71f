//! The check of a request against its method's schema, in Proxmox VE's texts (api.md 1.2).

use crate::{ApiError, Given, Method, Params};
use config::format::Format;
use config::schema::{Errors, Property, Type};

/// Checks what a transport brought, path parameters included.
///
/// # Errors
///
/// [`ApiError::Parameters`] with every parameter that was not accepted.
pub fn check(
    method: &Method,
    given: impl IntoIterator<Item = (String, Given)>,
) -> Result<Params, ApiError> {
    let mut errors = Errors::default();
    let mut params = Params::default();
    for (name, value) in given {
        let Some(property) = find(method, &name) else {
            errors.add(
                &name,
                "property is not defined in schema and the schema does not allow additional properties",
            );
            continue;
        };
        match accept(property, &name, value) {
            Ok(value) => params.set(&name, value),
            Err(text) => errors.add(&name, &text),
        }
    }
    for property in method.properties() {
        let given = errors.0.contains_key(property.name) || params.has(property.name);
        if !property.optional && !given {
            errors.add(property.name, "property is missing and it is not optional");
        }
        let Some(other) = property.requires.filter(|other| params.has(property.name) && !params.has(other))
        else {
            continue;
        };
        errors.add(other, &format!("missing property required by '{}'", property.name));
    }
    if errors.is_empty() { Ok(params) } else { Err(ApiError::Parameters(errors)) }
}

/// The property of a method that a name names.
#[must_use]
pub fn find(method: &Method, name: &str) -> Option<&'static Property> {
    method.properties().find(|property| property.is_named(name))
}

/// Whether several values of a parameter are joined to one text.
#[must_use]
pub fn is_list(property: &Property) -> bool {
    matches!(property.format, Some(Format::List(_)))
}

fn accept(property: &Property, name: &str, value: Given) -> Result<Given, String> {
    if let Type::Array(item) = property.kind {
        let list = match value {
            Given::One(text) => vec![text],
            Given::Many(list) => list,
        };
        for (index, text) in list.iter().enumerate() {
            item.check(&format!("{name}[{index}]"), text)?;
        }
        return Ok(Given::Many(list));
    }
    let text = match value {
        Given::One(text) => text,
        Given::Many(list) if is_list(property) => list.join(","),
        Given::Many(_) => {
            return Err(format!("type check ('{}') failed - got ARRAY", property.kind.as_str()));
        }
    };
    property.check(name, &text)?;
    Ok(Given::One(text))
}
