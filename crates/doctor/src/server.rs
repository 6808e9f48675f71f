//! What the API's server relies on: its certificate, and the clock.
#![expect(unsafe_code, reason = "the system call adjtimex has no safe wrapper")]

use crate::Finding;
use crate::programs;
use crate::scene::Scene;
use crate::word::path as shell;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use x509_cert::Certificate;
use x509_cert::time::Time;

/// Who made a certificate that may be made anew.
const OURS: &str = "hookvisor self-signed";

/// How long before its end a certificate is worth a note, in seconds.
const SOON: i64 = 30 * 86_400;

/// The server's certificate; nothing where there is none, as `hookvisor serve` makes one.
pub(crate) fn certificate(scene: &Scene) -> Vec<Finding> {
    let Ok(store) = &scene.store else { return Vec::new() };
    let folder = scene.layout.pve().join("nodes").join(store.node().as_str());
    let file = served(&folder);
    if file.exists() { vec![judge(&file, now())] } else { Vec::new() }
}

/// The administrator's own where it has its key, else the node's.
fn served(folder: &Path) -> PathBuf {
    let own = folder.join("pveproxy-ssl.pem");
    if own.exists() && own.with_extension("key").exists() { own } else { folder.join("pve-ssl.pem") }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn judge(file: &Path, now: i64) -> Finding {
    let about = "certificate";
    let raw = match fs::read(file) {
        Ok(raw) => raw,
        Err(error) => {
            let what = format!("'{}' cannot be read: {error}", file.display());
            return Finding::problem(
                about,
                what,
                "the API is not served",
                format!("chmod u+r {}", shell(file)),
            );
        }
    };
    let aside =
        format!("mv {0} {0}.old  # 'hookvisor serve' makes a new one when it is started", shell(file));
    // Of a chain the server's own certificate comes first.
    let Some(parsed) = first(&raw) else {
        let what = format!("'{}' holds no certificate in PEM", file.display());
        return Finding::problem(about, what, "the API is not served", aside);
    };
    let ours = parsed.tbs_certificate.issuer.to_string().contains(OURS);
    let mend = match ours {
        true => aside,
        false => {
            format!("openssl x509 -noout -subject -enddate -in {}  # and put a new one there", shell(file))
        }
    };
    let validity = parsed.tbs_certificate.validity;
    let (begin, end) = (seconds(validity.not_before), seconds(validity.not_after));
    let (from, until) = (validity.not_before.to_date_time(), validity.not_after.to_date_time());
    let why = "clients refuse it";
    if now < begin {
        Finding::problem(about, format!("is not valid before {from}"), why, set_clock())
    } else if now >= end {
        Finding::problem(about, format!("has ended at {until}"), why, mend)
    } else if now + SOON >= end {
        Finding::problem(about, format!("ends at {until}"), "clients will refuse it", mend).unless(false)
    } else {
        Finding::ok(about, format!("until {until}"))
    }
}

fn first(raw: &[u8]) -> Option<Certificate> {
    Certificate::load_pem_chain(raw).ok()?.into_iter().next()
}

fn seconds(time: Time) -> i64 {
    i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX)
}

/// Log-ins of the realm `pam`.
pub(crate) fn accounts(_: &Scene) -> Vec<Finding> {
    if access::PAM {
        return Vec::new();
    }
    let what = "this program is static and cannot ask PAM";
    let why = "users of the realm 'pam' cannot log in with a password; those of the realm 'pve' can";
    vec![
        Finding::problem("log-in", what, why, "hookvisor user add ann@pve && hookvisor user passwd ann@pve")
            .unless(false),
    ]
}

/// The clock, by which records, tickets and certificates are dated.
pub(crate) fn clock(_: &Scene) -> Vec<Finding> {
    let built = fs::metadata("/proc/self/exe").and_then(|meta| meta.modified()).unwrap_or(UNIX_EPOCH);
    vec![judge_clock(built, SystemTime::now(), is_synchronised(), set_clock())]
}

fn judge_clock(built: SystemTime, now: SystemTime, synchronised: bool, mend: &str) -> Finding {
    let why = "records are dated by it, and tickets and certificates end by it";
    if built > now {
        Finding::problem("clock", "is behind this program's own file", why, mend)
    } else if synchronised {
        Finding::ok("clock", "synchronised")
    } else {
        Finding::problem("clock", "is not synchronised", why, mend).unless(false)
    }
}

/// The command that has the clock set on this host.
fn set_clock() -> &'static str {
    let systemd = Path::new("/run/systemd/system").is_dir();
    // What timedatectl(1) knows to switch on; without any it refuses.
    let units = ["/etc/systemd/ntp-units.d", "/usr/lib/systemd/ntp-units.d"];
    let known = units.iter().any(|folder| fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some()));
    how_to_set_clock(systemd, known, programs::find("chronyd").is_some())
}

fn how_to_set_clock(systemd: bool, known: bool, chrony: bool) -> &'static str {
    match (systemd, known, chrony) {
        (true, true, _) => "timedatectl set-ntp true",
        (true, false, _) => "apt-get install systemd-timesyncd",
        (false, _, true) => "chronyc makestep || chronyd",
        (false, _, false) => "apt-get install chrony && chronyd",
    }
}

/// Whether the kernel has been told that the clock is right, adjtimex(2).
fn is_synchronised() -> bool {
    // SAFETY: all fields of the structure are plain numbers, for which zeros are values.
    let mut question: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: no mode is set, so that nothing is changed and the structure is filled.
    let state = unsafe { libc::adjtimex(&raw mut question) };
    state >= 0 && state != libc::TIME_ERROR && question.status & libc::STA_UNSYNC == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    #[test]
    fn the_certificate_is_the_one_that_is_served() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("pveproxy-ssl.pem"), "").unwrap();
        assert!(served(folder.path()).ends_with("pve-ssl.pem"));
        fs::write(folder.path().join("pveproxy-ssl.key"), "").unwrap();
        assert!(served(folder.path()).ends_with("pveproxy-ssl.pem"));
    }

    #[test]
    fn a_clock_that_is_behind_or_runs_by_itself_is_told_of() {
        let (then, now) = (UNIX_EPOCH, SystemTime::now());
        let seen = |built, now, synchronised| judge_clock(built, now, synchronised, "mend").state;
        assert_eq!(seen(then, now, true), State::Ok);
        assert_eq!(seen(then, now, false), State::Note);
        assert_eq!(seen(now, then, true), State::Problem);
    }

    #[test]
    fn the_clock_is_set_by_what_the_host_has() {
        assert_eq!(how_to_set_clock(true, true, true), "timedatectl set-ntp true");
        assert!(how_to_set_clock(true, false, false).contains("systemd-timesyncd"));
        for chrony in [true, false] {
            assert!(!how_to_set_clock(false, true, chrony).contains("timedatectl"));
        }
    }
    use rcgen::{CertificateParams, KeyPair};
    use std::time::Duration;

    #[test]
    fn a_certificate_is_judged_by_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pve-ssl.pem");
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let made = SystemTime::now();
        params.not_before = made.into();
        params.not_after = (made + Duration::from_secs(100 * 86_400)).into();
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        fs::write(&file, certificate.pem()).unwrap();
        let days = |days: i64| judge(&file, now() + days * 86_400);
        assert_eq!(
            [days(-1), days(1), days(80), days(101)].map(|found| found.state),
            [State::Problem, State::Ok, State::Note, State::Problem]
        );
        assert!(days(101).mend.unwrap().starts_with("openssl x509"));
        fs::write(&file, "nothing").unwrap();
        assert!(days(1).what.ends_with("holds no certificate in PEM"));
    }
}
