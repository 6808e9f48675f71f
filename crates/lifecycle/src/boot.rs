//! Which guests are started when the host comes up, which are ended when it goes down, and in what order
//! (lifecycle.md 8).

use model::{GuestKind, Vmid};
use std::collections::BTreeMap;

/// How long the next launch waits after that of a virtual machine whose `startup` names no `up`, in seconds.
const VM_PAUSE: u64 = 3;

/// What the order of a guest depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// The guest.
    pub vmid: Vmid,
    /// Its kind.
    pub kind: GuestKind,
    /// Whether it is to be started when the host comes up.
    pub onboot: bool,
    /// Whether it is a template.
    pub template: bool,
    /// Its place in the order; none is last.
    pub order: Option<u64>,
    /// How long the next launch waits after its own, in seconds.
    pub up: Option<u64>,
    /// How long its stop may take, in seconds.
    pub down: Option<u64>,
    /// Whether it runs, or is on its way there.
    pub running: bool,
}

/// The guests with one place in the order. They are started or stopped beside each other, the next group after them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its guests, in the order in which they are begun with.
    pub guests: Vec<Guest>,
}

/// How long the next launch waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// Not at all.
    None,
    /// So many seconds, because that is usual for the kind.
    Usual(u64),
    /// So many seconds, because the guest's configuration says so.
    Asked(u64),
}

impl Guest {
    /// How long the next launch waits after this guest's. It counts from the launch, not from its end.
    #[must_use]
    pub fn pause(&self) -> Pause {
        match (self.up, self.kind) {
            (Some(0), _) | (None, GuestKind::Lxc) => Pause::None,
            (Some(up), _) => Pause::Asked(up),
            (None, GuestKind::Qemu) => Pause::Usual(VM_PAUSE),
        }
    }
}

/// The groups to start, one after the other: lowest place first, within a place by number. Templates and guests that run
/// are left out, and with `forced` unset those without `onboot`.
#[must_use]
pub fn to_start(guests: &[Guest], forced: bool) -> Vec<Group> {
    let wanted = guests.iter().filter(|guest| !guest.template && !guest.running && (guest.onboot || forced));
    groups(wanted)
}

/// The groups to stop, one after the other: all that run, the other way round.
#[must_use]
pub fn to_stop(guests: &[Guest]) -> Vec<Group> {
    let mut groups = groups(guests.iter().filter(|guest| guest.running));
    groups.reverse();
    groups.iter_mut().for_each(|group| group.guests.reverse());
    groups
}

fn groups<'a>(guests: impl Iterator<Item = &'a Guest>) -> Vec<Group> {
    let mut places: BTreeMap<u64, Vec<Guest>> = BTreeMap::new();
    for guest in guests {
        places.entry(guest.order.unwrap_or(u64::MAX)).or_default().push(guest.clone());
    }
    places
        .into_values()
        .map(|mut guests| {
            guests.sort_by_key(|guest| guest.vmid);
            Group { guests }
        })
        .collect()
}

/// How many guests are begun with before one of them must have ended: what is asked for, else what the datacenter says,
/// else one less than there are processors, within 1 and 8.
#[must_use]
pub fn workers(asked: Option<u64>, datacenter: Option<u64>, processors: usize) -> usize {
    let usual = processors.saturating_sub(1).clamp(1, 8);
    let set = asked.or(datacenter).filter(|workers| *workers > 0);
    set.map_or(usual, |workers| usize::try_from(workers).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest(vmid: u32, order: Option<u64>) -> Guest {
        Guest {
            vmid: Vmid::try_from(vmid).unwrap(),
            kind: if vmid.is_multiple_of(2) { GuestKind::Qemu } else { GuestKind::Lxc },
            onboot: true,
            template: false,
            order,
            up: None,
            down: None,
            running: false,
        }
    }

    fn told(groups: &[Group]) -> String {
        let group = |group: &Group| {
            let ids: Vec<String> = group.guests.iter().map(|guest| guest.vmid.to_string()).collect();
            ids.join(" ")
        };
        groups.iter().map(group).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn groups_go_by_number_and_mix_both_kinds() {
        let guests = [
            guest(300, None),
            guest(1001, Some(10)),
            guest(102, Some(2)),
            guest(101, Some(10)),
            guest(203, None),
            guest(900, Some(0)),
        ];
        assert_eq!(told(&to_start(&guests, false)), "900 | 102 | 101 1001 | 203 300");
    }

    #[test]
    fn shutdown_is_the_other_way_round() {
        let guests = [guest(100, Some(1)), guest(101, Some(1)), guest(102, Some(20)), guest(103, None)];
        let mut up = guests.map(|guest| Guest { running: true, ..guest });
        assert_eq!(told(&to_stop(&up)), "103 | 102 | 101 100");
        up[0].running = false;
        // What was started by hand is stopped like all else.
        up[3].onboot = false;
        assert_eq!(told(&to_stop(&up)), "103 | 102 | 101");
        assert_eq!(to_stop(&[]), []);
    }

    #[test]
    fn only_what_is_wanted_and_does_not_run_is_started() {
        let mut guests = [guest(100, None), guest(101, None), guest(102, None), guest(103, None)];
        guests[1].onboot = false;
        guests[2].template = true;
        guests[3].running = true;
        assert_eq!(told(&to_start(&guests, false)), "100");
        assert_eq!(told(&to_start(&guests, true)), "100 101");
    }

    #[test]
    fn the_next_launch_waits_as_the_guest_or_its_kind_has_it() {
        let with = |vmid, up| Guest { up, ..guest(vmid, None) }.pause();
        assert_eq!(with(100, None), Pause::Usual(3));
        assert_eq!(with(101, None), Pause::None);
        assert_eq!(with(100, Some(0)), Pause::None);
        assert_eq!(with(101, Some(7)), Pause::Asked(7));
    }

    #[test]
    fn as_many_at_once_as_are_asked_for() {
        let cases = [
            ((Some(2), Some(5), 16), 2),
            ((None, Some(5), 16), 5),
            ((None, None, 1), 1),
            ((None, None, 4), 3),
            ((None, None, 64), 8),
            ((None, Some(0), 4), 3),
        ];
        for ((asked, datacenter, processors), expected) in cases {
            assert_eq!(workers(asked, datacenter, processors), expected);
        }
    }
}
