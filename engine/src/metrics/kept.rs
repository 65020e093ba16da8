//! Metrics as part of an engine: when they rotate, and who may ask.

use super::{MetricsBook, Snapshot};
use crate::engine::Engine;
use crate::frame::frames_to_us;
use crate::ids::SessionId;
use crate::ledger::Ledger;
use crate::placement::Placement;
use crate::session::{Phase, SessionTable};
use crate::shard::Shard;

impl Engine {
    /// From now on metrics are kept: windows that rotate every 5 s of engine time. Takes its memory here, 0.3 MB a node.
    pub fn keep_metrics(&mut self) {
        let handle = self.handle();
        let nodes = &self.plan().nodes;
        let calls = nodes.iter().map(|node| node.service.is_some()).chain([false]);
        let book = MetricsBook::new(self.now_us(), calls, handle.shared.sessions_max as usize);
        self.metrics = Some(Box::new(book));
    }

    /// Fills in what can be seen of the engine now, and says whether metrics are kept; without them `out` stays as it
    /// is. Changes nothing; with the `out` of an earlier call it takes no memory. Costs some microseconds a shard and
    /// node: for once a second, not for every tick.
    pub fn metrics(&self, out: &mut Snapshot) -> bool {
        let Some(book) = &self.metrics else { return false };
        out.now_us = self.now_us();
        let rows = self.shards.iter().flat_map(|shard| &shard.world.resource::<SessionTable>().rows);
        out.sessions = rows.flatten().filter(|row| row.phase != Phase::Gone).count() as u32;
        book.fill(ledgers(&self.shards), self.hub(), out);
        true
    }

    /// Before a tick counts anything.
    pub(crate) fn rotate_metrics(&mut self) {
        let now_us = self.now_us();
        if let Some(book) = &mut self.metrics {
            book.rotate(now_us, ledgers(&self.shards));
        }
    }

    /// After a tick: answers that began in it.
    pub(crate) fn hear_answers(&mut self) {
        let Some(mut book) = self.metrics.take() else { return };
        book.hear(self.records(), |record| arrived_us(&self.shards, self.shared.placement, record.session));
        self.metrics = Some(book);
    }
}

fn ledgers(shards: &[Shard]) -> impl Iterator<Item = &Ledger> + Clone {
    shards.iter().map(|shard| shard.world.resource::<Ledger>())
}

/// Media time of a session that has arrived, microseconds.
fn arrived_us(shards: &[Shard], placement: Placement, session: SessionId) -> u64 {
    let table = shards[placement.shard(session)].world.resource::<SessionTable>();
    table.get(session).map_or(0, |row| frames_to_us(row.frames_in, row.input.rate_hz))
}
