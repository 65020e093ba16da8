//! `TextCollector`: makes whole sentences of text that streams in, so that a synthesis has something to say early and
//! yet knows how each sentence goes on. Markup that models write for the eye is turned into what a person would say.
//!
//! A reply is the text of one (segment, revision) up to its `Mark::AnswerEnd`. Its pieces are joined as they come,
//! without added spaces: tokens bring theirs, and whole sentences can be told apart without. The memory is bounded: a
//! sentence of [`CHARS_MAX`](sentences::CHARS_MAX) characters, five waiting sentences, a few texts that did not fit a
//! step, and the unread rest of one frame; before these have left no further frame is taken. A tick reads and judges
//! as much as `WORK_MAX` allows, and the next one goes on from there: no text stalls the other sessions.
//!
//! **Nothing that arrived later leaves earlier.** Every mark, and text of another (segment, revision), first releases
//! everything held, as its sender has gone on. Cancellations are the exception: what they cover is dropped before
//! anything else of the tick is looked at, so text that is flushed has not been cancelled.

mod abbreviations;
mod batch;
mod ends;
mod intake;
mod markdown;
mod origin;
mod outgoing;
pub mod sentences;

use bevy_ecs::prelude::Component;
use mynah_engine::media::{Payload, Queue};
use mynah_engine::node::{NodeContext, NodeKind, NodePlace, ReadyContext, SessionContext, StepNode};
use mynah_engine::scene::{Format, Issue, NodeCapabilities, OverflowPolicy, Port, PortType, Tick};
use mynah_engine::speech::Cancellation;
use mynah_engine::{Frame, SessionId};
use serde::Deserialize;

use batch::Batch;
use intake::Intake;
use markdown::{Block, Blocks, Piece, spoken};
use origin::Origin;
use outgoing::Outgoing;
use sentences::Sentences;

const TEXT: &[Port] = &[Port { name: "text", kind: PortType::Text }];

/// Most frames, marks among them, that leave in one step.
const OUT_MAX: u32 = 8;

/// Texts waiting to leave at which nothing more is read: several steps of them.
const LEAVING_MAX: usize = 64;

/// Longer than the gaps between the words of a model that speaks 10 words a second, and shorter than a pause that a
/// listener takes for the end of a turn.
const FLUSH_AFTER_MS: f32 = 250.0;

/// Configuration of the kind `TextCollector`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TextCollector {
    /// Language of the text, an ISO 639-1 code in lower case.
    pub language: String,
    /// Longest time that a complete sentence waits for others to leave with it, counted from the first of them; 1 to
    /// 2000 ms, usually 100 to 150. Without it every sentence leaves at once and alone.
    pub batch_window_ms: Option<f32>,
    /// The first text of a reply waits for no other, and may leave before its sentence is complete: at a comma, a
    /// colon or a dash once it has this many characters, after any word once it has twice as many; 1 to 500.
    pub first_chunk_min_chars: Option<u32>,
    /// Text that reads as a whole sentence leaves when no text has come for this long; 20 to 10000 ms. Without it
    /// such a sentence waits for the next word or the end of the reply.
    pub flush_after_ms: Option<f32>,
    /// The markup of the text.
    pub markup: Markup,
    /// Text that is said in place of a block of code; without it, nothing is said.
    pub code_text: Option<String>,
    /// Most characters of one reply that leave, 100 to 10,000,000: the rest is cut off after a sentence, and each
    /// text of which something was cut counts as dropped, `too_long`.
    pub reply_chars_max: u32,
}

/// Two hours of speech.
const REPLY_CHARS_MAX: u32 = 100_000;

/// The markup of a text.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub enum Markup {
    /// Markdown, as models write it: what leaves is what a person would say.
    #[default]
    Markdown,
    /// None: the text is said as written.
    Plain,
}

impl Default for TextCollector {
    fn default() -> Self {
        Self {
            language: "en".into(),
            batch_window_ms: None,
            first_chunk_min_chars: None,
            flush_after_ms: Some(FLUSH_AFTER_MS),
            markup: Markup::default(),
            code_text: None,
            reply_chars_max: REPLY_CHARS_MAX,
        }
    }
}

