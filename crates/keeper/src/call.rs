//! Which hookscripts a phase calls, and the call itself up to the fork.

use crate::adopt::run_folder;
use crate::environment::{Told, environment};
use crate::keeper::Keeper;
use hooks::conf::HooksConf;
use hooks::context::{Context, Earlier, Facts};
use hooks::settings::{Kill, Settings};
use hooks::{Call, NotCalled, Outputs, Prepared, Problem, Running, chain, digest, kept};
use lifecycle::Called;
use model::{CalledWith, Event, Outcome, Phase, Script, StopCause, Text, VolumeId};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use storage::Storages;
use store::ConfigStore;

impl Keeper {
    /// The scripts that a phase calls, in their order.
    pub(crate) fn chain(
        &mut self,
        phase: Phase,
        pre_starts: &[(Script, Outcome)],
    ) -> Result<Vec<Script>, String> {
        let found = match chain::find(&self.layout, self.vmid) {
            Ok(found) => found,
            Err(error) if phase == Phase::PreStart => {
                return Err(hooks::error_text(self.vmid, phase, &error.to_string()));
            }
            // What can be called is: a stop is never held up.
            Err(error) => {
                self.say(&format!("warning: {error}"));
                chain::Found::default()
            }
        };
        if phase == Phase::PreStart {
            for skipped in &found.skipped {
                self.say(&skipped.to_string());
            }
        }
        let own = self.own_script(phase);
        let scripts = match phase {
            Phase::PostStop => chain::post_stop(&found.drop_ins, own.as_ref(), pre_starts),
            _ => chain::order(phase, &found.drop_ins, own.as_ref()),
        };
        if phase == Phase::PreStart {
            self.pre_start_scripts = scripts.len();
        }
        Ok(scripts)
    }

    /// The hookscript that the guest's configuration names. One that is no volume id goes on record as such.
    fn own_script(&mut self, phase: Phase) -> Option<VolumeId> {
        let fixed = matches!(phase, Phase::PreStart | Phase::PostStart);
        if !fixed && let Ok(config) = self.store.read(self.kind, self.vmid) {
            // A change of `hookscript` counts at once.
            return config.main.hookscript().unwrap_or_else(|invalid| {
                self.no_call(phase, &invalid.0, &Problem::VolumeId(invalid.0.clone()));
                None
            });
        }
        self.hookscript.clone()
    }

    /// Calls a script and sees it through.
    pub(crate) fn run_hook(
        &mut self,
        phase: Phase,
        script: &Script,
        cause: Option<StopCause>,
        stoppable: bool,
    ) -> Called {
        self.stage = phase.as_str();
        match self.call(phase, cause, script) {
            Ok((running, readers)) => {
                self.follow(phase, script, running, readers);
                self.see_through(stoppable)
            }
            Err(error) => {
                let problem = Problem::Exec(format!("cannot prepare the call: {error}"));
                Called::Ended(self.no_call(phase, &script.to_string(), &problem))
            }
        }
    }

    /// Where the outputs of the next call of a phase go, or of one that is on record: scripts of a chain have their own, as
    /// the children of one may outlive it.
    pub(crate) fn outputs(&self, phase: Phase, number: u32) -> Outputs {
        Outputs::at(&self.layout.run_guest(self.vmid), &format!("{phase}.{number}"))
    }

    /// Makes them. Where that cannot be done a start is refused; any other phase goes without a successor's finding them.
    fn make_outputs(&self, phase: Phase, number: u32) -> std::io::Result<Outputs> {
        let outputs = self.outputs(phase, number);
        // The folder may be gone with all of `/run`.
        let made = outputs.make().or_else(|_| {
            run_folder(&self.layout, self.vmid)?;
            outputs.make()
        });
        match made {
            Err(error) if phase == Phase::PreStart => Err(error),
            Err(_) => Outputs::nameless(),
            Ok(()) => Ok(outputs),
        }
    }

