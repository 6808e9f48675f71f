//! Parameters that several methods share.

use config::format::Format;
use config::schema::Property;

pub(crate) const NODE: Property =
    Property::string("node").format(Format::Node).describe("The name of the node.");

pub(crate) const VMID: Property = Property::integer("vmid")
    .format(Format::Vmid)
    .min(100)
    .max(999_999_999)
    .typetext("<integer> (100 - 999999999)")
    .describe("The number of the guest.");

pub(crate) const SKIPLOCK: Property = Property::boolean("skiplock")
    .optional()
    .describe("Goes on though the configuration carries a lock. For root@pam only.");

pub(crate) const DIGEST: Property = Property::string("digest")
    .optional()
    .max_length(40)
    .describe("Changes nothing if the file's SHA-1 is another one now.");

pub(crate) const DELETE: Property = Property::string("delete")
    .optional()
    .format(Format::List(&Format::ConfigId))
    .describe("The settings to take away, a list.");

pub(crate) const REVERT: Property = Property::string("revert")
    .optional()
    .format(Format::List(&Format::ConfigId))
    .describe("The pending changes to drop, a list of settings.");

pub(crate) const CURRENT: Property = Property::boolean("current")
    .default("0")
    .describe("Shows what is in force now, without the pending changes.");

pub(crate) const SNAPSHOT: Property = Property::string("snapshot")
    .optional()
    .format(Format::ConfigId)
    .max_length(40)
    .describe("Shows the configuration that this snapshot holds.");

pub(crate) const STORAGE: Property =
    Property::string("storage").format(Format::StorageId).describe("The name of the storage.");

/// `/nodes/{node}/…`
pub(crate) static AT_NODE: &[Property] = &[NODE];

/// `/nodes/{node}/…/{vmid}/…`
pub(crate) static AT_GUEST: &[Property] = &[NODE, VMID];

/// `/nodes/{node}/storage/{storage}/…`
pub(crate) static AT_STORAGE: &[Property] = &[NODE, STORAGE];

/// A whole number of seconds.
pub(crate) const fn seconds(name: &'static str, description: &'static str) -> Property {
    Property::integer(name).optional().min(0).describe(description)
}