/// How much of the current reply was released.
#[derive(Clone, Copy, Debug, Default)]
struct Reply {
    chars: usize,
    /// Whether the reply was too long: nothing more of it leaves.
    cut: bool,
    /// Texts of which something was cut off and that are not counted yet, and their turn.
    lost: u32,
    turn: u32,
    /// Whether one of them is part of the last text that left.
    halved: bool,
}

/// The gathered text of one session's reply.
#[derive(Component, Debug)]
pub struct TextCollectorState {
    intake: Intake,
    sentences: Sentences,
    /// The beginning of a line of Markdown whose kind is not clear yet.
    blocks: Blocks,
    /// Engine time at which text that reads as whole leaves, if nothing comes before.
    flush_us: u64,
    /// Origin of the held text: the first frame, or the frame that completed the sentence before.
    origin: Origin,
    /// Origin of the text taken last.
    latest: Origin,
    /// Frames taken of which nothing has left, beside those in the batch.
    taken: u32,
    batch: Batch,
    outgoing: Outgoing,
    reply: Reply,
}

impl TextCollectorState {
    /// True if this tick has done enough here; the next one goes on.
    fn is_spent(&self) -> bool {
        self.intake.is_spent(self.sentences.work())
    }

    /// Drops the part of a reply that was too long.
    fn cut_off(&mut self) {
        if !self.reply.cut {
            return;
        }
        self.intake.clear();
        self.sentences.clear();
        self.blocks.clear();
        let taken = std::mem::take(&mut self.taken);
        self.reply.lost += taken;
        if taken > 0 || std::mem::replace(&mut self.reply.halved, true) {
            self.reply.halved = true;
            return;
        }
        // The cut text is part of the last text that left: it counts once.
        self.reply.lost += 1;
        if !self.batch.give_up() {
            self.outgoing.give_up();
        }
    }
}

impl NodeKind for TextCollector {
    const NAME: &'static str = "TextCollector";
    type State = TextCollectorState;

    fn inputs(&self) -> &[Port] {
        TEXT
    }
    fn outputs(&self) -> &[Port] {
        TEXT
    }
    fn check(&self, _: Option<Format>, _: &Tick, issues: &mut Vec<Issue>) -> Option<Format> {
        // Here, because no tick has begun.
        sentences::prepare(&self.language);
        if !sentences::has_rules(&self.language) {
            let text = format!("no rules for `{}`, those of English apply", self.language);
            let help = "languages are named by ISO 639-1 code, like \"en\", \"de\", \"ja\"";
            issues.push(Issue::warning("language", text).help(help));
        }
        if let Some(ms) = self.batch_window_ms {
            if !(1.0..=2_000.0).contains(&ms) {
                issues.push(
                    Issue::error("batch_window_ms", format!("{ms} ms is out of range")).expected("1 to 2000"),
                );
            } else if !(100.0..=150.0).contains(&ms) {
                let text = format!("{ms} ms is unusual: shorter gathers little, longer is heard");
                issues.push(Issue::warning("batch_window_ms", text).expected("100 to 150"));
            }
        }
        if let Some(ms) = self.flush_after_ms
            && !(20.0..=10_000.0).contains(&ms)
        {
            let text = format!("{ms} ms is out of range");
            issues.push(Issue::error("flush_after_ms", text).expected("20 to 10000"));
        }
        if self.code_text.is_some() && self.markup == Markup::Plain {
            let text = "plain text has no code to speak of";
            issues.push(Issue::warning("code_text", text).help("leave it out, or set markup: Markdown"));
        }
        if let Some(chars) = self.first_chunk_min_chars
            && !(1..=500).contains(&chars)
        {
            let text = format!("{chars} characters are out of range");
            issues.push(Issue::error("first_chunk_min_chars", text).expected("1 to 500"));
        }
        if !(100..=10_000_000).contains(&self.reply_chars_max) {
            let text = format!("{} characters are out of range", self.reply_chars_max);
            issues.push(Issue::error("reply_chars_max", text).expected("100 to 10000000"));
        }
        None
    }
    fn capabilities(&self) -> NodeCapabilities {
        NodeCapabilities {
            parallelizable: true,
            batch_aware: true,
            avg_processing_us: 5,
            queue_capacity: 50,
            overflow_policy: OverflowPolicy::Block,
            supports_control_messages: true,
        }
    }
    fn numbers(&self) -> &[&'static str] {
        &["batch_window_ms", "flush_after_ms", "first_chunk_min_chars"]
    }
    fn max_out(&self, _: Option<Format>) -> u32 {
        OUT_MAX
    }
    fn open(&self, context: &SessionContext) -> Result<TextCollectorState, String> {
        Ok(self.state(context.session))
    }
}