    /// Forks the child that becomes the script.
    fn call(
        &mut self,
        phase: Phase,
        cause: Option<StopCause>,
        script: &Script,
    ) -> std::io::Result<(Running, [hooks::Reader; 2])> {
        let attempt = self.attempts.entry((phase, script.clone())).or_default();
        *attempt += 1;
        let attempt = *attempt;
        let number = self.calls.entry(phase).or_default();
        *number += 1;
        let number = *number;
        let outputs = self.make_outputs(phase, number)?;
        let env = environment(&Told {
            layout: &self.layout,
            node: &self.node,
            vmid: self.vmid,
            kind: self.kind,
            name: &self.name,
            run: &self.run,
            callers: &self.callers,
            reason: self.reason,
            cause,
            user: &self.user,
            migrated_from: self.machine.migrated_from(),
            phase,
            attempt,
            links: Some(OsString::from(self.layout.run().join("bin"))),
        });
        let patience = self.patience(phase);
        let pid =
            self.machine.first_process().filter(|_| self.machine.gone().is_none()).map(|process| process.pid);
        let (keeper, asked) = (&*self, Asked { phase, script, cause, attempt, number, pid });
        let (ledger, base) = (&self.ledger, env.clone());
        let begin = move |path: &Path, prepared: &Prepared| {
            ledger.append(&Event::HookBegin {
                phase,
                script: script.clone(),
                path: path.to_string_lossy().into_owned(),
                process: process::current(),
                call: number,
                limit_ms: prepared
                    .limit
                    .map(|limit| u64::try_from(limit.after.as_millis()).unwrap_or(u64::MAX)),
                limit_by: prepared.limit.map(|limit| limit.by).unwrap_or_default(),
                tree: prepared.tree,
                retry: prepared.retry,
                sha256: prepared.sha256.clone(),
                with: CalledWith {
                    config: prepared.config.clone(),
                    env: texts(base.iter().chain(&prepared.env)),
                },
            })?;
            // After the host loses power it is on record, `pre-start` is followed by `post-stop`, and that is not run again.
            ledger.sync()
        };
        let call = Call {
            vmid: self.vmid,
            phase,
            env,
            outputs,
            locate: Box::new(move || match keeper.locate(script, patience) {
                Ok(path) => Ok(Ok(path)),
                Err(problem) => keeper
                    .passed_over(phase, script, problem)
                    .map(|warning| Err(NotCalled { warning, agent_up: false })),
            }),
            prepare: Box::new(move |path| keeper.prepare_call(&asked, path)),
            begin: Box::new(begin),
            unrecorded: matches!(phase, Phase::PreStop | Phase::PostStop),
        };
        call.make()
    }

    /// Finds the file of a script, in the child. The storage of a volume is waited for as long as `patience` says.
    fn locate(&self, script: &Script, patience: Option<Duration>) -> Result<PathBuf, Problem> {
        let volume = match script {
            Script::DropIn(drop_in) => return chain::locate(&self.layout, drop_in),
            Script::Volume(volume) => volume,
        };
        let failed = |error: &dyn std::error::Error| Problem::Storage(error.to_string());
        let store = ConfigStore::open(self.layout.clone()).map_err(|error| failed(&error))?;
        let storages = Storages::load(&store).map_err(|error| failed(&error))?;
        if let Some(patience) = patience {
            // What a script says itself is not known before it is there.
            let set = HooksConf::load(&self.layout).ok();
            let set = set.and_then(|conf| conf.limit(&Settings::default(), self.vmid));
            let patience = set.map_or(patience, |set| set.after.min(patience));
            // What is left of it is enough to say that the storage did not come. Whatever else is wrong with it is told below.
            let _ = storages.wait_for(volume.storage(), patience - patience / 20);
        }
        let path = hooks::locate(&storages, volume)?;
        hooks::approvals::check_call(&self.layout, self.vmid, volume, &path)?;
        Ok(path)
    }

