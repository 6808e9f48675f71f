//! Methods as transports call them: what they answer, and whom.

mod cluster;
mod guests;
mod nodes;
mod pools;
mod runs;
mod scene;
mod tasks;
