//! The guest agent's commands without arguments, each under a path of its own (api.md Annex A).

use super::agent::carry_out;
use crate::Permission;
use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::AT_GUEST;

const AUDIT: &[&str] = &["VM.GuestAgent.Audit", "VM.GuestAgent.Unrestricted"];
const POWER: &[&str] = &["VM.PowerMgmt", "VM.GuestAgent.Unrestricted"];
const FILE_SYSTEMS: &[&str] = &["VM.GuestAgent.FileSystemMgmt", "VM.GuestAgent.Unrestricted"];
const FREEZE_STATUS: &[&str] =
    &["VM.GuestAgent.Audit", "VM.GuestAgent.FileSystemMgmt", "VM.GuestAgent.Unrestricted"];

macro_rules! commands {
    ($($name:ident $verb:ident $privileges:ident $command:literal $description:literal;)*) => {$(
        #[doc = $description]
        pub static $name: Method = Method {
            path: concat!("/nodes/{node}/qemu/{vmid}/agent/", $command),
            verb: Verb::$verb,
            description: $description,
            parameters: &[AT_GUEST],
            permission: Permission::guest($privileges),
            returns: Returns::Object(&["result"]),
            protected: true,
            scope: Scope::Api,
            run: |context, params| carry_out(context, params.vmid(), $command),
        };
    )*};
}

commands! {
    FSFREEZE_FREEZE Post FILE_SYSTEMS "fsfreeze-freeze" "Freezes the guest's file systems.";
    FSFREEZE_STATUS Post FREEZE_STATUS "fsfreeze-status" "Tells whether the guest's file systems are frozen.";
    FSFREEZE_THAW Post FILE_SYSTEMS "fsfreeze-thaw" "Thaws the guest's file systems.";
    FSTRIM Post FILE_SYSTEMS "fstrim" "Gives blocks that the guest does not use back.";
    GET_FSINFO Get AUDIT "get-fsinfo" "Tells about the guest's file systems.";
    GET_HOST_NAME Get AUDIT "get-host-name" "Tells the guest's host name.";
    GET_MEMORY_BLOCK_INFO Get AUDIT "get-memory-block-info" "Tells how large the guest's blocks of memory are.";
    GET_MEMORY_BLOCKS Get AUDIT "get-memory-blocks" "Tells about the guest's blocks of memory.";
    GET_OSINFO Get AUDIT "get-osinfo" "Tells which system the guest runs.";
    GET_TIME Get AUDIT "get-time" "Tells the guest's time.";
    GET_TIMEZONE Get AUDIT "get-timezone" "Tells the guest's time zone.";
    GET_USERS Get AUDIT "get-users" "Tells who has logged in to the guest.";
    GET_VCPUS Get AUDIT "get-vcpus" "Tells about the guest's CPUs.";
    INFO Get AUDIT "info" "Tells about the guest agent.";
    NETWORK_GET_INTERFACES Get AUDIT "network-get-interfaces" "Tells the guest's network interfaces.";
    PING Post AUDIT "ping" "Asks whether the guest agent is there.";
    SHUTDOWN Post POWER "shutdown" "Has the guest agent shut the guest down.";
    SUSPEND_DISK Post POWER "suspend-disk" "Has the guest suspend itself to disk.";
    SUSPEND_HYBRID Post POWER "suspend-hybrid" "Has the guest suspend itself to memory and disk.";
    SUSPEND_RAM Post POWER "suspend-ram" "Has the guest suspend itself to memory.";
}
