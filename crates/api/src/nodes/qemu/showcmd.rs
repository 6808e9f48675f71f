//! `qm showcmd`

use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::{AT_GUEST, SNAPSHOT};
use crate::{Permission, Refusal};
use ::config::schema::Property;
use model::GuestKind;
use serde_json::Value;

static PARAMETERS: &[Property] =
    &[Property::boolean("pretty").default("0").describe("Puts each option on a line of its own."), SNAPSHOT];

/// `qm showcmd`
pub static SHOWCMD: Method = Method {
    path: "/nodes/{node}/qemu/{vmid}/showcmd",
    verb: Verb::Get,
    description: "Shows the command line that a start of this virtual machine would run.",
    parameters: &[AT_GUEST, PARAMETERS],
    permission: Permission::Root,
    returns: Returns::Text,
    protected: true,
    scope: Scope::Command,
    run: |context, params| {
        let vmid = params.vmid();
        let mut config = context.read(GuestKind::Qemu, vmid)?;
        match params.text("snapshot") {
            Some(name) => {
                let unknown = || Refusal::NoSnapshot(name.to_owned());
                config.main = config.snapshots.get(name).ok_or_else(unknown)?.clone();
            }
            None => config.main = ::config::pending::merged(&config),
        }
        let line = keeper::show_command(context.store, vmid, &config).map_err(Refusal::CommandLine)?;
        Ok(Value::from(line.print(params.flag("pretty", false)).to_string_lossy().into_owned()))
    },
};
