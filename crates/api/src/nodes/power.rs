//! What is done to the host itself: an end, and another time zone. A root beside the host's own has no say in that.

use super::lxc::interfaces::output;
use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::AT_NODE;
use crate::{ApiError, Context, Permission, Refusal};
use ::config::schema::Property;
use serde_json::Value;
use std::path::Path;

/// Where the time zones are.
const ZONES: &str = "/usr/share/zoneinfo";

static COMMAND: &[Property] =
    &[Property::string("command").one_of(&["reboot", "shutdown"]).describe("What to do.")];

/// `POST /nodes/{node}/status`
pub static POWER: Method = Method {
    path: "/nodes/{node}/status",
    verb: Verb::Post,
    description: "Reboots the host or shuts it down.",
    parameters: &[AT_NODE, COMMAND],
    permission: Permission::Privileges { path: "/nodes/{node}", any_of: &["Sys.PowerMgmt"] },
    returns: Returns::Null,
    protected: true,
    scope: Scope::Api,
    run: |context, params| {
        let verb = if params.text("command") == Some("reboot") { "reboot" } else { "poweroff" };
        must_be_host(context, verb)?;
        must_have_systemd(verb)?;
        context.journal(&format!("<{}> {verb} of node {}", context.user, context.node()), None);
        // The answer is out before the end begins: systemd is asked, and does it in its own time.
        output("systemctl", &["--no-block", verb]).map(|_| Value::Null)
    },
};

static ZONE_PARAMETERS: &[Property] =
    &[Property::string("timezone").describe("The name of a time zone, as Europe/Vienna.")];

/// `PUT /nodes/{node}/time`
pub static ZONE: Method = Method {
    path: "/nodes/{node}/time",
    verb: Verb::Put,
    description: "Sets the host's time zone.",
    parameters: &[AT_NODE, ZONE_PARAMETERS],
    permission: Permission::Privileges { path: "/nodes/{node}", any_of: &["Sys.Modify"] },
    returns: Returns::Null,
    protected: true,
    scope: Scope::Api,
    run: |context, params| {
        let zone = params.text("timezone").unwrap_or_default();
        if !is_zone(zone) {
            return Err(ApiError::parameter("timezone", &format!("there is no time zone '{zone}'")));
        }
        must_be_host(context, "another time zone")?;
        must_have_systemd("another time zone")?;
        output("timedatectl", &["set-timezone", zone]).map(|_| Value::Null)
    },
};

fn is_zone(name: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte))
    };
    name.split('/').all(plain) && Path::new(ZONES).join(name).is_file()
}

fn must_be_host(context: &Context<'_>, what: &str) -> Result<(), ApiError> {
    if context.store.layout().is_host() {
        return Ok(());
    }
    let root = context.store.layout().root().display();
    Err(Refusal::Missing(format!("{what}: the root '{root}' is not that of the host")).into())
}

fn must_have_systemd(what: &str) -> Result<(), ApiError> {
    // sd_booted(3)
    if Path::new("/run/systemd/system").is_dir() {
        return Ok(());
    }
    Err(Refusal::Missing(format!("{what}: systemd does not run on this host")).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_zone_is_a_name_that_is_there() {
        for name in
            ["../../etc/passwd", "/etc/passwd", "", "Europe", "Europe/", "No/Where", "Europe/Vienna\n"]
        {
            assert!(!is_zone(name), "{name:?}");
        }
    }
}
