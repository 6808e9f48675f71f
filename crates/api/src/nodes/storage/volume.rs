//! `/nodes/{node}/storage/{storage}/content/{volume}`: one volume.

use super::access::check_sees;
use super::content::volume;
use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::AT_STORAGE;
use crate::{ApiError, Context, Params, Permission};
use ::config::schema::Property;
use ::storage::StorageError;
use model::ContentType;
use serde_json::{Value, json};

static VOLUME: &[Property] = &[Property::string("volume").describe("The volume.")];

/// `GET …/content/{volume}`
pub static READ: Method = Method {
    path: "/nodes/{node}/storage/{storage}/content/{volume}",
    verb: Verb::Get,
    description: "Shows where a volume lies, its format and its size.",
    parameters: &[AT_STORAGE, VOLUME],
    permission: Permission::User,
    returns: Returns::Object(&["path", "size", "used", "format"]),
    protected: true,
    scope: Scope::Api,
    run: read,
};

fn read(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let volume = volume(params)?;
    let storages = context.storages()?;
    let found = storages.path(&volume)?;
    check_sees(context, volume.storage(), found.content, found.owner)?;
    let (format, info) = storages.info(&volume)?;
    let mut answer = json!({
        "path": found.path.to_string_lossy(),
        "size": info.size,
        "used": info.used,
        "format": format,
    });
    if found.content == ContentType::Backup {
        let (notes, protected) = storages.backup_attributes(&volume)?;
        if let Some(notes) = notes {
            answer["notes"] = json!(notes);
        }
        answer["protected"] = json!(u8::from(protected));
    }
    Ok(answer)
}

static ATTRIBUTES: &[Property] = &[
    Property::string("notes").optional().describe("The new notes; empty ones are none."),
    Property::boolean("protected").optional().describe("Whether the backup is kept from removal."),
];

/// `PUT …/content/{volume}`
pub static CHANGE: Method = Method {
    path: "/nodes/{node}/storage/{storage}/content/{volume}",
    verb: Verb::Put,
    description: "Changes the notes and the protection of a backup.",
    parameters: &[AT_STORAGE, VOLUME, ATTRIBUTES],
    permission: Permission::User,
    returns: Returns::Null,
    protected: true,
    scope: Scope::Api,
    run: change,
};

fn change(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let volume = volume(params)?;
    let storages = context.storages()?;
    let found = storages.path(&volume)?;
    super::access::check_removes(context, volume.storage(), found.content, found.owner)?;
    for attribute in ["notes", "protected"] {
        if params.has(attribute) && found.content != ContentType::Backup {
            let text = format!("only backups support attribute '{attribute}'");
            return Err(crate::Refusal::Storage(text).into());
        }
    }
    if !found.path.exists() {
        return Err(StorageError::NoVolume(volume).into());
    }
    let protected = params.has("protected").then(|| params.flag("protected", false));
    storages.set_backup_attributes(&volume, params.text("notes"), protected)?;
    Ok(Value::Null)
}
