//! What several behaviour tests share: recordings run through a scene, labelled speech, the built program.
#![allow(dead_code, reason = "every test uses its own part of it")]

pub(crate) mod accounts;
pub(crate) mod browser;
pub(crate) mod callers;
pub(crate) mod conditions;
pub(crate) mod given;
pub(crate) mod judge;
pub(crate) mod labels;
pub(crate) mod markup;
pub(crate) mod noise;
pub(crate) mod page;
pub(crate) mod program;
pub(crate) mod stage;
pub(crate) mod taken_back;
