//! Attention: each head's queries against panels of its keys, and its values weighed by what comes of that.

use std::ops::Range;

use super::pointwise::Pointwise;
use super::product::{PAIR, Panels, Product};
use super::rotary::{HEAD, HEADS};
use super::weights::{Matrix, WIDTH};
use crate::vad::product::{PANEL, Row};

/// Panels of a head's values.
const VALUE_PANELS: usize = HEAD.div_ceil(PANEL);
/// Scores are divided by the root of a head's numbers.
const SCALE: f32 = 1.0 / 6.0;
const NOTHING: Row = Row([0.0; PANEL]);

/// Products, and the room that they need.
#[derive(Debug, Default)]
pub(super) struct Products {
    shifts: Vec<f32>,
}

impl Products {
    /// `columns` columns that lie one after the other, times `matrix`.
    pub(super) fn apply(&mut self, matrix: &Matrix, columns: usize, input: &[f32], output: &mut [f32]) {
        self.windows(matrix, columns, matrix.depth, input, output);
    }

    /// The same for columns that begin `apart` inputs from one another.
    pub(super) fn windows(
        &mut self,
        matrix: &Matrix,
        columns: usize,
        apart: usize,
        input: &[f32],
        output: &mut [f32],
    ) {
        let &Matrix { rows, depth, ref bias, .. } = matrix;
        let Self { shifts } = self;
        let panels = matrix.panels();
        let (reach, width) = (depth, rows);
        Product { panels, rows, depth, reach, bias, input, apart, columns, output, width, shifts }.run();
    }

    /// Some rows of a matrix of bytes without a bias; the first one begins a pair of panels.
    pub(super) fn apply_some(
        &mut self,
        matrix: &Matrix,
        some: Range<usize>,
        columns: usize,
        input: &[f32],
        output: &mut [f32],
    ) {
        let &Matrix { depth, .. } = matrix;
        let Self { shifts } = self;
        debug_assert!(some.start.is_multiple_of(PAIR), "in the middle of a pair");
        let (panels, rows) = (matrix.panels().starting_at(some.start / PAIR * depth), some.len());
        let (reach, apart, width) = (depth, depth, rows);
        Product { panels, rows, depth, reach, bias: &[], input, apart, columns, output, width, shifts }.run();
    }
}

/// Keys and values of all heads for up to `room` frames.
#[derive(Debug, Default)]
pub(super) struct Memory {
    room: usize,
    /// Frames that are there.
    pub(super) count: usize,
    /// `[head][panel of frames][number]`.
    keys: Vec<Row>,
    /// `[head][panel of numbers][frame]`.
    values: Vec<Row>,
}

impl Memory {
    /// Forgets all frames, and makes room for `room`.
    pub(super) fn clear(&mut self, room: usize) {
        (self.room, self.count) = (room, 0);
        let refill = |rows: &mut Vec<Row>, count: usize| {
            rows.clear();
            rows.resize(count, NOTHING);
        };
        refill(&mut self.keys, HEADS * room.div_ceil(PANEL) * HEAD);
        refill(&mut self.values, HEADS * VALUE_PANELS * room);
    }

    /// Adds a frame.
    pub(super) fn push(&mut self, key: &[f32], value: &[f32]) {
        let (at, panels) = (self.count, self.room.div_ceil(PANEL));
        for head in 0..HEADS {
            let keys = &mut self.keys[(head * panels + at / PANEL) * HEAD..][..HEAD];
            for (row, number) in keys.iter_mut().zip(&key[head * HEAD..]) {
                row.0[at % PANEL] = *number;
            }
            for (n, number) in value[head * HEAD..][..HEAD].iter().enumerate() {
                let panel = head * VALUE_PANELS + n / PANEL;
                self.values[panel * self.room + at].0[n % PANEL] = *number;
            }
        }
        self.count += 1;
    }

    /// What `queries` (one frame after the other) get from the frames that are there, into `output`.
    pub(super) fn attend(
        &self,
        products: &mut Products,
        queries: &[f32],
        scores: &mut Vec<f32>,
        output: &mut [f32],
    ) {
        let Self { room, count, .. } = *self;
        let (columns, panels) = (queries.len() / WIDTH, room.div_ceil(PANEL));
        let width = count.next_multiple_of(PANEL);
        if scores.len() < columns * width {
            scores.resize(columns * width, 0.0);
        }
        let scores = &mut scores[..columns * width];
        for head in 0..HEADS {
            let keys = &self.keys[head * panels * HEAD..][..panels * HEAD];
            Product {
                panels: Panels::Floats(keys),
                rows: count,
                depth: HEAD,
                reach: HEAD,
                bias: &[],
                input: &queries[head * HEAD..],
                apart: WIDTH,
                columns,
                output: scores,
                width,
                shifts: &mut products.shifts,
            }
            .run();
            Pointwise::Softmax { rows: scores, width, count, scale: SCALE }.run();
            let values = &self.values[head * VALUE_PANELS * room..][..VALUE_PANELS * room];
            Product {
                panels: Panels::Floats(values),
                rows: HEAD,
                depth: count,
                reach: room,
                bias: &[],
                input: scores,
                apart: width,
                columns,
                output: &mut output[head * HEAD..],
                width: WIDTH,
                shifts: &mut products.shifts,
            }
            .run();
        }
    }
}
