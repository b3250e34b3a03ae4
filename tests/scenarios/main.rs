//! What the gateway does, seen from outside: the real program, real keys, real mailboxes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

#[path = "../world/mod.rs"]
mod world;

fn postgres_database() -> String {
    todo!()
}
