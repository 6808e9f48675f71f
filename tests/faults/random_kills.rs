//! Keeper, hypervisor, hook or all of them are killed at instants that a seed chooses: between any two system calls of a
//! keeper. Whatever was hit, the promise of docs/design.md holds.

use crate::killing::{LANES, Operation, Victim, Way, go_on, hold_promise, quick_guest, settle};
use e2e::promise::{self, Done};
use e2e::suite::{self, BUSYBOX, LXC, Need, QEMU, Test};
use e2e::trace::{Moment, name};
use e2e::{Guest, Host, Kind, tests};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        bare [Need::Root, Need::Journald, QEMU]: no_phase_of_a_vm_is_lost_or_doubled;
        bare [Need::Root, Need::Journald, LXC, BUSYBOX]: no_phase_of_a_container_is_lost_or_doubled
    )
}

/// Rounds for each kind of guest, unless `E2E_FAULTS` says another number.
const ROUNDS: u64 = 200;

fn no_phase_of_a_vm_is_lost_or_doubled() {
    many(Kind::Vm);
}

fn no_phase_of_a_container_is_lost_or_doubled() {
    many(Kind::Container);
}

/// The instants of an operation that nobody disturbs, by who lives then.
#[derive(Debug, Default, Clone)]
struct Instants {
    all: Vec<u64>,
    hook: Vec<u64>,
    hypervisor: Vec<u64>,
}

impl Instants {
    fn of(operation: Operation, host: &Host, guest: &Guest<'_>) -> Self {
        let mut done = Done::default();
        if operation == Operation::Recovery {
            // One that ends a stop: everything after `pre-stop` is before it.
            Operation::Stop.prepare(guest);
            let mut trace = Operation::Stop.trace(host, guest);
            let held = trace.run_until(
                |moment| matches!(moment, Moment::Recorded(event) if name(event) == "hook-begin pre-stop"),
            );
            let killed = Victim::Keeper.kill(guest, held.expect("a stop calls pre-stop"));
            go_on(trace, &killed, &mut done);
        }
        operation.prepare(guest);
        let (mut hook, mut hypervisor) = (false, matches!(operation, Operation::Stop | Operation::Shutdown));
        hypervisor |= matches!(operation, Operation::Reboot | Operation::Recovery);
        let mut instants = Self::default();
        let mut trace = operation.trace(host, guest);
        trace.run_until(|moment| {
            match moment {
                Moment::Call { number, .. } => {
                    instants.all.push(*number);
                    instants.hook.extend(hook.then_some(*number));
                    instants.hypervisor.extend(hypervisor.then_some(*number));
                }
                Moment::Recorded(event) => match event["event"].as_str().unwrap_or_default() {
                    "hook-begin" => hook = true,
                    "hook-end" => hook = false,
                    "launch" => hypervisor = true,
                    "gone" => hypervisor = false,
                    _ => {}
                },
            }
            false
        });
        trace.finish().ok();
        settle(host, guest, &mut done);
        instants
    }

    fn choose(&self, victim: Victim, random: &mut Random) -> u64 {
        let among = match victim {
            Victim::Keeper | Victim::All => &self.all,
            Victim::Hook => &self.hook,
            Victim::Hypervisor | Victim::Init => &self.hypervisor,
        };
        *random.of(if among.is_empty() { &self.all } else { among })
    }
}

/// SplitMix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let at = self.below(items.len() as u64);
        &items[usize::try_from(at).expect("an index")]
    }
}

/// What was hit, and what came of it.
#[derive(Default)]
struct Tally {
    rounds: u64,
    victims: BTreeMap<(Victim, bool), u64>,
    operations: BTreeMap<Operation, u64>,
    steps: BTreeMap<String, u64>,
    stories: BTreeMap<String, u64>,
}

impl Tally {
    fn describe(&self, kind: Kind) -> String {
        let mut text = format!("{kind:?}: {} instants\n", self.rounds);
        for ((victim, hit), count) in &self.victims {
            let _ = writeln!(
                text,
                "  {count:5}  {victim}{}",
                if *hit { "" } else { " (not there at that instant)" }
            );
        }
        for (operation, count) in &self.operations {
            let _ = writeln!(text, "  {count:5}  during {operation:?}");
        }
        for (step, count) in &self.steps {
            let step = if step.is_empty() { "(nothing yet)" } else { step };
            let _ = writeln!(text, "  {count:5}  after {step}");
        }
        for (story, count) in &self.stories {
            let _ = writeln!(text, "  {count:5}  came to: {story}");
        }
        text
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

fn many(kind: Kind) {
    let only = number("E2E_SEED");
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let first = only.unwrap_or(clock << 20);
    let rounds = if only.is_some() { 1 } else { number("E2E_FAULTS").unwrap_or(ROUNDS) };
    let (next, tally, failures) =
        (AtomicU64::new(first), Mutex::new(Tally::default()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                let lane = suite::on_host(|host| lane(host, kind, &next, first + rounds, &tally));
                if let Err(failure) = lane {
                    failures.lock().expect("no lane panics").push(failure);
                }
            });
        }
    });
    print!("{}", tally.lock().expect("no lane panics").describe(kind));
    let failures = failures.into_inner().expect("no lane panics");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn lane(host: &Host, kind: Kind, next: &AtomicU64, end: u64, tally: &Mutex<Tally>) {
    let guest = quick_guest(host, kind);
    // So that it can be met alive.
    for phase in ["pre-start", "post-start", "pre-stop", "post-stop"] {
        guest.on(phase, "sleep 0.012");
    }
    let instants = Operation::ALL.map(|operation| Instants::of(operation, host, &guest));
    let lane = Lane { host, guest, instants, tally };
    // Those runs were not killed at random.
    lane.forget();
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            break;
        }
        lane.round(seed);
    }
    host.hookvisor(["recover"]).ok();
    let tasks = std::fs::read_to_string(host.at("var/log/pve/tasks/active")).unwrap_or_default();
    let open: Vec<&str> = tasks.lines().filter(|line| line.split(' ').count() < 3).collect();
    assert!(open.is_empty(), "tasks are open: {open:?}");
}

