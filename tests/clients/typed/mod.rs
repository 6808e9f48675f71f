//! The types of the crate `proxmox-api`, which are made from Proxmox VE's own schema: what the server answers must be of
//! them, and what they send must be understood.

mod answers;
mod client;
mod life;

use e2e::suite::{BUSYBOX, LXC, Need, QEMU, Test};
use e2e::tests;

pub(crate) fn tests() -> Vec<Test> {
    use answers::every_answer_is_of_its_type;
    use life::{a_life_by_ticket, a_life_by_token};
    const OPENSSL: Need = Need::Program("openssl", "openssl");
    tests!(each [OPENSSL]: a_life_by_ticket; each []: a_life_by_token; once [QEMU, LXC, BUSYBOX, OPENSSL]: every_answer_is_of_its_type)
}
