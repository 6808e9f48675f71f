//! The check of a request against its method's schema, in Proxmox VE's texts (api.md 1.2).

use crate::{ApiError, Given, Params};
use config::format::Format;
use config::schema::{Errors, Property, Type};

/// Checks what a transport brought, path parameters included, against the tables of a method's parameters.
///
/// # Errors
///
/// [`ApiError::Parameters`] with every parameter that was not accepted.
pub fn check(
    tables: &[&'static [Property]],
    given: impl IntoIterator<Item = (String, Given)>,
) -> Result<Params, ApiError> {
    let mut errors = Errors::default();
    let mut params = Params::default();
    for (name, value) in given {
        let Some(property) = find(tables, &name) else {
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
    for property in tables.iter().flat_map(|table| table.iter()) {
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

fn find(tables: &[&'static [Property]], name: &str) -> Option<&'static Property> {
    tables.iter().flat_map(|table| table.iter()).find(|property| property.is_named(name))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::qemu;

    fn checked(pairs: &[(&str, &[&str])]) -> Result<Params, String> {
        let given = pairs.iter().map(|(name, values)| {
            let value = match values {
                [one] => Given::One((*one).to_owned()),
                several => Given::Many(several.iter().map(|value| (*value).to_owned()).collect()),
            };
            ((*name).to_owned(), value)
        });
        check(qemu::config::UPDATE.parameters, given).map_err(|error| error.printed())
    }

    #[test]
    fn requests_are_refused_in_proxmox_ves_words() {
        let head = "400 Parameter verification failed.\n";
        for (pairs, text) in [
            (&[("vmid", &["abc"][..])][..], "vmid: type check ('integer') failed - got 'abc'\n"),
            (&[("vmid", &["99"])], "vmid: invalid format - value does not look like a valid VM ID\n\n"),
            (
                &[("vmid", &["100"]), ("memory", &["foo"])],
                "memory: invalid format - format error\n\
                 memory.current: type check ('integer') failed - got 'foo'\n\n",
            ),
            (
                &[("vmid", &["100"]), ("net0", &["virtio,brige=vmbr0"])],
                "net0: invalid format - format error\nnet0.brige: property is not defined in schema and the schema \
                 does not allow additional properties\n\n",
            ),
            (
                &[("vmid", &["100"]), ("name", &["bad name"])],
                "name: invalid format - value does not look like a valid DNS name\n\n",
            ),
            (
                &[("vmid", &["100"]), ("ostype", &["beos"])],
                "ostype: value 'beos' does not have a value in the enumeration 'other, wxp, w2k, w2k3, w2k8, \
                 wvista, win7, win8, win10, win11, l24, l26, solaris'\n",
            ),
            (
                &[("vmid", &["100"]), ("hookscript", &["hook.sh"])],
                "hookscript: invalid format - unable to parse volume ID 'hook.sh'\n\n",
            ),
            (
                &[("vmid", &["100"]), ("hookscript", &[""])],
                "hookscript: invalid format - unable to parse volume ID ''\n\n",
            ),
            (&[], "vmid: property is missing and it is not optional\n"),
            (&[("vmid", &["100"]), ("force", &["1"])], "delete: missing property required by 'force'\n"),
            (
                &[("vmid", &["100"]), ("nope", &["1"])],
                "nope: property is not defined in schema and the schema does not allow additional properties\n",
            ),
            (
                &[("vmid", &["100"]), ("name", &["a", "b"])],
                "name: type check ('string') failed - got ARRAY\n",
            ),
        ] {
            let mut pairs = pairs.to_vec();
            pairs.push(("node", &["pve1"]));
            assert_eq!(checked(&pairs), Err(format!("{head}{text}")));
        }
    }

    #[test]
    fn several_values_of_a_list_become_one() {
        let params = checked(&[("vmid", &["100"]), ("node", &["pve1"]), ("delete", &["net0", "net1,tags"])]);
        assert_eq!(params.unwrap().list("delete"), ["net0", "net1", "tags"]);
    }
}
