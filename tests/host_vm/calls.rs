//! The hook's own word on its calls, said on a port and so kept outside of the machine.

/// A hookscript that says each call and its end on a port of the machine, and does what a test asked for in between. What it
/// said is outside of the machine when it goes on, and one at a time may have the port open. Orders in `/run` are gone with
/// the power.
pub(crate) const HOOK: &str = r#"#!/bin/sh
me="$1 $2 ${0##*/} $HOOKVISOR_RUN_ID ${HOOKVISOR_STOP_CAUSE:--} $HOOKVISOR_START_REASON"
say() {
    until echo "$me $1" >/dev/notes; do sleep 0.1; done 2>/dev/null
}
say begin
for order in /run/orders/$1.$2.${0##*/} /etc/orders/$1.$2.${0##*/}; do
    if [ -e "$order" ]; then . "$order"; fi
done
say end
"#;

/// The name of the hookscript that a guest's configuration names.
pub(crate) const OWN: &str = "recorder";

/// A call of a hookscript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// Which time the machine was up.
    pub(crate) boot: usize,
    pub(crate) vmid: u32,
    pub(crate) phase: String,
    /// The file's name.
    pub(crate) script: String,
    pub(crate) run: String,
    pub(crate) cause: String,
    pub(crate) reason: String,
    /// Whether the hook said that it ends.
    pub(crate) ended: bool,
}

/// Reads what was said each time that the machine was up. A word that the power's end cut short was not said.
pub(crate) fn read(boots: &[String]) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    for (boot, text) in (1..).zip(boots) {
        let lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
        for line in lines {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [vmid, phase, script, run, cause, reason, what] = words[..] else { continue };
            let [phase, script, run, cause, reason] = [phase, script, run, cause, reason].map(str::to_owned);
            let vmid = vmid.parse().expect("a VMID");
            let call = Call { boot, vmid, phase, script, run, cause, reason, ended: false };
            match what {
                "begin" => calls.push(call),
                _ => {
                    calls.iter_mut().rev().find(|known| **known == call).expect("a call that began").ended =
                        true
                }
            }
        }
    }
    calls
}