    /// Whether a script that cannot be called is no more than passed over, with a warning perhaps. One that had `pre-start`
    /// is missed.
    fn passed_over(
        &self,
        phase: Phase,
        script: &Script,
        problem: Problem,
    ) -> Result<Option<String>, Problem> {
        let name = script.to_string();
        let had_pre_start =
            self.earlier.iter().any(|call| call.phase == Phase::PreStart && call.script == name);
        match chain::skipped(&self.layout, script, &problem) {
            // Once a run is enough.
            Some(skipped) if !had_pre_start => Ok((phase == Phase::PreStart).then(|| skipped.to_string())),
            _ => Err(problem),
        }
    }

    /// Reads what a script says about itself and what the administrator says about it, and writes its context; in the child.
    fn prepare_call(&self, asked: &Asked<'_>, path: &Path) -> Result<Result<Prepared, NotCalled>, Problem> {
        let mut prepared = Prepared::default();
        // What is wrong refuses a start; later it is a warning, and the script is called as if it were not there.
        let refuses = asked.phase == Phase::PreStart;
        let mut warn = |problem: Problem| {
            if refuses {
                return Err(problem);
            }
            prepared.warnings.push(problem.to_string());
            Ok(())
        };
        // A file that may be executed and not be read has no settings.
        let inspected = digest::inspect(path).ok();
        let settings = match inspected.as_ref().map(|inspected| &inspected.settings) {
            Some(Ok(settings)) => settings.clone(),
            Some(Err(error)) => {
                warn(Problem::settings(asked.script, error))?;
                Settings::default()
            }
            None => Settings::default(),
        };
        let agent_up = settings.phases.contains(&Phase::AgentUp);
        if !settings.phases.contains(&asked.phase) {
            let conf = HooksConf::load(&self.layout).unwrap_or_default();
            let unnamed = self.unnamed(asked, inspected.as_ref(), &conf);
            let warning = unnamed.map(|unnamed| format!("warning: {unnamed}"));
            return Ok(Err(NotCalled { warning, agent_up }));
        }
        let conf = match HooksConf::load(&self.layout) {
            Ok(conf) => conf,
            Err(error) => {
                warn(Problem::Conf(error.to_string()))?;
                HooksConf::default()
            }
        };
        let unnamed = self.unnamed(asked, inspected.as_ref(), &conf);
        let limit = conf.limit(&settings, self.vmid).or_else(|| self.limit_of(asked.phase));
        let params = conf.params(&settings, self.vmid);
        let raw = self.store.read_raw(self.kind, self.vmid).ok();
        let config = raw.as_ref().map(|raw| config::parse(self.kind, self.vmid, raw).0);
        let digest = inspected.map(|inspected| inspected.digest);
        // What cannot be kept cannot be looked into later, which is no reason not to call the script.
        let _ = digest.map(|digest| kept::keep_file(&self.layout, digest, path));
        let kept_config = raw.and_then(|raw| kept::keep(&self.layout, &raw).ok());
        let context = Context::from(&Facts {
            layout: &self.layout,
            node: &self.node,
            vmid: self.vmid,
            kind: self.kind,
            name: &self.name,
            run: &self.run,
            reason: self.reason,
            cause: asked.cause,
            user: &self.user,
            phase: asked.phase,
            attempt: asked.attempt,
            script: asked.script,
            path,
            digest,
            limit: limit.map(|limit| limit.after),
            params: params.clone(),
            pid: asked.pid,
            config: config.as_ref(),
            earlier: &self.earlier,
        });
        let name = format!("{}.{}", asked.phase, asked.number);
        let written = hooks::context::write(&context, &self.layout.run_guest(self.vmid), &name);
        let mut env: Vec<(OsString, OsString)> =
            vec![("HOOKVISOR_SCRIPT".into(), asked.script.to_string().into())];
        match written {
            Ok(path) => env.push(("HOOKVISOR_CONTEXT".into(), path.into())),
            Err(error) => warn(Problem::Exec(error.to_string()))?,
        }
        let sha256 = digest.map(|digest| digest.to_string());
        env.extend(sha256.iter().map(|digest| ("HOOKVISOR_SCRIPT_SHA256".into(), digest.into())));
        let named = |key: &str| format!("HOOKVISOR_PARAM_{}", key.to_uppercase().replace('-', "_"));
        env.extend(params.iter().map(|(key, value)| (named(key).into(), value.into())));
        prepared.warnings.extend(unnamed);
        prepared.warnings.extend(self.in_others_reach(asked.script, path, &conf));
        let (tree, retry) = (settings.kill == Kill::Tree, settings.retry.contains(&asked.phase));
        let config = kept_config.map(|digest| digest.to_string());
        Ok(Ok(Prepared { env, limit, tree, retry, agent_up, sha256, config, ..prepared }))
    }