impl TextCollector {
    /// Nothing gathered yet.
    fn state(&self, session: SessionId) -> TextCollectorState {
        let first_chars = self.first_chunk_min_chars.map(|chars| chars as usize);
        TextCollectorState {
            intake: Intake::default(),
            sentences: Sentences::new(self.language.as_str().into(), first_chars),
            blocks: Blocks::default(),
            flush_us: u64::MAX,
            origin: Origin::none(session),
            latest: Origin::none(session),
            taken: 0,
            batch: Batch::default(),
            outgoing: Outgoing::default(),
            reply: Reply::default(),
        }
    }
}

impl StepNode for TextCollector {
    fn step(&self, state: &mut TextCollectorState, frame: Frame, cx: &mut NodeContext<'_>, _: NodePlace) {
        let now_us = cx.now.us;
        state.intake.begin(cx.now.tick, state.sentences.work());
        if let Payload::Text(text) = &frame.payload {
            let origin = Origin::of(&frame);
            if !state.origin.is_with(&origin) {
                self.finish(state, now_us);
            }
            if state.sentences.is_empty() {
                state.origin = origin;
            }
            state.latest = origin;
            state.taken += 1;
            if !state.reply.cut {
                state.intake.put(text);
                self.read(state, now_us);
            }
        } else {
            self.finish(state, now_us);
            state.outgoing.pass(frame);
        }
        self.send(state, cx);
    }

    fn control(
        &self,
        state: &mut TextCollectorState,
        cancellation: &Cancellation,
        cx: &mut NodeContext<'_>,
        _: NodePlace,
    ) {
        let mut taken = state.outgoing.scope(cancellation);
        if state.origin.is_cancelled(cancellation) {
            state.intake.clear();
            state.sentences.clear();
            state.blocks.clear();
            state.flush_us = u64::MAX;
            state.reply = Reply::default();
            taken += std::mem::take(&mut state.taken) + state.batch.clear();
        }
        cx.cancelled(u64::from(taken));
    }

    fn ready(&self, state: &TextCollectorState, _: &Queue, _: ReadyContext<'_>) -> bool {
        state.outgoing.is_empty() && state.intake.is_empty() && !state.is_spent()
    }

    fn due_us(&self, state: &TextCollectorState) -> u64 {
        let rests = state.outgoing.is_empty() && state.intake.is_empty() && !state.is_spent();
        if rests { state.batch.due_us().min(state.flush_us) } else { 0 }
    }

    fn wake(&self, state: &mut TextCollectorState, cx: &mut NodeContext<'_>, _: NodePlace) {
        let now_us = cx.now.us;
        state.intake.begin(cx.now.tick, state.sentences.work());
        if !state.intake.is_empty() {
            self.read(state, now_us);
        }
        // While something waits to leave, so may text that came since before this node.
        if state.flush_us <= now_us && state.outgoing.is_empty() {
            state.flush_us = u64::MAX;
            let before = state.sentences.len();
            self.gather(state, now_us, Sentences::pause);
            if state.sentences.len() < before {
                // No other sentence comes either.
                state.outgoing.release(&mut state.batch, now_us);
            }
        }
        if state.batch.due_us() <= now_us {
            state.outgoing.release(&mut state.batch, now_us);
        }
        self.send(state, cx);
    }
}

impl TextCollector {
    /// Sends what may leave in one step, and counts what was cut off.
    fn send(&self, state: &mut TextCollectorState, cx: &mut NodeContext<'_>) {
        state.cut_off();
        state.outgoing.send(OUT_MAX, cx);
        let Reply { lost, turn, .. } = state.reply;
        if lost > 0 {
            state.reply.lost = 0;
            cx.too_long(u64::from(lost), turn);
        }
    }

