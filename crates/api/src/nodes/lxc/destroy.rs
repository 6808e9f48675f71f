//! `pct destroy`

use crate::Permission;
use crate::guest::destroy::{Destruction, destroy};
use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::AT_GUEST;
use ::config::schema::Property;
use model::GuestKind;

static PARAMETERS: &[Property] = &[
    Property::boolean("destroy-unreferenced-disks")
        .optional()
        .describe("Removes volumes of this VMID that the configuration does not name, too."),
    Property::boolean("force").default("0").describe("Stops it first if it runs."),
    Property::boolean("purge").default("0").describe("Removes the VMID from all other configurations."),
];

/// `pct destroy`
pub static DESTROY: Method = Method {
    path: "/nodes/{node}/lxc/{vmid}",
    verb: Verb::Delete,
    description: "Removes a container with its volumes.",
    parameters: &[AT_GUEST, PARAMETERS],
    permission: Permission::guest(&["VM.Allocate"]),
    returns: Returns::Upid,
    protected: true,
    scope: Scope::Api,
    run: |context, params| {
        let how = Destruction {
            kind: GuestKind::Lxc,
            vmid: params.vmid(),
            skiplock: false,
            force: params.flag("force", false),
            unreferenced: params.flag("destroy-unreferenced-disks", false),
            purge: params.flag("purge", false),
        };
        destroy(context, &how)
    },
};
