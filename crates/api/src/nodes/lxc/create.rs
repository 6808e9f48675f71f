//! `pct create`: a new container from a template (api.md 3.1).

use crate::guest::claim::Claim;
use crate::guest::rights::Asked;
use crate::guest::volumes::{Completion, Made, shift};
use crate::guest::{self, approval, update};
use crate::method::{Method, Returns, Scope, Verb};
use crate::nodes::qemu::create::start;
use crate::nodes::unsupported;
use crate::schema::AT_NODE;
use crate::task::{self, Task};
use crate::{ApiError, Context, Params, Permission, Refusal, pools};
use ::config::options::{ROOTFS, all};
use ::config::{GuestConfig, options, property};
use ::lxc::create::{Create, Template};
use ::lxc::{Source, Tools};
use model::{GuestKind, Vmid, VolumeId};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

const KIND: GuestKind = GuestKind::Lxc;

/// `pct create`
pub static CREATE: Method = Method {
    path: "/nodes/{node}/lxc",
    verb: Verb::Post,
    description: "Makes a container from a template.",
    parameters: &[AT_NODE, &options::lxc::CREATE, &options::lxc::OPTIONS],
    permission: Permission::User,
    returns: Returns::Upid,
    protected: true,
    scope: Scope::Api,
    run: create,
};

/// Restores, and what needs a cluster.
const UNSERVED: &[&str] = &["bwlimit", "force", "ha-managed", "restore", "unique"];

fn create(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    unsupported(params, UNSERVED)?;
    let vmid = params.vmid();
    let mut asked: BTreeMap<String, String> = params
        .iter()
        .filter(|(key, _)| ::config::schema::find(all(KIND), key).is_some())
        .map(|(key, value)| (key.to_owned(), value.joined()))
        .collect();
    check_rights(context, params, &asked)?;
    if let Some(script) = asked.get("hookscript") {
        update::locate(context, script).map_err(Refusal::Hookscript)?;
    }
    // Said at once, by its name.
    template(context, params.text("ostemplate").unwrap_or_default())?;
    add_defaults(&mut asked, vmid, params.text("storage"));
    pools::check(context, params)?;
    let script = asked.get("hookscript").cloned();
    let claim = Claim::take(context, KIND, vmid)?;
    task::run(context, "vzcreate", &vmid.to_string(), |task| {
        claim.fill(|config, made| {
            approval::bind(context, vmid, script.as_deref())?;
            make(context, task, params, asked, config, made)
        })?;
        approval::release(context, vmid, script.as_deref())?;
        pools::join(context, params, vmid)?;
        if params.flag("start", false) {
            start(context, task, vmid);
        }
        Ok(())
    })
}

/// Who may make this container.
fn check_rights(
    context: &Context<'_>,
    params: &Params,
    asked: &BTreeMap<String, String>,
) -> Result<(), ApiError> {
    let rights = Asked { context, kind: KIND, vmid: params.vmid(), pool: params.text("pool"), config: None };
    rights.require(&["VM.Allocate"])?;
    if params.flag("start", false) {
        rights.require(&["VM.PowerMgmt"])?;
    }
    // What is made where nothing is said, too.
    let mut asked = asked.clone();
    add_defaults(&mut asked, params.vmid(), params.text("storage"));
    let privileged = !asked.contains_key("unprivileged");
    let usual = |key: &str| matches!(key, "hostname" | "memory" | "swap" | "unprivileged");
    asked.retain(|key, _| params.has(key) || !usual(key));
    if privileged {
        context.require("/", &["Sys.Modify"])?;
    }
    rights.check_set(&asked)?;
    rights.check_source(params.text("ostemplate").unwrap_or_default())
}

/// What every container has.
fn add_defaults(asked: &mut BTreeMap<String, String>, vmid: Vmid, storage: Option<&str>) {
    let rootfs = format!("{}:4", storage.unwrap_or("local"));
    let defaults = [
        ("hostname", format!("CT{vmid}")),
        ("memory", "512".to_owned()),
        ("swap", "512".to_owned()),
        ("rootfs", rootfs),
        ("unprivileged", "1".to_owned()),
    ];
    for (key, value) in defaults {
        asked.entry(key.to_owned()).or_insert(value);
    }
    // A privileged one's file does not say so.
    if asked.get("unprivileged").is_some_and(|value| value == "0") {
        asked.remove("unprivileged");
    }
}

fn make(
    context: &Context<'_>,
    task: &Task<'_, '_>,
    params: &Params,
    mut set: BTreeMap<String, String>,
    config: &mut GuestConfig,
    made: &mut Made,
) -> Result<(), ApiError> {
    let vmid = params.vmid();
    let tools = Tools::find().map_err(|error| Refusal::Missing(error.to_string()))?;
    let template = template(context, params.text("ostemplate").unwrap_or_default())?;
    let say = |bytes: &[u8]| task.write(bytes);
    let shift = shift(set.contains_key("unprivileged"));
    let storage = params.storage("storage");
    Completion { context, kind: KIND, vmid, storage, shift, creating: true, say: &say }
        .all(&mut set, made)?;
    for (key, value) in &set {
        guest::set(config, key, value);
    }
    let request = Create {
        vmid,
        main: &config.main,
        template: if template.is_dir() { Template::Folder(&template) } else { Template::Archive(&template) },
        volume: &rootfs(context, config)?,
        password: params.text("password"),
        ssh_keys: params.text("ssh-public-keys"),
        ignore_unpack_errors: params.flag("ignore-unpack-errors", false),
    };
    let created = ::lxc::create::create(&request, &tools, &mut |line| task.say(line))?;
    config.main.set("ostype", created.ostype);
    config.main.set("arch", created.arch);
    Ok(())
}

/// The file or folder that the container is made from: a volume, or an absolute path.
fn template(context: &Context<'_>, text: &str) -> Result<PathBuf, ApiError> {
    if text.starts_with('/') {
        return Ok(text.into());
    }
    let volume: VolumeId = text
        .parse()
        .map_err(|error: model::InvalidVolumeId| ApiError::parameter("ostemplate", &error.to_string()))?;
    Ok(context.storages()?.template(&volume)?.path)
}

/// Where the new root file system goes.
fn rootfs(context: &Context<'_>, config: &GuestConfig) -> Result<Source, ApiError> {
    let value = config.main.get("rootfs").unwrap_or_default();
    let refused = |text: &str| ApiError::parameter("rootfs", text);
    let parts = property::parse(value, &ROOTFS).map_err(|error| refused(&error.to_string()))?;
    let volume = parts.get("volume").unwrap_or_default();
    let path = match volume.parse::<VolumeId>() {
        Ok(volume) => context.storages()?.path(&volume)?.path,
        Err(_) if volume.starts_with('/') => PathBuf::from(volume),
        Err(error) => return Err(refused(&error.to_string())),
    };
    Ok(match (path.is_dir(), path.starts_with("/dev")) {
        (true, _) => Source::Folder(path),
        (false, true) => Source::Device(path),
        (false, false) => Source::Image(path),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_fill_what_was_not_asked_for() {
        let mut asked = BTreeMap::from([("memory".to_owned(), "64".to_owned())]);
        add_defaults(&mut asked, "200".parse().unwrap(), None);
        let text: Vec<String> = asked.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(text, ["hostname=CT200", "memory=64", "rootfs=local:4", "swap=512", "unprivileged=1"]);
        asked.insert("unprivileged".to_owned(), "0".to_owned());
        add_defaults(&mut asked, "200".parse().unwrap(), None);
        assert!(!asked.contains_key("unprivileged"));
    }
}
