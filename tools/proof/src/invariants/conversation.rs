//! Conversations hold what was heard: the user's words of each end that holds, in order, and of the answers no more than
//! had left of their sound, and no less. Reckoned anew from the log; what hosts type, say and play is not in it.

use std::collections::{BTreeMap, BTreeSet};

use mynah_engine::base::frames_to_us;
use mynah_engine::observe::SessionView;
use mynah_engine::scene::NodeRef;
use mynah_engine::session::Phase;
use mynah_engine::speech::{HISTORY_CHARS_MAX, HISTORY_ENTRIES_MAX, HistoryEntry, Speaker};
use mynah_engine::{Event, NodeId, Record, ScenePlan, SessionId};

use super::checker::{Checker, Findings, Moment, Sessions, is_line};

pub(super) const NAME: &str = "conversation";

/// By how much the share of the words heard of a stretch may exceed the share of its sound: words differ in length, and
/// pauses have none.
const SHARE_SLACK: f64 = 0.4;
/// Sound of an answer from which on some word of it must have been heard, microseconds.
const WORD_US: u64 = 2_000_000;

/// The answer to one (segment, revision).
#[derive(Debug, Default)]
struct Answer {
    turn: u32,
    /// What was sent to the voice.
    texts: Vec<String>,
    /// Sample frames made for each call, by its number.
    made: BTreeMap<u32, u64>,
    /// Some of its text may never have been spoken.
    broken: bool,
    /// All of it has left.
    ended: bool,
    /// How much was heard when it was interrupted, microseconds.
    heard_us: Option<u64>,
}

/// What the log says of one session.
#[derive(Debug, Default)]
struct Told {
    /// What recognisers said: by segment and revision, of the first of them in the scene.
    words: BTreeMap<(u32, u32), (NodeId, String)>,
    /// Ends that held, in order, with their turns; and whether the words were complete by now.
    held: Vec<((u32, u32), u32)>,
    complete: BTreeSet<(u32, u32)>,
    answers: BTreeMap<(u32, u32), Answer>,
    /// Turns of what hosts said and typed.
    lines: BTreeSet<u32>,
    /// The answer that leaves at present.
    leaves: (u32, u32),
    is_over: bool,
}

pub(super) struct Conversation {
    /// By node: whether it says what it heard.
    transcribes: Vec<bool>,
    /// By node: whether its text goes to a voice.
    prompts: Vec<bool>,
    /// By node: the rate of a voice.
    voices: Vec<Option<u32>>,
    /// Something in the scene answers, and speaks.
    remembers: bool,
    sessions: Sessions<Told>,
    /// Sessions that were closed in this tick.
    over: Vec<SessionId>,
}

impl Conversation {
    /// For a run of `plan`.
    pub(super) fn new(plan: &ScenePlan) -> Self {
        let voices: Vec<Option<u32>> = plan
            .nodes
            .iter()
            .map(|node| node.output.filter(|_| node.spec.takes_clips()).map(|format| format.rate_hz))
            .collect();
        let speaks = |node: NodeRef| match node {
            NodeRef::Node(at) => voices[usize::from(at)].is_some(),
            NodeRef::Output => false,
        };
        let prompts =
            plan.nodes.iter().map(|node| node.targets.iter().any(|target| speaks(target.node))).collect();
        Self {
            transcribes: plan.nodes.iter().map(|node| node.spec.transcribes()).collect(),
            prompts,
            remembers: plan.remembers() && voices.iter().any(Option::is_some),
            voices,
            sessions: Sessions::default(),
            over: Vec::new(),
        }
    }

