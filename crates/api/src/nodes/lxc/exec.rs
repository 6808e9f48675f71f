//! `pct exec` and `pct enter`: commands inside a running container.

use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::AT_GUEST;
use crate::{ApiError, Context, Params, Permission, Refusal, lifecycle};
use ::config::schema::{Property, Type};
use ::lxc::{Attach, Paths, Tools, attach, login};
use model::GuestKind;
use serde_json::Value;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

static WORD: Property = Property::string("word").describe("A word.");

static EXEC_PARAMETERS: &[Property] = &[
    Property::new("extra-args", Type::Array(&WORD)).describe("The command and its arguments."),
    Property::boolean("keep-env").default("1").describe("Whether the command gets the caller's environment."),
];

/// `pct exec`
pub static EXEC: Method = Method {
    path: "/nodes/{node}/lxc/{vmid}/exec",
    verb: Verb::Post,
    description: "Runs a command inside a container and ends with the command's exit code.",
    parameters: &[AT_GUEST, EXEC_PARAMETERS],
    permission: Permission::Root,
    returns: Returns::Object(&[]),
    protected: true,
    scope: Scope::Command,
    run: |context, params| {
        let (tools, paths) = ready(context, params)?;
        let how = Attach { keep_env: params.flag("keep-env", true), env: &[] };
        let argv = attach(&tools, &paths, params.vmid(), &how, &params.list("extra-args"));
        become_it(&argv)
    },
};

static ENTER_PARAMETERS: &[Property] = &[Property::boolean("keep-env")
    .default("1")
    .describe("Whether the shell gets the caller's environment.")];

/// `pct enter`
pub static ENTER: Method = Method {
    path: "/nodes/{node}/lxc/{vmid}/enter",
    verb: Verb::Post,
    description: "Opens a shell inside a container.",
    parameters: &[AT_GUEST, ENTER_PARAMETERS],
    permission: Permission::Root,
    returns: Returns::Object(&[]),
    protected: true,
    scope: Scope::Command,
    run: |context, params| {
        let (tools, paths) = ready(context, params)?;
        let term = std::env::var("TERM").unwrap_or_else(|_| "linux".to_owned());
        become_it(&login(&tools, &paths, params.vmid(), &term))
    },
};

fn ready(context: &Context<'_>, params: &Params) -> Result<(Tools, Paths), ApiError> {
    let vmid = params.vmid();
    context.read(GuestKind::Lxc, vmid)?;
    if !lifecycle::is_running(context, vmid) {
        return Err(Refusal::ContainerNotRunning(vmid).into());
    }
    let tools = Tools::find().map_err(|error| Refusal::Missing(error.to_string()))?;
    Ok((tools, Paths::new(context.store.layout(), vmid)))
}

/// Runs a program with this process's terminal; its exit code is the result, as a shell would tell it.
fn become_it(argv: &[OsString]) -> Result<Value, ApiError> {
    let [program, arguments @ ..] = argv else { return Ok(Value::from(0)) };
    let status = Command::new(program).args(arguments).status().map_err(|source| ApiError::File {
        what: "unable to run",
        path: program.into(),
        source,
    })?;
    Ok(Value::from(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))))
}
