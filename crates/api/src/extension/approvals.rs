//! Root's word on hookscripts that others may set.

use crate::method::{Method, Returns, Scope, Verb};
use crate::{ApiError, Context, Params, Permission, Refusal};
use ::config::format::Format;
use ::config::schema::Property;
use ::hooks::approvals::{Approvals, check_settable, examine};
use model::VolumeId;
use serde_json::{Value, json};

static VOLUME: &[Property] = &[Property::string("volume")
    .format(Format::VolumeId)
    .describe("The script: '<storage>:snippets/<name>'.")];

fn volume(params: &Params) -> Result<VolumeId, ApiError> {
    let text = params.text("volume").unwrap_or_default();
    text.parse().map_err(|error: model::InvalidVolumeId| ApiError::parameter("volume", &error.to_string()))
}

/// `hookvisor hooks approvals`
pub static LIST: Method = Method {
    path: "/hookvisor/approvals",
    verb: Verb::Get,
    description: "Lists the approved hookscripts, whether each is still what was approved, and the guests that others set it for.",
    parameters: &[],
    permission: Permission::Privileges { path: "/", any_of: &["Sys.Audit"] },
    returns: Returns::List(&["volid", "sha256", "state", "guests"]),
    protected: true,
    scope: Scope::Extension,
    run: list,
};

fn list(context: &Context<'_>, _: &Params) -> Result<Value, ApiError> {
    let layout = context.store.layout();
    let all = Approvals::load(layout)?;
    let storages = context.storages()?;
    let rows = all.approved.iter().map(|(volume, digest)| {
        let guests = all.bound.iter().filter(|(_, bound)| bound == volume).map(|(vmid, _)| vmid.get());
        let problem = check_settable(layout, &storages, volume).err();
        json!({
            "volid": volume.to_string(),
            "sha256": digest.to_string(),
            "state": if problem.is_none() { "approved" } else { "refused" },
            "problem": problem.map(|problem| problem.to_string()),
            "guests": guests.collect::<Vec<_>>(),
        })
    });
    Ok(rows.collect())
}

/// `hookvisor hooks approve`
pub static APPROVE: Method = Method {
    path: "/hookvisor/approvals",
    verb: Verb::Post,
    description: "Approves a hookscript as it is now: whoever has VM.Config.Hookscript on a guest may set it there.",
    parameters: &[VOLUME],
    permission: Permission::Root,
    returns: Returns::Text,
    protected: true,
    scope: Scope::Extension,
    run: |context, params| {
        let volume = volume(params)?;
        let layout = context.store.layout();
        let digest = examine(layout, &context.storages()?, &volume)
            .map_err(|problem| ApiError::parameter("volume", &problem.to_string()))?;
        Approvals::change(layout, |all| all.approved.insert(volume.clone(), digest))?;
        context.journal(&format!("<{}> approved hookscript {volume} ({digest})", context.user), None);
        Ok(Value::from(digest.to_string()))
    },
};

/// `hookvisor hooks unapprove`
pub static WITHDRAW: Method = Method {
    path: "/hookvisor/approvals/{volume}",
    verb: Verb::Delete,
    description: "Takes the approval of a hookscript back: guests that others set it for start no more until it is approved again.",
    parameters: &[VOLUME],
    permission: Permission::Root,
    returns: Returns::Null,
    protected: true,
    scope: Scope::Extension,
    run: |context, params| {
        let volume = volume(params)?;
        let there = Approvals::change(context.store.layout(), |all| all.approved.remove(&volume))?;
        if there.is_none() {
            return Err(Refusal::NotApproved(volume).into());
        }
        context.journal(&format!("<{}> took the approval of hookscript {volume} back", context.user), None);
        Ok(Value::Null)
    },
};
