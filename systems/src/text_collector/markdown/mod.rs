//! What a person would say of a text that is written in Markdown: no marks, no addresses, no code, no emoji.
//!
//! Two steps, because text streams in. [`Blocks`] knows what kind of line is being written, takes away what makes it
//! one and says where a block ends; sentences are then found in what is left, marks within lines included.
//! [`spoken`] turns one sentence, just before it leaves, into what is said. Marks that were opened in one sentence and
//! are closed in another are dropped in both.

mod blocks;
mod spoken;
mod words;

#[cfg(test)]
mod tests;

pub(super) use blocks::{Block, Blocks, Piece};
pub(super) use spoken::spoken;
