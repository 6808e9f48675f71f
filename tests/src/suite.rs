//! Running tests: what each needs, a scratch host for each, and a line of JSON about each for `xtask`.

use crate::guest::Kind;
use crate::host::Host;
use crate::{journal, linux_vm};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::LazyLock;
use std::time::Instant;

/// Something a test needs of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// To be root.
    Root,
    /// A program, with the Debian package that has it.
    Program(&'static str, &'static str),
    /// A file, with the Debian package that has it.
    File(&'static str, &'static str),
    /// systemd's journal daemon.
    Journald,
    /// Network bridges in the kernel.
    Bridge,
    /// A Linux kernel for a guest.
    GuestKernel,
    /// The disk of a machine on which hookvisor runs.
    HostMachine,
    /// The Debian package, and a Debian to install it on, which boots in a container.
    DebianPackage,
    /// Python with the clients that tests drive.
    PythonClients,
    /// The memory controller in the unified cgroup hierarchy.
    CgroupV2Memory,
}

/// What every test of a virtual machine needs.
pub const QEMU: Need = Need::Program("qemu-system-x86_64", "qemu-system-x86");
/// What every test of a container needs.
pub const LXC: Need = Need::Program("lxc-start", "lxc");
/// The agent that runs in a Linux guest.
pub const QEMU_GA: Need = Need::Program("qemu-ga", "qemu-guest-agent");
/// A client of HTTP.
pub const CURL: Need = Need::Program("curl", "curl");
/// What makes the sandbox in which lives are played.
pub const BWRAP: Need = Need::Program("bwrap", "bubblewrap");
/// What reads shell scripts for mistakes of every kind.
pub const SHELLCHECK: Need = Need::Program("shellcheck", "shellcheck");
/// What the container's template is made of.
pub const BUSYBOX: Need = Need::Program("busybox", "busybox-static");

