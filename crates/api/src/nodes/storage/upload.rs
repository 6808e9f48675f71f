//! Uploads: CD images, templates, images to import, and snippets, which Proxmox VE does not take (api.md 3.3).
//!
//! Whoever transports a request writes the file to `var/tmp/pveupload-<hexadecimal digits>` below the root, with nobody
//! else's access, and names it in `tmpfilename`. The caller's own `tmpfilename` is not to be let through.

use super::checksum::{ALGORITHMS, Check};
use super::content::storage;
use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::AT_STORAGE;
use crate::{ApiError, Context, Origin, Params, Permission, Refusal, task};
use ::config::schema::Property;
use ::storage::Placement;
use model::{ContentType, VolumeId};
use serde_json::Value;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;

/// The most bytes that a snippet may have.
pub const SNIPPET_LIMIT: u64 = 16 << 20;

/// What a file from outside may be checked against.
pub(super) static CHECKSUM: &[Property] = &[
    Property::string("checksum")
        .optional()
        .requires("checksum-algorithm")
        .describe("The file's checksum; another file is refused."),
    Property::string("checksum-algorithm")
        .optional()
        .one_of(ALGORITHMS)
        .requires("checksum")
        .describe("How the checksum is made."),
];

static PARAMETERS: &[Property] = &[
    Property::string("content")
        .one_of(&["iso", "vztmpl", "import", "snippets"])
        .describe("What it is. Snippets are hookvisor's own extension."),
    Property::string("filename")
        .max_length(255)
        .describe("The name of the file. What is before its last slash is dropped, special characters become `_`."),
    Property::string("mode")
        .optional()
        .one_of(&["0644", "0755"])
        .describe(
            "The permissions of a snippet, 0644 if absent. A hookscript needs 0755, which root@pam may ask for and \
             users with VM.Config.Hookscript on /vms.",
        ),
    Property::string("tmpfilename")
        .optional()
        .describe("Where the file lies; HTTP clients send it as a part of the request instead."),
];

/// `POST …/upload`
pub static UPLOAD: Method = Method {
    path: "/nodes/{node}/storage/{storage}/upload",
    verb: Verb::Post,
    description: "Puts a file on a storage: a CD image, a template, an image to import, or a snippet.",
    parameters: &[AT_STORAGE, CHECKSUM, PARAMETERS],
    permission: Permission::storage(&["Datastore.AllocateTemplate"]),
    returns: Returns::Upid,
    protected: true,
    scope: Scope::Api,
    run: upload,
};

fn upload(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let source = Source::open(context, params)?;
    let content: ContentType = params
        .text("content")
        .and_then(|word| word.parse().ok())
        .ok_or_else(|| ApiError::parameter("content", "invalid content type"))?;
    let name = file_name(params.text("filename").unwrap_or_default(), content)?;
    let mode = match params.text("mode") {
        Some(_) if content != ContentType::Snippets => {
            return Err(ApiError::parameter("mode", "only snippets have a mode"));
        }
        Some("0755") => 0o755,
        _ => 0o644,
    };
    if content == ContentType::Snippets && source.size > SNIPPET_LIMIT {
        let text =
            format!("file is too big for a snippet: {} bytes, the limit is {SNIPPET_LIMIT}", source.size);
        return Err(ApiError::parameter("filename", &text));
    }
    let storages = context.storages()?;
    let placement = storages.placement(&storage(params)?, content, &name)?;
    let replace = may_replace(context, &placement, content, mode)?;
    task::run(context, "imgcopy", "", |task| {
        task.say(&format!("starting file import from: {}", source.path.display()));
        task.say(&format!("target node: {}", context.node()));
        task.say(&format!("target file: {}", placement.path.display()));
        task.say(&format!("file size is: {}", source.size));
        let checksum = params.text("checksum-algorithm").zip(params.text("checksum"));
        let mut check = Check::new(Some(source.size), checksum);
        let mut file = source.file.try_clone().map_err(|error| source.failed(error))?;
        let placed = storages.place(&placement, &mut file, mode, replace, &mut check);
        if checksum.is_some() {
            let verdict = match &placed {
                Err(::storage::StorageError::Checksum(_)) => "",
                _ => "OK, checksum verified",
            };
            task.say(&format!("calculating checksum...{verdict}"));
        }
        placed?;
        task.say("finished file import successfully");
        Ok(())
    })
}

