//! `pvesm list`, `path`, `alloc` and `free`.

use super::access::{check_removes, may_see};
use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::{AT_NODE, AT_STORAGE, VMID};
use crate::{ApiError, Context, Params, Permission, Refusal, task};
use ::config::format::Format;
use ::config::schema::Property;
use ::storage::{AllocRequest, ContentFilter, Freed, ImageFormat};
use model::{StorageId, VolumeId};
use serde_json::{Map, Value, json};

static LIST_PARAMETERS: &[Property] = &[
    Property::string("content").optional().format(Format::Content).describe("Only volumes of this kind."),
    VMID.optional(),
];

/// `pvesm list`
pub static LIST: Method = Method {
    path: "/nodes/{node}/storage/{storage}/content",
    verb: Verb::Get,
    description: "Lists what a storage holds.",
    parameters: &[AT_STORAGE, LIST_PARAMETERS],
    permission: Permission::storage(&["Datastore.Audit", "Datastore.AllocateSpace"]),
    returns: Returns::List(&["volid", "format", "size", "content"]),
    protected: true,
    scope: Scope::Api,
    run: list,
};

fn list(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let filter = ContentFilter {
        content: params.text("content").and_then(|word| word.parse().ok()),
        vmid: params.text("vmid").and_then(|text| text.parse().ok()),
    };
    let id = storage(params)?;
    let listing = context.storages()?.list(&id, filter, &|vmid| context.store.find(vmid))?;
    listing.warnings.iter().for_each(|warning| context.warn(warning));
    let seen =
        listing.items.into_iter().filter(|item| may_see(context, &id, item.content, item.vmid, filter.vmid));
    let rows = seen.map(|item| {
        let mut row = Map::new();
        let mut put = |key: &str, value: Value| {
            row.insert(key.to_owned(), value);
        };
        put("volid", json!(item.volume.to_string()));
        put("content", json!(item.content.as_str()));
        put("format", json!(item.format));
        put("size", json!(item.size));
        put("ctime", json!(item.ctime));
        item.vmid.into_iter().for_each(|vmid| put("vmid", json!(vmid.get())));
        item.used.into_iter().for_each(|used| put("used", json!(used)));
        item.parent.into_iter().for_each(|parent| put("parent", json!(parent)));
        item.notes.into_iter().for_each(|notes| put("notes", json!(notes)));
        if item.protected {
            put("protected", json!(1));
        }
        Value::Object(row)
    });
    Ok(Value::Array(rows.collect()))
}

static PATH_PARAMETERS: &[Property] =
    &[Property::string("volume").format(Format::VolumeId).describe("The volume.")];

/// `pvesm path`
pub static PATH: Method = Method {
    path: "/nodes/{node}/storage/path/{volume}",
    verb: Verb::Get,
    description: "Shows where a volume lies. It need not exist.",
    parameters: &[AT_NODE, PATH_PARAMETERS],
    permission: Permission::Root,
    returns: Returns::Text,
    protected: false,
    scope: Scope::Command,
    run: |context, params| {
        let path = context.storages()?.path(&volume(params)?)?.path;
        Ok(Value::from(path.to_string_lossy().into_owned()))
    },
};

static ALLOC_PARAMETERS: &[Property] = &[
    Property::string("filename").describe("The file's name; an empty one chooses a free one."),
    Property::string("format")
        .optional()
        .one_of(&["raw", "qcow2", "subvol", "vmdk"])
        .requires("size")
        .describe("The format of the image."),
    Property::string("size")
        .pattern(r"\d+[MG]?", |text| size(text).is_some())
        .describe("The size in KiB, or with M or G."),
    VMID,
];

/// `pvesm alloc`
pub static ALLOC: Method = Method {
    path: "/nodes/{node}/storage/{storage}/content",
    verb: Verb::Post,
    description: "Makes a disk image.",
    parameters: &[AT_STORAGE, ALLOC_PARAMETERS],
    permission: Permission::storage(&["Datastore.AllocateSpace"]),
    returns: Returns::Text,
    protected: true,
    scope: Scope::Api,
    run: alloc,
};

fn alloc(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let named = params.text("format").map(str::parse::<ImageFormat>).transpose();
    let format = named.map_err(|error| ApiError::parameter("format", &error.to_string()))?;
    let request = AllocRequest {
        vmid: params.vmid(),
        format,
        name: params.text("filename").filter(|name| !name.is_empty()),
        size: params.text("size").and_then(size).unwrap_or(0),
    };
    let made = context.storages()?.alloc(&storage(params)?, &request)?;
    context.write(model::Stream::Stdout, made.output.as_bytes());
    Ok(Value::from(made.volume.to_string()))
}

/// A size in KiB, MiB or GiB as bytes.
fn size(text: &str) -> Option<u64> {
    let (digits, unit) = match text.strip_suffix('M') {
        Some(digits) => (digits, 1 << 20),
        None => text.strip_suffix('G').map_or((text, 1 << 10), |digits| (digits, 1 << 30)),
    };
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse::<u64>().ok().filter(|_| plain)?.checked_mul(unit)
}

static FREE_PARAMETERS: &[Property] = &[
    Property::integer("delay")
        .optional()
        .min(1)
        .max(30)
        .describe("Seconds to wait for the end of it before its task is named."),
    Property::string("storage")
        .optional()
        .format(Format::StorageId)
        .describe("The storage, where the volume does not name it."),
    Property::string("volume").describe("The volume."),
];

/// `pvesm free`
pub static FREE: Method = Method {
    path: "/nodes/{node}/storage/{storage}/content/{volume}",
    verb: Verb::Delete,
    description: "Removes a volume.",
    parameters: &[AT_NODE, FREE_PARAMETERS],
    permission: Permission::User,
    returns: Returns::Upid,
    protected: true,
    scope: Scope::Api,
    run: free,
};

fn free(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let volume = volume(params)?;
    let storages = context.storages()?;
    let found = storages.path(&volume)?;
    check_removes(context, volume.storage(), found.content, found.owner)?;
    let id = found
        .owner
        .map_or_else(|| volume.storage().to_string(), |vmid| format!("{vmid}@{}", volume.storage()));
    task::run(context, "imgdel", &id, |task| {
        match storages.free(&volume)? {
            Freed::Removed => task.say(&format!("Removed volume '{volume}'")),
            Freed::Missing(path) => {
                task.say(&format!("disk image '{}' does not exist", path.display()));
                task.say(&format!("Removed volume '{volume}'"));
            }
        }
        Ok(())
    })
}

pub(super) fn storage(params: &Params) -> Result<StorageId, ApiError> {
    params.storage("storage").ok_or_else(|| {
        ApiError::from(Refusal::Unparsable {
            what: "storage ID",
            value: params.text("storage").unwrap_or_default().to_owned(),
        })
    })
}

/// The volume that is named in full, or by what follows its storage.
pub(super) fn volume(params: &Params) -> Result<VolumeId, ApiError> {
    let text = params.text("volume").unwrap_or_default();
    let full = match (text.contains(':'), params.text("storage")) {
        (false, Some(storage)) => format!("{storage}:{text}"),
        _ => text.to_owned(),
    };
    full.parse().map_err(|error: model::InvalidVolumeId| {
        ApiError::parameter("volume", &format!("invalid format - {error}\n"))
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_are_kibibytes_unless_they_say_otherwise() {
        for (text, want) in [
            ("4", Some(4096)),
            ("4M", Some(4 << 20)),
            ("4G", Some(4 << 30)),
            ("4K", None),
            ("", None),
            ("G", None),
        ] {
            assert_eq!(super::size(text), want, "{text}");
        }
    }
}
