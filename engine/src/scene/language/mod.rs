//! The language of scene files: from text to a [`Scene`](model::Scene), and from errors to places in the text.

pub(crate) mod catalogue;
pub(crate) mod diagnostic;
pub(crate) mod finder;
pub(crate) mod formats;
pub(crate) mod limits;
pub(crate) mod locate;
pub(crate) mod model;
pub(crate) mod overrides;
pub(crate) mod parse;
pub(crate) mod reading;
pub(crate) mod repair;
pub(crate) mod scan;
pub(crate) mod source;
pub(crate) mod suggest;
pub(crate) mod tree;
