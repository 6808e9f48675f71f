//! (c) and (d): queries with many guests, and what the keepers of live ones weigh.

use crate::Plan;
use crate::machine::machine;
use crate::report::Report;
use e2e::{Guest, Host};
use std::fs;

pub(crate) fn measure(host: &Host, plan: Plan, report: &mut Report) {
    let guests: Vec<Guest> = (1000..1000 + plan.listed).map(|vmid| machine(host, vmid, None)).collect();
    let (alive, _) = guests.split_at(plan.alive as usize);
    for guest in alive {
        guest.start().ok();
    }
    let first = guests[0].id();
    for round in 0..=plan.rounds {
        let mut discarded = Report::default();
        let report = if round == 0 { &mut discarded } else { &mut *report };
        report.add("qm status (ms)", host.qm(["status", &first]).ok().took);
        report.add(&format!("qm list, {} guests (ms)", plan.listed), host.qm(["list"]).ok().took);
    }
    report.goal("qm status", report.median("qm status (ms)"), Some(5.0), "ms");
    for guest in alive {
        let keeper = guest.keeper();
        let rollup = fs::read_to_string(format!("/proc/{keeper}/smaps_rollup")).expect("the keeper's memory");
        let kib = |key: &str| -> f64 {
            let line = rollup.lines().find_map(|line| line.strip_prefix(key));
            let number =
                line.and_then(|rest| rest.trim_start_matches(':').split_whitespace().next()?.parse().ok());
            number.expect("smaps_rollup has this number")
        };
        report.add_number("keeper: private dirty (KiB)", kib("Private_Dirty"));
        report.add_number("keeper: PSS (KiB)", kib("Pss"));
    }
    report.goal("keeper: private dirty", report.median("keeper: private dirty (KiB)"), Some(1024.0), "KiB");
    report.goal("keeper: PSS", report.median("keeper: PSS (KiB)"), Some(2048.0), "KiB");
    for guest in alive {
        guest.stop().ok();
    }
}
