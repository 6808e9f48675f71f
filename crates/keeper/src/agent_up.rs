//! The phase `agent-up`: which script asks for it, when it comes, and what cuts it short.

use crate::host::cancels;
use crate::keeper::Keeper;
use hooks::Started;
use model::{Event, Phase};

impl Keeper {
    /// Notes whether a script names the phase, which its child has read.
    pub(crate) fn note_wish(&mut self, script: &str, started: &Started) {
        let wishes = match started {
            Started::Yes(located) => located.agent_up,
            Started::NotCalled(not_called) => not_called.agent_up,
            Started::NotYet | Started::No(..) => false,
        };
        if wishes && self.agent_up.is_none() {
            self.agent_up = Some(script.to_owned());
        }
    }

    /// Says why the phase does not come that a script asks for.
    pub(crate) fn tell_of_no_agent(&mut self) {
        let Some(script) = self.agent_up.clone() else { return };
        let Err(why) = self.machine.may_answer() else { return };
        let (kind, vmid) = (self.kind.label(), self.vmid);
        let text = format!("note: {script} asks for agent-up, which will not come: {kind} {vmid} {why}");
        self.say(&text);
        let entry =
            self.scene().record(record::journal::Priority::Notice, record::journal::IDENTIFIER, text.clone());
        self.journal.send(entry);
        self.note(&Event::Note { text });
    }

    /// Looks out for the guest's first answer, where a script asks for it. Returns whether one can come.
    pub(crate) fn looks_out(&mut self) -> bool {
        let wanted = self.agent_up.is_some() && self.machine.may_answer().is_ok();
        if wanted {
            self.on_ground(|machine, ground| machine.look_out(ground));
        }
        wanted
    }

    /// Counts a call of the phase as not made, which was cut short before its script had begun.
    pub(crate) fn take_back(&mut self, script: &str) {
        let attempts = self.attempts.iter_mut();
        for (_, attempt) in
            attempts.filter(|((phase, known), _)| *phase == Phase::AgentUp && known.to_string() == script)
        {
            *attempt -= 1;
        }
    }

    /// Whether the script that runs is to be aborted. That of a start is by a stop at once; `agent-up`, which belongs to a
    /// guest that is up, by whatever ends the guest: nothing that has to do with its end waits for it.
    pub(crate) fn is_cut_short(&self) -> bool {
        match self.hook.as_ref().map(|hook| hook.phase) {
            Some(Phase::AgentUp) => {
                !self.pending.is_empty()
                    || self.machine.hypervisor().is_none()
                    || self.machine.gone().is_some()
            }
            _ => self.pending.iter().any(cancels),
        }
    }
}
