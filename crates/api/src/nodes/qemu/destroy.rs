//! `qm destroy`

use crate::guest::destroy::destroy;
use crate::method::{Method, Returns, Scope, Verb};
use crate::nodes::qemu::power::root_only;
use crate::schema::{AT_GUEST, SKIPLOCK};
use crate::{Permission, guest::destroy::Destruction};
use ::config::schema::Property;
use model::GuestKind;

static PARAMETERS: &[Property] = &[
    Property::boolean("destroy-unreferenced-disks")
        .default("0")
        .describe("Removes volumes of this VMID that the configuration does not name, too."),
    Property::boolean("purge").optional().describe("Removes the VMID from all other configurations."),
    SKIPLOCK,
];

/// `qm destroy`
pub static DESTROY: Method = Method {
    path: "/nodes/{node}/qemu/{vmid}",
    verb: Verb::Delete,
    description: "Removes a stopped virtual machine with its volumes.",
    parameters: &[AT_GUEST, PARAMETERS],
    permission: Permission::guest(&["VM.Allocate"]),
    returns: Returns::Upid,
    protected: true,
    scope: Scope::Api,
    run: |context, params| {
        root_only(context, params, &["skiplock"])?;
        let how = Destruction {
            kind: GuestKind::Qemu,
            vmid: params.vmid(),
            skiplock: params.flag("skiplock", false),
            force: false,
            unreferenced: params.flag("destroy-unreferenced-disks", false),
            purge: params.flag("purge", false),
        };
        destroy(context, &how)
    },
};