    fn take(&mut self, record: &Record) {
        let is = |list: &[bool], node: NodeId| list.get(node.index()).copied().unwrap_or_default();
        let Self { transcribes, prompts, voices, sessions, over, .. } = self;
        let Some(told) = sessions.of(record) else { return };
        match record.event {
            Event::Text { node, segment, revision: revision @ 1.., ref text } if is(transcribes, node) => {
                told.hears((segment, revision), node, text);
            }
            Event::Text { node, segment, revision: revision @ 1.., ref text } if is(prompts, node) => {
                let answer = told.answers.entry((segment, revision)).or_default();
                if !text.trim().is_empty() {
                    answer.texts.push(text.to_string());
                }
            }
            Event::ServiceDone { node, segment, revision: revision @ 1.., part, samples, .. } => {
                if is(transcribes, node) {
                    told.complete.insert((segment, revision));
                } else if voices.get(node.index()).is_some_and(Option::is_some) {
                    told.answers.entry((segment, revision)).or_default().made.insert(part, samples);
                }
            }
            Event::ServiceFailed { node, segment, revision: revision @ 1.., .. } => {
                if is(transcribes, node) {
                    told.complete.insert((segment, revision));
                }
                told.answers.entry((segment, revision)).or_default().broken = true;
            }
            // It does not say whose frame it was.
            Event::FrameDropped { .. } => told.answers.values_mut().for_each(|answer| answer.broken = true),
            Event::SegmentEnded { segment, revision: revision @ 1.., split: false, .. } => {
                told.held.push(((segment, revision), record.turn));
            }
            Event::LineOpened { .. } => {
                told.lines.insert(record.turn);
            }
            Event::OutputStarted { segment, revision: revision @ 1.. } => {
                told.leaves = (segment, revision);
                told.answers.entry((segment, revision)).or_default().turn = record.turn;
            }
            Event::OutputEnded { segment, revision: revision @ 1.., .. } => {
                told.answers.entry((segment, revision)).or_default().ended = true;
            }
            Event::AnswerInterrupted { heard_us, .. } if heard_us > 0 => {
                if let Some(answer) = told.answers.get_mut(&told.leaves) {
                    answer.heard_us = Some(heard_us);
                }
            }
            Event::AnswerWithdrawn { segment } => {
                let own = told.words.keys().filter(|(of, _)| *of == segment);
                told.complete.extend(own);
            }
            Event::SessionClosed => {
                told.is_over = true;
                over.push(record.session);
            }
            _ => {}
        }
    }

    fn judge(&mut self, view: &SessionView<'_>, findings: &mut Findings) {
        let voice = self.voices.iter().flatten().next().copied().unwrap_or(1);
        let Some(told) = self.sessions.at(view.id()) else { return };
        let history = view.history();
        let reports = view.playout().reported.is_some();
        let entries = history.entries();
        let chars: usize = entries.iter().map(|entry| words_of(entry).chars().count()).sum();
        let full = entries.len() == HISTORY_ENTRIES_MAX || chars + HISTORY_CHARS_MAX / 8 > HISTORY_CHARS_MAX;
        let mut wrong = told.judge_user(entries, full, view.phase() != Phase::Gone);
        for entry in entries {
            wrong.extend(told.judge_answer(entry, voice));
        }
        if !full && !reports {
            wrong.extend(told.judge_missing(entries));
        }
        for what in wrong {
            findings.add(NAME, Some(view.id()), || what);
        }
    }
}

impl Told {
    fn hears(&mut self, origin: (u32, u32), node: NodeId, text: &str) {
        let words = self.words.entry(origin).or_insert((node, String::new()));
        if node < words.0 {
            *words = (node, String::new());
        }
        if node == words.0 {
            words.1.push_str(text);
        }
    }

    /// What the user said must be there in order, as far as it was not too long ago.
    fn judge_user(&self, entries: &[HistoryEntry], full: bool, goes_on: bool) -> Vec<String> {
        let mut want: Vec<(u32, String)> = Vec::new();
        for (origin, turn) in &self.held {
            let waits = goes_on && !self.complete.contains(origin);
            let words = self.words.get(origin).map(|(_, words)| words.trim()).filter(|_| !waits);
            want.extend(words.filter(|words| !words.is_empty()).map(|words| (*turn, words.to_string())));
        }
        let found: Vec<(u32, String)> = entries
            .iter()
            .filter_map(|entry| match entry {
                HistoryEntry::Said { by: Speaker::User, turn, text, .. } if !self.lines.contains(turn) => {
                    Some((*turn, text.to_string()))
                }
                _ => None,
            })
            .collect();
        let from = if full { want.len().saturating_sub(found.len()) } else { 0 };
        let same = |(want, found): (&(u32, String), &(u32, String))| {
            want.0 == found.0 && (want.1 == found.1 || is_cut(&found.1))
        };
        let agrees = want[from..].len() == found.len() && want[from..].iter().zip(&found).all(same);
        let tell = || format!("the user has said {:?}, remembered is {found:?}", &want[from..]);
        (!agrees).then(tell).into_iter().collect()
    }

    /// What is remembered of an answer must have been heard.
    fn judge_answer(&self, entry: &HistoryEntry, rate_hz: u32) -> Option<String> {
        let HistoryEntry::Said { by: Speaker::Assistant, turn, text, interrupted } = entry else {
            return None;
        };
        if self.lines.contains(turn) {
            return None;
        }
        let held = |origin: &(u32, u32)| self.held.iter().any(|(held, _)| held == origin);
        let own: Vec<_> =
            self.answers.iter().filter(|(o, a)| a.turn == *turn && !is_line(o.0) && held(o)).collect();
        if own.is_empty() {
            return Some(format!("{text:?} is remembered of turn {turn}, in which nothing was answered"));
        }
        if is_cut(text) {
            return None;
        }
        let wrongs: Vec<String> =
            own.iter().filter_map(|(_, answer)| answer.judge(text, *interrupted, rate_hz)).collect();
        (wrongs.len() == own.len()).then(|| wrongs.join("; "))
    }

