//! Whose hookscripts a request comes of. A hookscript may start and stop other guests, whose hookscripts may do the same:
//! one that came back to the first guest would wait for itself.

use crate::protocol::StartRequest;
use model::{Phase, RunId, StartReason, StopCause};

/// The variable that tells a hookscript's commands: run ids with commas between, the script's own run last.
pub(crate) const VARIABLE: &str = "HOOKVISOR_CALLERS";

/// The runs whose hookscripts this process works for.
pub(crate) fn of_this_process() -> Vec<RunId> {
    parse(&std::env::var(VARIABLE).unwrap_or_default())
}

fn parse(text: &str) -> Vec<RunId> {
    text.split(',').filter_map(|id| id.parse().ok()).collect()
}

/// What a hookscript of `run` is told, where its phase is there for the hookscripts of `callers`.
pub(crate) fn told(callers: &[RunId], run: &RunId) -> String {
    let all: Vec<&str> = callers.iter().chain([run]).map(RunId::as_str).collect();
    all.join(",")
}

/// Whether a request that comes of these runs' hookscripts has come round to one of `run`, by way of another guest.
pub(crate) fn is_circle(callers: &[RunId], run: &RunId) -> bool {
    callers.split_last().is_some_and(|(_, before)| before.contains(run))
}

/// Says of a start that it is a hookscript's, where this process works for one.
pub(crate) fn sign(request: &mut StartRequest) {
    if request.reason == StartReason::User && !of_this_process().is_empty() {
        request.reason = StartReason::Hook;
    }
    let told = |key: &str, value: &str| std::env::var(key).is_ok_and(|told| told == value);
    request.after_failure |= told("HOOKVISOR_VMID", &request.vmid.to_string())
        && told("HOOKVISOR_PHASE", Phase::PostStop.as_str())
        && told("HOOKVISOR_STOP_CAUSE", StopCause::StartFailed.as_str());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_come_round_where_another_guest_is_between() {
        let [own, other] = [1, 2].map(|number| RunId::new(number, 0));
        let chain = parse(&told(std::slice::from_ref(&own), &other));
        assert_eq!(chain, [own.clone(), other.clone()]);
        assert!(is_circle(&chain, &own));
        // Its own hookscripts are known by their processes.
        assert!(!is_circle(&chain, &other));
        assert!(!is_circle(std::slice::from_ref(&own), &own));
        assert_eq!(parse("nonsense,"), []);
    }
}