    /// What is to be said, once a run, of a script on a storage that others than root may change. Where the storage cannot tell
    /// who may, its administrator has said so.
    fn in_others_reach(&self, script: &Script, path: &Path, conf: &HooksConf) -> Option<String> {
        let Script::Volume(volume) = script else { return None };
        let name = script.to_string();
        let is_first = !self.earlier.iter().any(|call| call.script == name);
        let wanted = is_first && !conf.trusted.contains(volume.storage());
        wanted.then(|| hooks::trust::warning(&self.layout, path)).flatten()
    }

    /// What is to be said, once a start, of parameters that are set for this guest and that none of its scripts names: the
    /// last script of the chain says it, when all others have been found.
    fn unnamed(
        &self,
        asked: &Asked<'_>,
        script: Option<&digest::Inspected>,
        conf: &HooksConf,
    ) -> Option<String> {
        let last = usize::try_from(asked.number).is_ok_and(|number| number == self.pre_start_scripts);
        if asked.phase != Phase::PreStart || !last || conf.guest(self.vmid).is_none() {
            return None;
        }
        // A compiled program may take whatever there is.
        let mut named = script?.params()?;
        for drop_in in chain::find(&self.layout, self.vmid).ok()?.drop_ins {
            named.extend(digest::inspect(&self.layout.drop_in(&drop_in)).ok()?.params()?);
        }
        let unnamed = conf.unnamed(self.vmid, &named);
        let file = self.layout.hooks_conf();
        let (vmid, list) = (self.vmid, unnamed.join("', '"));
        (!unnamed.is_empty())
            .then(|| format!("no script of {vmid} names '{list}', which '{}' sets for it", file.display()))
    }

    /// What earlier keepers of the run have called.
    pub(crate) fn recall(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::HookBegin { phase, script, call, .. } => {
                    self.calls.insert(*phase, *call);
                    *self.attempts.entry((*phase, script.clone())).or_default() += 1;
                }
                Event::HookEnd { phase, script, outcome, millis, .. } => {
                    self.remember(*phase, script, *outcome, Duration::from_millis(*millis));
                }
                _ => {}
            }
        }
    }

    /// How a call that has ended counts for the contexts of later ones.
    pub(crate) fn remember(&mut self, phase: Phase, script: &str, outcome: Outcome, duration: Duration) {
        self.earlier.push(Earlier { phase, script: script.to_owned(), outcome, duration });
    }
}

/// An environment as it is on record.
fn texts<'a>(env: impl Iterator<Item = &'a (OsString, OsString)>) -> Vec<(Text, Text)> {
    env.map(|(key, value)| (key.as_bytes().into(), value.as_bytes().into())).collect()
}

/// What is asked of one call.
#[derive(Clone, Copy)]
struct Asked<'a> {
    phase: Phase,
    script: &'a Script,
    cause: Option<StopCause>,
    /// Which call of this script in this phase and run it is, from 1.
    attempt: u32,
    /// Which call of the phase in this run it is, from 1.
    number: u32,
    pid: Option<u32>,
}
