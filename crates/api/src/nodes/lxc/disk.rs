//! Volumes of containers that grow.

use crate::Permission;
use crate::guest::resize;
use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::{AT_GUEST, DIGEST};
use ::config::schema::Property;
use model::GuestKind;

const VOLUME: Property = Property::string("disk")
    .pattern(r"(rootfs|mp(\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5]))", |text| {
        text == "rootfs" || Property::string("mp").indexed(256).is_named(text)
    })
    .describe("The root file system or mount point.");

static PARAMETERS: &[Property] = &[DIGEST, VOLUME, resize::SIZE];

/// `pct resize`
pub static RESIZE: Method = Method {
    path: "/nodes/{node}/lxc/{vmid}/resize",
    verb: Verb::Put,
    description: "Makes a volume of a container larger, and the file system in it, also while it runs.",
    parameters: &[AT_GUEST, PARAMETERS],
    permission: Permission::guest(&["VM.Config.Disk"]),
    returns: Returns::Upid,
    protected: true,
    scope: Scope::Api,
    run: |context, params| resize::resize(GuestKind::Lxc, context, params),
};
