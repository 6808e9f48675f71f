//! Disks of virtual machines: larger, or gone.

use crate::guest::{resize, update};
use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::{AT_GUEST, DIGEST, SKIPLOCK};
use crate::{Context, Given, Params, Permission};
use ::config::format::{Format, is_drive_name};
use ::config::schema::Property;
use model::GuestKind;
use serde_json::Value;

const CHANGE: Permission = Permission::guest(&["VM.Config.Disk"]);

const DRIVE: Property = Property::string("disk")
    .pattern(r"(ide[0-3]|scsi(\d|[12]\d|30)|virtio(\d|1[0-5])|sata[0-5]|efidisk0|tpmstate0)", |text| {
        is_drive_name(text) || matches!(text, "efidisk0" | "tpmstate0")
    })
    .describe("The drive.");

static RESIZE_PARAMETERS: &[Property] = &[DIGEST, DRIVE, resize::SIZE, SKIPLOCK];

/// `qm disk resize`
pub static RESIZE: Method = Method {
    path: "/nodes/{node}/qemu/{vmid}/resize",
    verb: Verb::Put,
    description: "Makes a disk of a virtual machine larger, also while it runs.",
    parameters: &[AT_GUEST, RESIZE_PARAMETERS],
    permission: CHANGE,
    returns: Returns::Upid,
    protected: true,
    scope: Scope::Api,
    run: |context, params| resize::resize(GuestKind::Qemu, context, params),
};

static UNLINK_PARAMETERS: &[Property] = &[
    Property::boolean("force").optional().describe("Removes the volumes, instead of keeping them as unused."),
    Property::string("idlist").format(Format::List(&Format::ConfigId)).describe("The drives, a list."),
];

/// `qm disk unlink`
pub static UNLINK: Method = Method {
    path: "/nodes/{node}/qemu/{vmid}/unlink",
    verb: Verb::Put,
    description: "Takes drives out of a virtual machine's configuration.",
    parameters: &[AT_GUEST, UNLINK_PARAMETERS],
    permission: CHANGE,
    returns: Returns::Null,
    protected: true,
    scope: Scope::Api,
    run: |context: &Context<'_>, params: &Params| {
        let mut change = Params::default();
        for (from, to) in [("node", "node"), ("vmid", "vmid"), ("force", "force"), ("idlist", "delete")] {
            if let Some(text) = params.text(from) {
                change.set(to, Given::One(text.to_owned()));
            }
        }
        update::update(GuestKind::Qemu, context, &change).map(|()| Value::Null)
    },
};
