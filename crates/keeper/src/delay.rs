//! The pause before a start that the `post-stop` of a failed one asked for: a guest that cannot start and a hookscript that
//! never gives up would otherwise keep the host busy.

use crate::clients::ClientId;
use crate::keeper::{Keeper, program};
use crate::protocol::{Reply, StartRequest};
use crate::tasks::Purpose;
use model::StopCause;
use std::time::{Duration, Instant};

/// How much later a start begins for each start in a row that failed.
const STEP: Duration = Duration::from_secs(10);

/// The most of the history that is looked at, in runs.
const LOOK_BACK: usize = 1000;

impl Keeper {
    /// Waits until the start may begin; an error where it was dropped meanwhile.
    pub(crate) fn wait_out_delay(&mut self) -> Result<(), String> {
        let failures = if self.after_failure { self.failures_in_a_row() } else { 0 };
        if failures == 0 {
            return Ok(());
        }
        let (command, vmid, delay) = (program(self.kind), self.vmid, STEP * failures);
        self.stage = "delayed";
        self.delayed_until = Some(Instant::now() + delay);
        self.say(&format!(
            "failed starts in a row: {failures}; this one waits for {} s ('{command} start {vmid}' starts it now, '{command} stop {vmid}' drops it)",
            delay.as_secs()
        ));
        loop {
            self.attend();
            if !self.pending.is_empty() {
                return Err("the start was dropped while it was delayed".to_owned());
            }
            if self.delayed_until.is_none_or(|until| Instant::now() >= until) {
                return Ok(());
            }
            self.wait_for(self.delayed_until);
        }
    }

    /// Somebody else asks for the start that is delayed.
    pub(crate) fn hurry_start(&mut self, client: ClientId, request: &StartRequest) {
        if let Err(why) = self.begin_task("start", Purpose::Start, &request.user, Some(client)) {
            return self.clients.reply(client, &Reply::Refused { why });
        }
        if !request.after_failure {
            self.delayed_until = None;
        }
    }

    fn failures_in_a_row(&self) -> u32 {
        let history = record::history::runs(&self.layout, self.vmid, LOOK_BACK).unwrap_or_default();
        let earlier = history.runs.iter().filter(|run| run.run != self.run);
        let failed = earlier.take_while(|run| run.cause == Some(StopCause::StartFailed)).count();
        u32::try_from(failed).unwrap_or(u32::MAX)
    }
}