    /// What was heard must be remembered.
    fn judge_missing(&self, entries: &[HistoryEntry]) -> Vec<String> {
        let known: BTreeSet<u32> = entries
            .iter()
            .filter(|entry| matches!(entry, HistoryEntry::Said { by: Speaker::Assistant, .. }))
            .map(HistoryEntry::turn)
            .collect();
        let held = |origin: &(u32, u32)| self.held.iter().any(|(held, _)| held == origin);
        let heard = self.answers.iter().filter(|(origin, answer)| {
            let long = answer.heard_us.is_some_and(|us| us > WORD_US) || (answer.ended && self.is_over);
            long && !answer.broken && !answer.texts.is_empty() && held(origin)
        });
        let missing = heard.filter(|(_, answer)| !known.contains(&answer.turn));
        missing
            .map(|(origin, _)| format!("the answer to {origin:?} was heard and is not remembered"))
            .collect()
    }
}

impl Answer {
    /// What is wrong with `text` as what was heard of this answer.
    fn judge(&self, text: &str, interrupted: bool, rate_hz: u32) -> Option<String> {
        if self.texts.is_empty() {
            // A node in between has sent it on, and says nothing of it.
            return None;
        }
        let all = self.texts.join(" ");
        let (all, heard): (Vec<&str>, Vec<&str>) =
            (all.split_whitespace().collect(), text.split_whitespace().collect());
        if self.broken {
            let mut rest = all.iter();
            let follows = heard.iter().all(|word| rest.any(|other| other == word));
            return (!follows).then(|| format!("{text:?} is not of {all:?}"));
        }
        if !all.starts_with(&heard) {
            return Some(format!("{text:?} is not how {all:?} begins"));
        }
        if !interrupted && (heard.len() < all.len() || !self.ended) {
            return Some(format!("{text:?} is remembered as the whole of {all:?}, ended: {}", self.ended));
        }
        let us = self.heard_us.filter(|_| !self.ended)?;
        self.too_much(us, text.split_whitespace().map(|word| word.chars().count() + 1).sum(), rate_hz)
    }

    /// Whether `chars` are more than can have been heard in `us`: as far as all calls are known that were under way.
    fn too_much(&self, us: u64, chars: usize, rate_hz: u32) -> Option<String> {
        let (mut began_us, mut before) = (0, 0);
        let starts: Vec<u32> = self.made.keys().copied().collect();
        for (at, (part, samples)) in self.made.iter().enumerate() {
            let next = starts.get(at + 1).copied().unwrap_or(self.texts.len() as u32);
            // The last call known may have more behind it that is not known to be merged.
            if at + 1 == starts.len() && next > part + 1 {
                return None;
            }
            let texts = self.texts.get(*part as usize..next as usize)?;
            let length: usize = texts
                .iter()
                .flat_map(|text| text.split_whitespace())
                .map(|word| word.chars().count() + 1)
                .sum();
            let sound_us = frames_to_us(*samples, rate_hz);
            if us < began_us + sound_us {
                let heard = chars.saturating_sub(before) as f64 / length.max(1) as f64;
                let sounded = us.saturating_sub(began_us) as f64 / sound_us.max(1) as f64;
                let more = heard > sounded + SHARE_SLACK;
                return more
                    .then(|| format!("{heard:.2} of the words at {sounded:.2} of the sound of call {part}"));
            }
            (began_us, before) = (began_us + sound_us, before + length);
        }
        None
    }
}

/// Whether a text was too long to be remembered as a whole.
fn is_cut(text: &str) -> bool {
    text.ends_with('…')
}

fn words_of(entry: &HistoryEntry) -> &str {
    match entry {
        HistoryEntry::Said { text, .. } => text,
        HistoryEntry::ToolCall { arguments, .. } => arguments,
        HistoryEntry::ToolResult { result, .. } => result,
    }
}

impl Checker for Conversation {
    fn record(&mut self, record: &Record, _: &mut Findings) {
        if self.remembers {
            self.take(record);
        }
    }

    fn tick(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        if self.over.is_empty() {
            return;
        }
        let over = std::mem::take(&mut self.over);
        for view in moment.engine.sessions().filter(|view| over.contains(&view.id())) {
            self.judge(&view, findings);
        }
    }

    fn finish(&mut self, moment: &Moment<'_>, findings: &mut Findings) {
        let live = moment.engine.sessions().filter(|view| view.phase() != Phase::Gone);
        for view in live.filter(|_| self.remembers).collect::<Vec<_>>() {
            self.judge(&view, findings);
        }
    }
}
