//! What a peer counts.

use crate::wire::delivery::{IncomingFigures, OutgoingFigures};
use crate::wire::message::IntakeFigures;

/// Counts of a peer. Of what arrives: `intake.accepted` = acknowledgements + `incoming.processed`, `repeated` and
/// `too_old` + `overtaken` + `after_closed` + `overflowed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerFigures {
    /// What has come from the other end, and the warnings about it.
    pub intake: IntakeFigures,
    /// What was sent, and its fate.
    pub outgoing: OutgoingFigures,
    /// What was received, and its receipts.
    pub incoming: IncomingFigures,
    /// Acknowledgements received.
    pub receipts: u64,
    /// Messages about segments that nobody here can know, or without a field that their type needs: received, and
    /// without effect.
    pub unknown: u64,
    /// Events that came behind a later one, dropped.
    pub overtaken: u64,
    /// Messages that came behind `Closed`, dropped.
    pub after_closed: u64,
    /// Messages that found no room, refused.
    pub overflowed: u64,
    /// Messages in the binary form with bytes behind them that nobody read.
    pub surplus: u64,
}
