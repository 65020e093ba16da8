//! Turns Markdown into what a person would say: no marks, no addresses, no code, no emoji.
//!
//! Two steps, because text streams in. [`Blocks`] recognises the kind of each line, removes the marks of that kind
//! and says where a block ends; sentences are then found in the rest, which still has marks within lines. [`spoken`]
//! turns one sentence, just before it leaves, into what is said. Marks that open in one sentence and close in another
//! are dropped in both.

mod blocks;
mod spoken;
mod words;

#[cfg(test)]
mod tests;

pub(super) use blocks::{Block, Blocks, Piece};
pub(super) use spoken::spoken;
