//! The options of the commands that run a hookscript in a sandbox: the guest that it finds there, and what it is given.

use api::Params;
use config::schema::{Property, Type};
use model::GuestKind;
use std::path::PathBuf;
use workshop::lives::{Scenery, Setting};

static FILE: Property = Property::string("file");

static MOUNT: Property = Property::string("mount");

static PARAM: Property = Property::string("param");

/// Whether the sandbox has a network.
pub(crate) const NETWORK: Property =
    Property::boolean("network").default("0").describe("Lets the script have the host's network.");

/// What is laid into the sandbox's root.
pub(crate) static LAID: &[Property] = &[
    Property::new("file", Type::Array(&FILE)).optional().describe(
        "A file that the script needs, PATH=FILE with the content of a file of yours, PATH for an empty one, or a folder, PATH/.",
    ),
    Property::new("mount", Type::Array(&MOUNT))
        .optional()
        .describe("A folder on which something is mounted that the script needs."),
    Property::string("tree").optional().describe("A folder of yours whose content is laid into the script's root."),
];

/// The guest, and the settings of its host.
pub(crate) static GUEST: &[Property] = &[
    Property::string("config")
        .optional()
        .describe("The guest's configuration, as in 100.conf; the file's name is its VMID."),
    Property::string("hooks-conf").optional().describe("The host's hooks.conf, with limits and parameters."),
    Property::string("kind")
        .optional()
        .one_of(&["qemu", "lxc"])
        .describe("The guest's kind; that of its configuration if absent, else qemu."),
    Property::new("param", Type::Array(&PARAM))
        .optional()
        .describe("A parameter of the script, NAME=VALUE, before what hooks.conf and the script say."),
];

/// The first of some options that is given.
pub(crate) fn given(params: &Params, options: &[&[Property]]) -> Option<&'static str> {
    let names = options.iter().flat_map(|list| list.iter()).map(|option| option.name);
    names.into_iter().find(|name| params.text(name).is_some() || !params.list(name).is_empty())
}

/// What is given to the script.
pub(crate) fn scenery(params: &Params) -> Scenery {
    let list = |name: &str| params.list(name).into_iter().map(str::to_owned).collect();
    Scenery {
        hooks_conf: params.text("hooks-conf").map(PathBuf::from),
        params: list("param"),
        files: list("file"),
        tree: params.text("tree").map(PathBuf::from),
        mounts: list("mount"),
    }
}

/// A setting with all of it, and with nothing else.
pub(crate) fn setting(params: &Params) -> Setting {
    Setting {
        kind: params.text("kind").map(|kind| if kind == "lxc" { GuestKind::Lxc } else { GuestKind::Qemu }),
        config: params.text("config").map(PathBuf::from),
        scenery: scenery(params),
        ..Setting::default()
    }
}
