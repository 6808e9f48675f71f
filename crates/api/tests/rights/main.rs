//! Who may call what, and what the methods themselves refuse: through the one door that every transport uses.

mod accounts;
mod guests;
mod scene;
mod table;
