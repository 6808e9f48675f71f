use crate::{Paths, Tools};
use model::Vmid;
use std::ffi::{OsStr, OsString};

/// How a command is run inside a running container.
#[derive(Debug, Clone, Default)]
pub struct Attach<'a> {
    /// Whether the caller's environment is passed on.
    pub keep_env: bool,
    /// Variables that are set besides.
    pub env: &'a [(&'a str, &'a str)],
}

fn base(tool: &std::path::Path, paths: &Paths, vmid: Vmid) -> Vec<OsString> {
    vec![tool.into(), "-n".into(), vmid.to_string().into(), "-P".into(), paths.lxc.clone().into()]
}

/// The command line that runs a command in a container, as `pct exec` does; its exit code is the command's. The first
/// word is the program's path.
#[must_use]
pub fn attach(
    tools: &Tools,
    paths: &Paths,
    vmid: Vmid,
    how: &Attach<'_>,
    command: &[impl AsRef<OsStr>],
) -> Vec<OsString> {
    let mut argv = base(&tools.attach, paths, vmid);
    argv.push(if how.keep_env { "--keep-env" } else { "--clear-env" }.into());
    for (key, value) in how.env {
        argv.push("-v".into());
        argv.push(format!("{key}={value}").into());
    }
    argv.push("--".into());
    argv.extend(command.iter().map(|word| word.as_ref().to_owned()));
    argv
}

/// The command line that opens root's login shell in a container, as `pct enter` does. `term` is the caller's terminal.
#[must_use]
pub fn login(tools: &Tools, paths: &Paths, vmid: Vmid, term: &str) -> Vec<OsString> {
    let mut argv = base(&tools.attach, paths, vmid);
    argv.extend(["--clear-env".into(), "-v".into(), format!("TERM={term}").into()]);
    argv
}

/// The command line that connects to a container's console, as `pct console` does, by its `cmode`: a login prompt on a
/// tty, `/dev/console`, or a shell. `escape` is the letter that, after Ctrl, begins a command to the console itself.
#[must_use]
pub fn console(tools: &Tools, paths: &Paths, vmid: Vmid, cmode: &str, escape: &str) -> Vec<OsString> {
    if cmode == "shell" {
        return login(tools, paths, vmid, "linux");
    }
    let mut argv = base(&tools.console, paths, vmid);
    argv.extend(["-e".into(), escape.into()]);
    if cmode == "console" {
        argv.extend(["-t".into(), "0".into()]);
    }
    argv
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Layout;

    #[test]
    fn a_command_keeps_its_words() {
        let tool = |name: &str| format!("/usr/bin/{name}").into();
        let tools = Tools {
            start: tool("lxc-start"),
            attach: tool("lxc-attach"),
            console: tool("lxc-console"),
            usernsexec: tool("lxc-usernsexec"),
        };
        let vmid = "200".parse().unwrap();
        let paths = Paths::new(&Layout::new("/"), vmid);
        let how = Attach { keep_env: false, env: &[("A", "b c")] };
        assert_eq!(
            attach(&tools, &paths, vmid, &how, &["sh", "-c", "echo hi"]),
            [
                "/usr/bin/lxc-attach",
                "-n",
                "200",
                "-P",
                "/var/lib/lxc",
                "--clear-env",
                "-v",
                "A=b c",
                "--",
                "sh",
                "-c",
                "echo hi"
            ]
        );
        assert_eq!(console(&tools, &paths, vmid, "console", "^a")[5..], ["-e", "^a", "-t", "0"]);
    }
}
