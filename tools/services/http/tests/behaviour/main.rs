//! Services behind HTTP, against a server that does what servers do.

mod chat;
mod desk;
mod mock;
mod retries;
