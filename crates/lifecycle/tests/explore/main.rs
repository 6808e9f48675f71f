//! The story, explored exhaustively over made-up guests, scripts and hosts.
//!
//! Every combination is tried of: how each hookscript ends, whether the launch succeeds, what the guest does by itself,
//! which requests come and when, and the keeper dying before and after every step, to the depth that a [`Budget`] gives.
//! After a death the world goes on without a keeper (scripts end, guests die or power off, the host crashes, `/run` is
//! emptied), and a successor goes on from the ledger. The promise of docs/design.md, "The phases", is checked on the way
//! and at the end. To show that the checks bite, faults are seeded into the story, and each must be caught.

mod choices;
mod faults;
mod model_host;
mod world;

use choices::Choices;
use faults::{Fault, Seeded};
use lifecycle::{live, resume};
use model_host::{Died, ModelHost};
use world::{Budget, World};

/// What an exploration saw.
struct Explored {
    lives: u64,
    broken: Option<String>,
}

fn explore(budget: Budget, fault: Option<Fault>) -> Explored {
    let mut choices = Choices::default();
    let mut seen = Explored { lives: 0, broken: None };
    loop {
        let mut world = World::new(budget);
        one_life(&mut world, &mut choices, fault);
        world.check_end();
        seen.lives += 1;
        if let Some(broken) = world.broken {
            seen.broken = Some(format!("{broken}\nrecord: {:#?}\ntruth: {:?}", world.ledger, world.truth));
            break;
        }
        if !choices.next() {
            break;
        }
    }
    seen
}

fn one_life(world: &mut World, choices: &mut Choices, fault: Option<Fault>) {
    world.begin();
    let mut end = live(&mut Seeded::new(ModelHost::new(world, choices), fault));
    while let Err(Died) = end {
        world.without_keeper(choices);
        world.may_damage(choices);
        let (events, boot) = (world.ledger.clone(), world.boot.clone());
        let living = world.living();
        world.successor();
        let host = &mut Seeded::new(ModelHost::new(world, choices), fault);
        end = resume(host, &events, &boot, |process, seen| {
            seen.is_none_or(|seen| seen.kernel == boot.kernel) && living.contains(&process)
        });
    }
}

fn report(name: &str, budget: Budget) {
    let explored = explore(budget, None);
    println!("{name}: {} lives; {budget:?}", explored.lives);
    assert_eq!(explored.broken, None);
    assert!(explored.lives > 1000, "the exploration is shallower than it says");
}

#[test]
fn the_promise_holds_for_a_virtual_machine() {
    report(
        "virtual machine",
        Budget { deaths: 1, requests: 2, restarts: 0, scripts: 1, damage: 0, agent: false },
    );
}

#[test]
fn the_promise_holds_when_the_keeper_dies_twice() {
    report("two deaths", Budget { deaths: 2, requests: 1, restarts: 0, scripts: 1, damage: 0, agent: false });
}

#[test]
fn the_promise_holds_for_a_container_that_reboots_itself() {
    report("container", Budget { deaths: 1, requests: 1, restarts: 1, scripts: 1, damage: 0, agent: false });
}

#[test]
fn the_promise_holds_for_each_of_several_hookscripts() {
    report(
        "two hookscripts",
        Budget { deaths: 1, requests: 1, restarts: 0, scripts: 2, damage: 0, agent: false },
    );
}

#[test]
fn a_guest_without_a_hookscript_lives_too() {
    report(
        "no hookscript",
        Budget { deaths: 1, requests: 2, restarts: 1, scripts: 0, damage: 0, agent: false },
    );
}

#[test]
fn the_promise_holds_where_the_record_is_damaged() {
    report("damage", Budget { deaths: 1, requests: 1, restarts: 0, scripts: 1, damage: 1, agent: false });
}

#[test]
fn the_promise_holds_where_an_agent_answers() {
    report("agent", Budget { deaths: 1, requests: 2, restarts: 0, scripts: 1, damage: 0, agent: true });
}

#[test]
fn the_promise_holds_where_an_agent_answers_and_the_keeper_dies_twice() {
    report(
        "agent, two deaths",
        Budget { deaths: 2, requests: 0, restarts: 0, scripts: 1, damage: 0, agent: true },
    );
}

#[test]
fn the_promise_holds_where_an_agent_answers_to_several_hookscripts() {
    report(
        "agent, two hookscripts",
        Budget { deaths: 1, requests: 0, restarts: 0, scripts: 2, damage: 0, agent: true },
    );
    report(
        "agent, two hookscripts, a stop",
        Budget { deaths: 0, requests: 1, restarts: 0, scripts: 2, damage: 0, agent: true },
    );
}

#[test]
fn the_promise_holds_where_init_answers_and_reboots() {
    report(
        "agent of a container",
        Budget { deaths: 1, requests: 1, restarts: 1, scripts: 1, damage: 0, agent: true },
    );
}

#[test]
fn the_promise_holds_where_an_agent_answers_and_the_record_is_damaged() {
    report(
        "agent, damage",
        Budget { deaths: 1, requests: 0, restarts: 0, scripts: 1, damage: 1, agent: true },
    );
}

#[test]
fn every_seeded_fault_is_caught() {
    for fault in Fault::ALL {
        let one = u32::from(fault.scripts() == 1);
        let budget = Budget {
            deaths: one,
            requests: 1,
            restarts: one,
            scripts: fault.scripts(),
            damage: 0,
            agent: fault.agent(),
        };
        let explored = explore(budget, Some(fault));
        let caught =
            explored.broken.unwrap_or_else(|| panic!("{fault:?} was not caught in {} lives", explored.lives));
        println!(
            "{fault:?}: caught after {} lives: {}",
            explored.lives,
            caught.lines().next().unwrap_or_default()
        );
    }
}
