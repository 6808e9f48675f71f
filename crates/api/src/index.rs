//! The API's own index: a method that lists what stands below, for every inner path that has none of its own.
//!
//! It is made from the paths of all other methods, so that nobody has to keep it.

use crate::method::{Method, Returns, Scope, Verb};
use crate::registry::METHODS;
use crate::{ApiError, Context, Params, Permission};
use config::schema::Property;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// The methods of the index, sorted by path.
pub(crate) static INDEX: LazyLock<Vec<Method>> = LazyLock::new(|| {
    let own: BTreeSet<&str> =
        callable().filter(|method| method.verb == Verb::Get).map(|method| method.path).collect();
    let mut folders: BTreeMap<&'static str, &'static Method> = BTreeMap::new();
    for method in callable() {
        for folder in folders_of(method.path).filter(|folder| !own.contains(folder)) {
            folders.entry(folder).or_insert(method);
        }
    }
    folders.into_iter().filter(|(path, _)| !names_below(path).is_empty()).map(folder).collect()
});

fn callable() -> impl Iterator<Item = &'static Method> {
    METHODS.iter().copied().filter(|method| method.scope != Scope::Command)
}

/// The paths above a path, the root first.
fn folders_of(path: &'static str) -> impl Iterator<Item = &'static str> {
    let inner = path.match_indices('/').skip(1).map(|(at, _)| &path[..at]);
    std::iter::once("/").chain(inner)
}

fn folder((path, below): (&'static str, &'static Method)) -> Method {
    let extension = callable()
        .filter(|method| method.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')))
        .all(|method| method.scope != Scope::Api);
    Method {
        path,
        verb: Verb::Get,
        description: "Lists what stands below this path.",
        parameters: parameters(path, below),
        permission: match path {
            "/nodes/{node}/storage/{storage}" => {
                Permission::storage(&["Datastore.Audit", "Datastore.AllocateSpace"])
            }
            _ => Permission::User,
        },
        returns: match key(path) {
            "id" => Returns::List(&["id"]),
            "name" => Returns::List(&["name"]),
            "cmd" => Returns::List(&["cmd"]),
            _ => Returns::List(&["subdir"]),
        },
        protected: false,
        scope: if extension { Scope::Extension } else { Scope::Api },
        run: list,
    }
}

/// The parameters in the folder's path, as a method below declares them.
fn parameters(path: &str, below: &'static Method) -> &'static [&'static [Property]] {
    let named = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let found: Vec<Property> = named
        .filter_map(|name| below.properties().find(|property| property.name == name))
        .map(|property| Property { optional: false, ..*property })
        .collect();
    // Made once, for as long as the process lives.
    let table: &'static [Property] = Vec::leak(found);
    Vec::leak(vec![table])
}

fn list(_: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let path = params.called();
    let rows = names_below(path).into_iter().map(|name| json!({ key(path): name }));
    Ok(Value::Array(rows.collect()))
}

/// What a row calls the name that it has.
fn key(path: &str) -> &'static str {
    match path {
        "/cluster/ha" => "id",
        "/cluster"
        | "/cluster/ha/status"
        | "/nodes/{node}"
        | "/nodes/{node}/qemu/{vmid}/agent"
        | "/nodes/{node}/tasks/{upid}"
        | "/nodes/{node}/services/{service}" => "name",
        "/nodes/{node}/qemu/{vmid}/snapshot/{snapname}" | "/nodes/{node}/lxc/{vmid}/snapshot/{snapname}" => {
            "cmd"
        }
        _ => "subdir",
    }
}

/// The names directly below a path, without those that are parameters.
fn names_below(path: &str) -> BTreeSet<&'static str> {
    let below = callable().filter_map(|method| {
        let rest = method.path.strip_prefix(path.trim_end_matches('/'))?.strip_prefix('/')?;
        rest.split('/').next().filter(|name| !name.is_empty() && !name.starts_with('{'))
    });
    below.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::find;

    #[test]
    fn every_inner_path_lists_what_stands_below() {
        for (path, some) in [
            ("/", "nodes"),
            ("/nodes/pve1", "qemu"),
            ("/nodes/pve1/qemu/100", "config"),
            ("/nodes/pve1/qemu/100/status", "current"),
            ("/nodes/pve1/storage/local/", "content"),
        ] {
            let found = find(Verb::Get, path).unwrap_or_else(|| panic!("{path}"));
            assert!(names_below(found.method.path).contains(some), "{path}");
        }
        assert!(find(Verb::Get, "/nodes/pve1/nope").is_none());
        assert!(find(Verb::Put, "/nodes/pve1").is_none());
    }

    #[test]
    fn what_only_commands_have_is_not_listed() {
        assert!(!names_below("/nodes/{node}/storage").contains("path"));
        assert!(
            INDEX.iter().all(|method| callable().all(|own| (own.path, own.verb) != (method.path, Verb::Get)))
        );
    }
}
