//! Real recordings through a scene: one session a file, in virtual time or in real time.
//!
//! `feed` pushes the audio when it would arrive, `drive` ticks the engine until every session has closed, `track`
//! keeps what left it, `mynah_pages::picture` what happened, `page` draws that. `mixing` warns of channels that cancel.

pub mod drive;
pub mod feed;
pub mod mixing;
pub mod peaks;
pub mod segments;
pub mod sessions;
pub mod track;
