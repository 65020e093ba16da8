//! Real recordings through a scene: one session a file, in virtual time or in real time.
//!
//! `feed` pushes the audio when it would arrive, `drive` ticks the engine until every session has closed, `track`
//! keeps what left it, `crate::picture` what happened, `page` draws that.

pub mod drive;
pub mod feed;
pub mod page;
pub(crate) mod segments;
pub mod sessions;
pub mod summary;
pub mod track;
