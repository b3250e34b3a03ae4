//! What the fuzz targets share: a gateway with its team, whole mails made around a fuzzer's bytes, a run of everything that
//! the gateway does with a mail but storing and sending it, and what must hold afterwards.
//!
//! Security: nothing in here is part of the program. The keys are made from fixed numbers, so that a mail that was found in
//! one run opens in the next; they protect nothing.

pub mod bounds;
pub mod carry;
pub mod copy;
pub mod hidden;
pub mod message;
pub mod parts;
pub mod protected;
pub mod server;
pub mod shapes;
pub mod world;

#[global_allocator]
static MEMORY: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;