    /// Reads on in the text that came, as far as this tick may.
    fn read(&self, state: &mut TextCollectorState, now_us: u64) {
        while state.outgoing.len() < LEAVING_MAX
            && let Some(text) = state.intake.next(state.sentences.work())
        {
            if self.markup == Markup::Plain {
                self.gather(state, now_us, |sentences, leaves| sentences.push(&text, leaves));
            } else {
                let mut blocks = std::mem::take(&mut state.blocks);
                blocks.push(&text, &mut |piece| self.piece(state, now_us, &piece));
                state.intake.costs(text.len() * (1 + blocks.held()));
                state.blocks = blocks;
            }
            state.cut_off();
        }
        // Until everything is read, no pause has begun.
        let after_us = self.flush_after_ms.filter(|_| state.intake.is_empty()).map(microseconds);
        state.flush_us = after_us.map_or(u64::MAX, |after_us| now_us.saturating_add(after_us));
    }

    /// Takes a part of a line of Markdown.
    fn piece(&self, state: &mut TextCollectorState, now_us: u64, piece: &Piece<'_>) {
        match piece {
            Piece::Text(text) => self.gather(state, now_us, |sentences, leaves| sentences.push(text, leaves)),
            Piece::End(block) => self.close(state, now_us, *block),
            Piece::Code => {
                if let Some(text) = &self.code_text {
                    self.gather(state, now_us, |sentences, leaves| sentences.push(text, leaves));
                    self.close(state, now_us, Block::Item);
                }
            }
        }
    }

    /// Closes a block: its text leaves, with a full stop if only its place makes it a sentence.
    fn close(&self, state: &mut TextCollectorState, now_us: u64, block: Block) {
        let stop = state.sentences.last().and_then(|last| block.full_stop(last));
        self.gather(state, now_us, |sentences, leaves| {
            if let Some(stop) = stop {
                sentences.stop(stop);
            }
            sentences.close(leaves);
        });
    }

    /// Ends the reply: everything held leaves.
    fn finish(&self, state: &mut TextCollectorState, now_us: u64) {
        let mut blocks = std::mem::take(&mut state.blocks);
        blocks.finish(&mut |piece| self.piece(state, now_us, &piece));
        state.blocks = blocks;
        self.gather(state, now_us, Sentences::flush);
        state.outgoing.release(&mut state.batch, now_us);
        state.cut_off();
        let Reply { lost, turn, .. } = state.reply;
        state.reply = Reply { lost, turn, ..Reply::default() };
        (state.taken, state.flush_us) = (0, u64::MAX);
    }

    /// Runs `work` on the sentences; those that leave wait in the batch, or go on at once.
    fn gather(
        &self,
        state: &mut TextCollectorState,
        now_us: u64,
        work: impl FnOnce(&mut Sentences, &mut dyn FnMut(&str)),
    ) {
        let window_us = self.batch_window_ms.map(microseconds);
        let mut is_first = self.first_chunk_min_chars.is_some() && !state.sentences.begun();
        work(&mut state.sentences, &mut |sentence| {
            let said = if self.markup == Markup::Plain { sentence.into() } else { spoken(sentence) };
            if said.is_empty() || state.reply.cut {
                return;
            }
            state.reply.chars += said.chars().count();
            if state.reply.chars > self.reply_chars_max as usize {
                (state.reply.cut, state.reply.turn) = (true, state.latest.turn());
                return;
            }
            if state.batch.has_no_room(&said) {
                state.outgoing.release(&mut state.batch, now_us);
            }
            let (began, taken) =
                (std::mem::replace(&mut state.origin, state.latest), std::mem::take(&mut state.taken));
            state.batch.add(&said, began, taken, now_us + window_us.unwrap_or(0));
            if window_us.is_none() || std::mem::take(&mut is_first) || state.batch.is_full() {
                state.outgoing.release(&mut state.batch, now_us);
            }
        });
    }
}

/// Milliseconds of a configuration in microseconds.
fn microseconds(ms: f32) -> u64 {
    (f64::from(ms) * 1_000.0).round() as u64
}

#[cfg(test)]
mod language_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod work_tests;