/// The file that came with the request. A transport's is removed when this is dropped.
struct Source {
    file: File,
    path: PathBuf,
    size: u64,
    passing: bool,
}

impl Source {
    fn open(context: &Context<'_>, params: &Params) -> Result<Self, ApiError> {
        let wrong = |text: &str| ApiError::parameter("tmpfilename", text);
        let named =
            params.text("tmpfilename").ok_or_else(|| wrong("property is missing and it is not optional"))?;
        let passing = is_passing(named);
        let path = match context.origin {
            _ if passing => context.store.layout().at(named.trim_start_matches('/')),
            // Whoever owns the root reads every file anyway.
            Origin::Command(_) if context.is_root() => PathBuf::from(named),
            _ => return Err(wrong("value does not match the regex pattern")),
        };
        let flags = (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits();
        let failed = |source| ApiError::File { what: "unable to read", path: path.clone(), source };
        let file =
            OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(&path).map_err(failed)?;
        let meta = file.metadata().map_err(failed)?;
        let size = meta.len();
        let source = Self { file, path, size, passing };
        if meta.is_file() { Ok(source) } else { Err(wrong("is no regular file")) }
    }

    fn failed(&self, source: std::io::Error) -> ApiError {
        ApiError::File { what: "unable to read", path: self.path.clone(), source }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if self.passing {
            // It was made for this call alone. What cannot be removed now goes with the other files of its folder.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// `/var/tmp/pveupload-[0-9a-f]+`
fn is_passing(path: &str) -> bool {
    path.strip_prefix("/var/tmp/pveupload-").is_some_and(|digits| {
        !digits.is_empty() && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// The name that a file gets: without folders, plain characters, an extension that fits.
pub(super) fn file_name(given: &str, content: ContentType) -> Result<String, ApiError> {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c } else { '_' };
    let name: String = last.chars().map(plain).collect();
    let wrong = |text: &str| Err(ApiError::parameter("filename", text));
    if name.is_empty() || name.starts_with('.') {
        return wrong("invalid filename");
    }
    if ::storage::VolumeName::parse(&format!("{content}/{name}")).is_err() {
        return wrong("wrong file extension");
    }
    Ok(name)
}

/// Whether a volume that is there may be replaced. Refuses a script that would run with more rights than its sender has.
///
/// What root@pam has set as a guest's hookscript runs as root whatever is in it, so that nobody else may put something in
/// its place.
fn may_replace(
    context: &Context<'_>,
    placement: &Placement,
    content: ContentType,
    mode: u32,
) -> Result<bool, ApiError> {
    if context.is_root() || content != ContentType::Snippets {
        return Ok(true);
    }
    let volume = &placement.volume;
    if mode == 0o755 {
        context.require("/vms", &["VM.Config.Hookscript"])?;
    }
    if let Some(guest) = hookscript_of(context, volume)? {
        let text = format!("'{volume}' is the hookscript of guest {guest}, only root@pam may replace it");
        return Err(ApiError::Denied(text));
    }
    let Ok(there) = fs::symlink_metadata(&placement.path) else { return Ok(false) };
    if there.mode() & 0o111 != 0 {
        let text = format!("'{volume}' may be executed, only root@pam may replace it");
        return Err(ApiError::Denied(text));
    }
    context.require(&format!("/storage/{}", volume.storage()), &["Datastore.Allocate"])?;
    Ok(true)
}

/// A guest whose configuration, or a snapshot of it, names this hookscript.
fn hookscript_of(context: &Context<'_>, volume: &VolumeId) -> Result<Option<String>, ApiError> {
    let volume = volume.to_string();
    for (vmid, kind) in context.store.list()? {
        let Ok(config) = context.store.read(kind, vmid) else { return Err(unreadable(vmid)) };
        let mut sections = [&config.main, &config.pending].into_iter().chain(config.snapshots.values());
        if sections.any(|section| section.get("hookscript") == Some(&volume)) {
            return Ok(Some(vmid.to_string()));
        }
    }
    Ok(None)
}

/// What cannot be looked at might name the script.
fn unreadable(vmid: model::Vmid) -> ApiError {
    Refusal::Storage(format!("unable to read the configuration of guest {vmid}")).into()
}

#[cfg(test)]
mod tests;