/// Whether the kernel makes bridges: tried once, as tests beside each other would be in each other's way.
static BRIDGES: LazyLock<bool> = LazyLock::new(|| {
    let probe = format!("hvprobe{}", std::process::id() % 10000);
    let ip = |args: &[&str]| {
        let status = std::process::Command::new("ip").args(args).stderr(std::process::Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    ip(&["link", "add", &probe, "type", "bridge"]) && ip(&["link", "del", &probe])
});

impl Need {
    /// Why it is not met; none if it is.
    fn missing(self) -> Option<String> {
        let met = match self {
            Self::Root => rustix::process::geteuid().is_root(),
            Self::Program(name, _) => find_program(name),
            Self::File(path, _) => std::path::Path::new(path).is_file(),
            Self::Journald => journal::available(),
            Self::Bridge => *BRIDGES,
            Self::GuestKernel => linux_vm::kernel().is_some(),
            Self::HostMachine => std::env::var_os("E2E_HOST_VM").is_some(),
            Self::DebianPackage => debian().is_some(),
            Self::PythonClients => python().is_some(),
            Self::CgroupV2Memory => std::fs::read_to_string("/sys/fs/cgroup/cgroup.controllers")
                .is_ok_and(|controllers| controllers.split_whitespace().any(|name| name == "memory")),
        };
        (!met).then(|| match self {
            Self::Root => "needs root".to_owned(),
            Self::Program(name, package) | Self::File(name, package) => {
                format!("needs {name} (Debian package {package})")
            }
            Self::Journald => "needs systemd-journald (Debian package systemd)".to_owned(),
            Self::Bridge => "needs network bridges in the kernel".to_owned(),
            Self::GuestKernel => {
                "needs a kernel for a guest (`cargo xtask test` gets Debian's linux-image-cloud-amd64)"
                    .to_owned()
            }
            Self::HostMachine => {
                "needs a machine of its own (`cargo xtask test --host-vm` makes it)".to_owned()
            }
            Self::DebianPackage => {
                "needs the Debian package and a Debian (`cargo xtask test package` makes both)".to_owned()
            }
            Self::PythonClients => {
                "needs the clients that are of Python (`cargo xtask test` gets them)".to_owned()
            }
            Self::CgroupV2Memory => "needs the memory controller of cgroup v2".to_owned(),
        })
    }
}

/// Whether a program is in one of the usual folders.
#[must_use]
pub fn find_program(name: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').chain(["/usr/sbin", "/usr/bin", "/sbin", "/bin"]);
    folders.into_iter().any(|folder| std::path::Path::new(folder).join(name).is_file())
}

/// The tree of a Debian on which nothing of hookvisor is installed; none where `Need::DebianPackage` is not met.
#[must_use]
pub fn debian() -> Option<PathBuf> {
    std::env::var_os("E2E_DEBIAN").map(|folder| PathBuf::from(folder).join("root"))
}

/// The folder with the Debian package in its versions.
///
/// # Panics
/// Where `Need::DebianPackage` is not met.
#[must_use]
pub fn packages() -> PathBuf {
    PathBuf::from(std::env::var_os("E2E_DEBIAN").expect("the test is skipped without it"))
}

/// The Python that has the clients: of the environment in the folder `python` of the target folder, where
/// `cargo xtask test` makes it.
#[must_use]
pub fn python() -> Option<PathBuf> {
    let me = std::env::current_exe().ok()?;
    let mut folders = me.ancestors().skip(1).map(|folder| folder.join("python"));
    folders.find(|folder| folder.join("complete").is_file()).map(|folder| folder.join("bin/python"))
}

/// A test: it gets a host that is cleaned up behind it, and panics if something is wrong.
#[derive(Debug, Clone, Copy)]
pub struct Test {
    name: &'static str,
    module: &'static str,
    needs: &'static [Need],
    body: Body,
}

#[derive(Debug, Clone, Copy)]
enum Body {
    Once(fn(&Host)),
    Each(fn(&Host, Kind)),
    Bare(fn()),
}

impl Test {
    /// A test with what it needs, run once.
    #[must_use]
    pub const fn once(
        module: &'static str,
        name: &'static str,
        needs: &'static [Need],
        run: fn(&Host),
    ) -> Self {
        Self { name, module, needs, body: Body::Once(run) }
    }

    /// A test that is run on a virtual machine and on a container.
    #[must_use]
    pub const fn each(
        module: &'static str,
        name: &'static str,
        needs: &'static [Need],
        run: fn(&Host, Kind),
    ) -> Self {
        Self { name, module, needs, body: Body::Each(run) }
    }

    /// A test that needs no host.
    #[must_use]
    pub const fn bare(module: &'static str, name: &'static str, needs: &'static [Need], run: fn()) -> Self {
        Self { name, module, needs, body: Body::Bare(run) }
    }

    fn trials(self, suite: &'static str) -> Vec<Trial> {
        let module = self.module.rsplit("::").next().unwrap_or(self.module);
        let name = format!("{suite}::{module}::{}", self.name);
        let host: &[Need] = &[Need::Root, Need::Journald];
        let kind = |kind| match kind {
            Kind::Vm => vec![QEMU],
            Kind::Container => vec![LXC, BUSYBOX],
        };
        match self.body {
            Body::Once(run) => vec![trial(name, [host, self.needs].concat(), move || on_host(run))],
            Body::Each(run) => Kind::ALL
                .into_iter()
                .map(|one| {
                    let name = format!("{name}::{}", if one == Kind::Vm { "vm" } else { "container" });
                    trial(name, [host, self.needs, &kind(one)].concat(), move || {
                        on_host(|host| run(host, one))
                    })
                })
                .collect(),
            Body::Bare(run) => vec![trial(name, self.needs.to_vec(), move || caught(run))],
        }
    }
}

/// Lists tests of this module: `tests!(once [QEMU]: a, b; each []: c, d; bare []: e)`.
#[macro_export]
macro_rules! tests {
    ($($how:ident $needs:tt : $($name:ident),+);+ $(;)?) => {
        vec![$($($crate::suite::Test::$how(module_path!(), stringify!($name), &$needs, $name)),+),+]
    };
}

/// Runs the tests of a suite as its `main`.
#[must_use]
pub fn main(suite: &'static str, tests: Vec<Test>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Tests wait more than they compute.
    arguments.test_threads.get_or_insert(4);
    keep_places_of_panics();
    let trials = tests.into_iter().flat_map(|test| test.trials(suite)).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(name: String, needs: Vec<Need>, run: impl FnOnce() -> Result<(), String> + Send + 'static) -> Trial {
    let title = name.clone();
    Trial::ignorable_test(name, move || {
        let began = Instant::now();
        if let Some(reason) = needs.iter().find_map(|need| need.missing()) {
            report(&title, "skipped", &reason, began);
            return Ok(Completion::ignored_with(reason));
        }
        let result = run();
        match &result {
            Ok(()) => report(&title, "passed", "", began),
            Err(message) => report(&title, "failed", message, began),
        }
        result.map(|()| Completion::Completed).map_err(Failed::from)
    })
}

thread_local! {
    static PLACE: std::cell::RefCell<String> = const { std::cell::RefCell::new(String::new()) };
}

/// A failure is told with its place once, in the list of failures, not on standard error as well.
fn keep_places_of_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        PLACE.with(|kept| kept.replace(place));
    }));
}

/// Gives a host of its own to something, and cleans up behind it.
///
/// # Errors
/// What it panicked with, and what it left behind.
pub fn on_host(run: impl FnOnce(&Host)) -> Result<(), String> {
    let mut made = None;
    let laid_out = caught(|| made = Some(Host::new()));
    let Some(host) = made else { return laid_out };
    let result = caught(|| run(&host));
    let result = result.map_err(|message| format!("{message}\n{}", host.diagnosis()));
    let clean = caught_result(|| host.finish());
    result.and(clean)
}

/// Turns a panic into what it said, with its place.
///
/// # Errors
/// What it said.
pub fn caught(run: impl FnOnce()) -> Result<(), String> {
    caught_result(|| {
        run();
        Ok(())
    })
}

fn caught_result(run: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("{}: {}", PLACE.take(), text.unwrap_or_else(|| "panicked".to_owned())))
    })
}

/// Appends a line of JSON to the file that `E2E_RESULTS` names.
fn report(name: &str, result: &str, reason: &str, began: Instant) {
    let Some(path) = std::env::var_os("E2E_RESULTS") else { return };
    let line = serde_json::json!({
        "name": name, "result": result, "reason": reason, "ms": u64::try_from(began.elapsed().as_millis()).unwrap_or(0),
    });
    let file = OpenOptions::new().create(true).append(true).open(path);
    let written = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    written.expect("the results can be written");
}
