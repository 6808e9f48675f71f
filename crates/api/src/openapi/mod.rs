//! The API's description in OpenAPI 3.1, made from the registry.
//!
//! Two marks say whose a method is: `x-hookvisor-scope` is `api` where Proxmox VE has it, too, and `extension` where it
//! is ours. `x-permission` says who may call it.

mod permission;
mod schema;

pub use permission::told as permission_told;
pub use schema::returned;

use crate::method::{Method, Returns, Scope, Verb};
use crate::registry::methods;
use config::schema::Property;
use schema::{body, parameter};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The whole document.
#[must_use]
pub fn document() -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let mut schemas = Map::new();
    for method in methods().filter(|method| method.scope != Scope::Command) {
        let verb = method.verb.as_str().to_ascii_lowercase();
        paths.entry(method.path).or_default().insert(verb, operation(method, &mut schemas));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "hookvisor",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Proxmox VE's API as hookvisor serves it. Answers stand in `data`; a failure has its text in \
                the HTTP reason phrase and in `message`, and what is wrong with which parameter in `errors`.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "https://localhost:8006/api2/json" }],
        "security": [{ "ticket": [], "csrf": [] }, { "token": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "ticket": { "type": "apiKey", "in": "cookie", "name": "PVEAuthCookie" },
                "csrf": { "type": "apiKey", "in": "header", "name": "CSRFPreventionToken" },
                "token": {
                    "type": "apiKey", "in": "header", "name": "Authorization",
                    "description": "PVEAPIToken=USER@REALM!NAME=SECRET",
                },
            },
            "responses": { "failure": {
                "description": "It was not done.",
                "content": { "application/json": { "schema": {
                    "type": "object",
                    "properties": {
                        "data": { "type": "null" },
                        "message": { "type": "string" },
                        "errors": { "type": "object", "additionalProperties": { "type": "string" } },
                    },
                } } },
            } },
        },
    })
}

fn operation(method: &'static Method, schemas: &mut Map<String, Value>) -> Value {
    let in_path = |name: &str| method.path.contains(&format!("{{{name}}}"));
    let query = matches!(method.verb, Verb::Get | Verb::Delete);
    let mut parameters: Vec<Value> = Vec::new();
    for property in method.properties() {
        if in_path(property.name) {
            parameters.push(parameter(property, "path"));
        } else if query {
            parameters.push(parameter(property, "query"));
        }
    }
    let rest: Vec<_> = method.properties().filter(|property| !query && !in_path(property.name)).collect();
    let mut operation = json!({
        "operationId": id(method),
        "summary": method.description,
        "tags": [method.path.split('/').find(|part| !part.is_empty()).unwrap_or("api")],
        "parameters": parameters,
        "responses": {
            "200": {
                "description": "It was done.",
                "content": { "application/json": { "schema": {
                    "type": "object",
                    "required": ["data"],
                    "properties": { "data": returned(method) },
                } } },
            },
            "default": { "$ref": "#/components/responses/failure" },
        },
        "x-permission": permission::told(&method.permission),
        "x-hookvisor-scope": if method.scope == Scope::Extension { "extension" } else { "api" },
        "x-protected": method.protected,
    });
    if matches!(method.returns, Returns::Events(_)) {
        operation["responses"]["200"]["content"]["text/event-stream"] = json!({ "schema": {
            "type": "string",
            "description": "With `follow`, or to who accepts nothing else: server-sent events, each with its id, which \
                `Last-Event-ID` or `after` goes on from. What is missing is an event `gap`, the last one is an event `end`.",
        } });
        operation["parameters"].as_array_mut().expect("a list").push(json!({
            "name": "Last-Event-ID",
            "in": "header",
            "description": "The id of the last event that was heard, as browsers send it; goes before `after`.",
            "required": false,
            "schema": { "type": "string" },
        }));
    }
    if permission::is_world(&method.permission) {
        operation["security"] = json!([]);
    }
    if !rest.is_empty() {
        let schema = if is_upload(method) { upload(&rest) } else { body(&rest) };
        let required = schema.get("required").is_some();
        schemas.insert(id(method), schema);
        let schema = json!({ "schema": { "$ref": format!("#/components/schemas/{}", id(method)) } });
        let types: &[&str] = match is_upload(method) {
            true => &["multipart/form-data"],
            false => &["application/json", "application/x-www-form-urlencoded"],
        };
        let content: Map<String, Value> =
            types.iter().map(|kind| ((*kind).to_owned(), schema.clone())).collect();
        operation["requestBody"] = json!({ "required": required, "content": content });
    }
    operation
}

fn is_upload(method: &Method) -> bool {
    method.path.ends_with("/upload")
}

/// The file itself comes in the place of its name.
fn upload(properties: &[&Property]) -> Value {
    let sent: Vec<&Property> =
        properties.iter().filter(|property| property.name != "tmpfilename").copied().collect();
    let mut schema = body(&sent);
    schema["properties"]["filename"] = json!({
        "type": "string",
        "contentMediaType": "application/octet-stream",
        "description": "The file, with its name. All other parts come before it.",
    });
    schema
}

/// `get_nodes_node_qemu_vmid_config`
fn id(method: &Method) -> String {
    let path: String = method.path.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let parts: Vec<&str> = path.split('_').filter(|part| !part.is_empty()).collect();
    format!("{}_{}", method.verb.as_str().to_ascii_lowercase(), parts.join("_"))
        .trim_end_matches('_')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_method_is_an_operation_with_an_id_of_its_own() {
        let document = document();
        let paths = document["paths"].as_object().unwrap();
        let operations: Vec<&Value> =
            paths.values().flat_map(|path| path.as_object().unwrap().values()).collect();
        let callable = methods().filter(|method| method.scope != Scope::Command).count();
        assert_eq!(operations.len(), callable);
        let ids: BTreeSet<&str> =
            operations.iter().map(|operation| operation["operationId"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), callable);
    }

    #[test]
    fn an_operation_says_what_it_takes_and_gives() {
        let document = document();
        let start = &document["paths"]["/nodes/{node}/qemu/{vmid}/status/start"]["post"];
        let vmid = &start["parameters"][1];
        assert_eq!(
            (&vmid["name"], &vmid["in"], &vmid["required"]),
            (&json!("vmid"), &json!("path"), &json!(true))
        );
        assert_eq!(vmid["schema"]["minimum"], json!(100));
        assert_eq!(start["x-permission"], json!("VM.PowerMgmt on /vms/{vmid}"));
        let data = &start["responses"]["200"]["content"]["application/json"]["schema"]["properties"]["data"];
        assert_eq!(data["type"], json!("string"));
        let config = &document["paths"]["/nodes/{node}/qemu/{vmid}/config"]["put"]["requestBody"];
        let reference = &config["content"]["application/json"]["schema"]["$ref"];
        assert_eq!(reference, "#/components/schemas/put_nodes_node_qemu_vmid_config");
        let schema = &document["components"]["schemas"]["put_nodes_node_qemu_vmid_config"];
        assert_eq!(schema["properties"]["hookscript"]["type"], json!("string"));
        assert!(schema["patternProperties"]["^net(\\d|[12]\\d|3[01])$"].is_object(), "{schema}");
        assert_eq!(schema["additionalProperties"], json!(false));
    }
}