struct Lane<'a> {
    host: &'a Host,
    guest: Guest<'a>,
    instants: [Instants; 5],
    tally: &'a Mutex<Tally>,
}

impl Lane<'_> {
    fn round(&self, seed: u64) {
        let mut plan = String::new();
        let result = suite::caught(|| self.play(seed, &mut plan));
        if let Err(message) = result {
            panic!("seed {seed} ({plan}): {message}\nAgain: E2E_SEED={seed} cargo xtask test random_kills\n");
        }
        self.forget();
    }

    fn play(&self, seed: u64, plan: &mut String) {
        let random = &mut Random(seed);
        let operation = *random.of(&Operation::ALL);
        let victim = *random.of(&self.victims());
        let way = *random.of(&Way::ALL);
        let mut done = Done::default();
        operation.prepare(&self.guest);
        if operation == Operation::Recovery {
            let before = *random.of(&[Operation::Start, Operation::Stop]);
            let who = *random.of(&[Victim::Keeper, Victim::All]);
            before.prepare(&self.guest);
            self.strike(before, who, random, &mut done, plan);
        }
        let (step, killed) = self.strike(operation, victim, random, &mut done, plan);
        let _ = write!(plan, "then {way:?}");
        done.printed += &way.go(self.host, &self.guest);
        settle(self.host, &self.guest, &mut done);
        hold_promise(&self.guest, &done);
        let mut tally = self.tally.lock().expect("no lane panics");
        tally.rounds += 1;
        *tally.victims.entry((victim, !killed.is_empty())).or_default() += 1;
        *tally.operations.entry(operation).or_default() += 1;
        *tally.steps.entry(step).or_default() += 1;
        *tally.stories.entry(promise::story(&self.guest)).or_default() += 1;
    }

    fn victims(&self) -> Vec<Victim> {
        let mut victims = vec![Victim::Keeper, Victim::Hypervisor, Victim::Hook, Victim::All];
        victims.extend((self.guest.kind() == Kind::Container).then_some(Victim::Init));
        victims
    }

    /// Kills at an instant of an operation. Returns the step that it hit, and who was killed.
    fn strike(
        &self,
        operation: Operation,
        victim: Victim,
        random: &mut Random,
        done: &mut Done,
        plan: &mut String,
    ) -> (String, BTreeSet<u32>) {
        let at = self.instants[operation as usize].choose(victim, random);
        // The others go on meanwhile, so that they are anywhere when it comes to it.
        let pause = Duration::from_micros(random.below(2) * random.below(4000));
        let _ = write!(plan, "{operation:?}: {victim} before system call {at}, {pause:?} later; ");
        let mut trace = operation.trace(self.host, &self.guest);
        let mut hook = None;
        let held = trace.run_until(|moment| match moment {
            // Scripts and keepers do not always keep the same step: the next one is as good.
            Moment::Call { number, .. } if victim == Victim::Hook => {
                *number >= at && hook.is_some_and(e2e::proc::alive)
            }
            Moment::Call { number, .. } => *number == at,
            Moment::Recorded(event) => {
                match event["event"].as_str() {
                    Some("hook-begin") => {
                        hook = event["process"]["pid"].as_u64().and_then(|pid| pid.try_into().ok())
                    }
                    Some("hook-end") => hook = None,
                    _ => {}
                }
                false
            }
        });
        let step = if held.is_some() { trace.last().to_owned() } else { "the command's end".to_owned() };
        let _ = write!(plan, "after {step}; ");
        std::thread::sleep(pause);
        let killed = held.map(|held| victim.kill(&self.guest, held)).unwrap_or_default();
        go_on(trace, &killed, done);
        (step, killed)
    }

    /// Puts away what earlier rounds left on record, so that a failure shows its own.
    fn forget(&self) {
        self.guest.forget_past();
    }
}
