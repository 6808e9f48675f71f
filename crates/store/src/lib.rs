//! Reads and replaces the files below `/etc/pve`.
