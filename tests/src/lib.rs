//! The framework of the end to end tests: a scratch host with its own journal, tiny virtual machines, a busybox
//! container, hookscripts that note what they see, and what is read back afterwards.

pub mod tiny_vm;
