//! The weights of Moonshine tiny-en: a file of named tensors, packed as the products need them.
//!
//! The file: a count, then for each tensor the length of its name, its type (0: `f32`, 1: bytes), the number of its
//! elements, all `u32`, its name and its data, little-endian. A matrix of bytes `[rows][depth]` has the tensor `NAME.q`,
//! scale and zero, beside it. Weights of 27 million parameters stay bytes in memory.
//!
//! Model and weights: Moonshine, Useful Sensors, 2024; MIT.

use std::collections::BTreeMap;
use std::fmt;

use super::product::{ByteRow, PAIR, Panels};
use crate::vad::product::{PANEL, Row};

/// Numbers of a frame, all through the model.
pub(super) const WIDTH: usize = 288;
/// Channels between the second and the third convolution.
pub(super) const BETWEEN: usize = 576;
/// Inner numbers of a layer's last part.
pub(super) const INNER: usize = 1_152;
/// Layers of the encoder, and of the decoder.
pub(super) const LAYERS: usize = 6;
/// Words and pieces of words that the model knows.
pub(super) const TOKENS: usize = 32_768;
/// Samples and step of the first convolution, taps and steps of the second and third.
pub(super) const FIRST: (usize, usize) = (127, 64);
pub(super) const SECOND: (usize, usize) = (7, 3);
pub(super) const THIRD: (usize, usize) = (3, 2);

/// What is wrong with a file of weights or tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelError {
    /// It ends in the middle of something.
    Ends {
        /// Where, in bytes from its beginning.
        at: usize,
    },
    /// A tensor is missing, or has another size or type.
    Tensor {
        /// Its name.
        name: String,
        /// Elements that the model has there.
        wanted: usize,
        /// Elements of this type that the file has; `None`: it has no such tensor.
        found: Option<usize>,
    },
    /// The list of tokens has another length.
    Tokens {
        /// How many it has.
        found: usize,
    },
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ends { at } => write!(f, "the file ends in the middle of something, at byte {at}"),
            Self::Tensor { name, wanted, found: None } => {
                write!(f, "the file has no tensor `{name}` of {wanted} elements")
            }
            Self::Tensor { name, wanted, found: Some(found) } => {
                write!(f, "the tensor `{name}` has {found} elements; the model has {wanted}")
            }
            Self::Tokens { found } => write!(f, "the file has {found} tokens; the model has {TOKENS}"),
        }
    }
}

impl std::error::Error for ModelError {}

/// A matrix in panels.
#[derive(Debug)]
pub(super) struct Matrix {
    pub(super) rows: usize,
    pub(super) depth: usize,
    pub(super) bias: Vec<f32>,
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    Floats(Vec<Row>),
    Bytes { rows: Vec<ByteRow>, zero: f32, scale: f32 },
}

impl Matrix {
    pub(super) fn panels(&self) -> Panels<'_> {
        match &self.kept {
            Kept::Floats(rows) => Panels::Floats(rows),
            Kept::Bytes { rows, zero, scale } => Panels::Bytes { rows, zero: *zero, scale: *scale },
        }
    }
}

/// A table of rows of bytes, read row by row.
#[derive(Debug)]
pub(super) struct Table {
    bytes: Vec<u8>,
    zero: f32,
    scale: f32,
}

impl Table {
    /// Row number `at` as numbers.
    pub(super) fn row(&self, at: usize) -> impl Iterator<Item = f32> + '_ {
        let bytes = &self.bytes[at * WIDTH..][..WIDTH];
        bytes.iter().map(|byte| (f32::from(*byte) - self.zero) * self.scale)
    }
}

/// Queries, keys, values and what is made of the sum of values.
#[derive(Debug)]
pub(super) struct Attention {
    pub(super) query: Matrix,
    pub(super) key: Matrix,
    pub(super) value: Matrix,
    pub(super) out: Matrix,
}

#[derive(Debug)]
pub(super) struct EncoderLayer {
    pub(super) before: Vec<f32>,
    pub(super) attention: Attention,
    pub(super) after: Vec<f32>,
    pub(super) widen: Matrix,
    pub(super) narrow: Matrix,
}

#[derive(Debug)]
pub(super) struct DecoderLayer {
    pub(super) before: Vec<f32>,
    pub(super) own: Attention,
    pub(super) between: Vec<f32>,
    pub(super) heard: Attention,
    pub(super) after: Vec<f32>,
    pub(super) widen: Matrix,
    pub(super) narrow: Matrix,
}

/// All weights.
#[derive(Debug)]
pub(super) struct Weights {
    pub(super) first: Matrix,
    /// Weights and shifts of the norm behind the first convolution.
    pub(super) group: (Vec<f32>, Vec<f32>),
    pub(super) second: Matrix,
    pub(super) third: Matrix,
    pub(super) encoder: Vec<EncoderLayer>,
    pub(super) encoded: Vec<f32>,
    pub(super) decoder: Vec<DecoderLayer>,
    pub(super) decoded: Vec<f32>,
    pub(super) embedding: Table,
    pub(super) logits: Matrix,
}

impl Weights {
    /// Reads a file of weights.
    pub(super) fn read(file: &[u8]) -> Result<Self, ModelError> {
        let tensors = Tensors::read(file)?;
        let conv = |name: &str, outputs: usize, inputs: usize, taps: usize| {
            tensors.convolution(&format!("enc.{name}"), outputs, inputs, taps)
        };
        Ok(Self {
            first: conv("conv1", WIDTH, 1, FIRST.0)?,
            group: (tensors.floats("enc.gn.w", WIDTH)?, tensors.floats("enc.gn.b", WIDTH)?),
            second: conv("conv2", BETWEEN, WIDTH, SECOND.0)?,
            third: conv("conv3", WIDTH, BETWEEN, THIRD.0)?,
            encoder: (0..LAYERS).map(|layer| tensors.encoder_layer(layer)).collect::<Result<_, _>>()?,
            encoded: tensors.floats("enc.layer_norm.weight", WIDTH)?,
            decoder: (0..LAYERS).map(|layer| tensors.decoder_layer(layer)).collect::<Result<_, _>>()?,
            decoded: tensors.floats("dec.norm.weight", WIDTH)?,
            embedding: tensors.table("dec.embed", TOKENS)?,
            logits: tensors.matrix("dec.proj_out", TOKENS, WIDTH)?,
        })
    }
}

/// The tensors of a file by name: bytes, or the bytes of `f32`.
struct Tensors<'a> {
    named: BTreeMap<&'a [u8], (Type, &'a [u8])>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Float,
    Byte,
}

impl<'a> Tensors<'a> {
    fn read(file: &'a [u8]) -> Result<Self, ModelError> {
        let mut rest = file;
        let mut take = |count: usize| {
            let at = file.len() - rest.len();
            rest.split_off(..count).ok_or(ModelError::Ends { at })
        };
        let number = |take: &mut dyn FnMut(usize) -> Result<&'a [u8], ModelError>| {
            take(4).map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]) as usize)
        };
        let count = number(&mut take)?;
        let mut named = BTreeMap::new();
        for _ in 0..count {
            let (length, kind, elements) = (number(&mut take)?, number(&mut take)?, number(&mut take)?);
            let name = take(length)?;
            let (kind, size) = if kind == 0 { (Type::Float, 4) } else { (Type::Byte, 1) };
            named.insert(name, (kind, take(elements.saturating_mul(size))?));
        }
        Ok(Self { named })
    }

    fn get(&self, name: &str, kind: Type, wanted: usize) -> Result<&'a [u8], ModelError> {
        let data = self.named.get(name.as_bytes()).filter(|(found, _)| *found == kind).map(|(_, data)| *data);
        let size = if kind == Type::Float { 4 } else { 1 };
        let found = data.map(|data| data.len() / size);
        data.filter(|_| found == Some(wanted)).ok_or(ModelError::Tensor { name: name.into(), wanted, found })
    }

    fn floats(&self, name: &str, wanted: usize) -> Result<Vec<f32>, ModelError> {
        let data = self.get(name, Type::Float, wanted)?;
        Ok(data.as_chunks::<4>().0.iter().map(|&four| f32::from_le_bytes(four)).collect())
    }

    /// Scale and zero of a matrix of bytes.
    fn scale(&self, name: &str) -> Result<(f32, f32), ModelError> {
        let pair = self.floats(&format!("{name}.q"), 2)?;
        Ok((pair[0], pair[1]))
    }

    fn table(&self, name: &str, rows: usize) -> Result<Table, ModelError> {
        let (scale, zero) = self.scale(name)?;
        Ok(Table { bytes: self.get(name, Type::Byte, rows * WIDTH)?.to_vec(), zero, scale })
    }

    fn matrix(&self, name: &str, rows: usize, depth: usize) -> Result<Matrix, ModelError> {
        let (scale, zero) = self.scale(name)?;
        let data = self.get(name, Type::Byte, rows * depth)?;
        // Less 128: the bit on top turned over.
        let weight = |row: usize, k: usize| (data[row * depth + k] ^ 128).cast_signed();
        let kept = Kept::Bytes { rows: packed::<_, PAIR>(rows, depth, weight), zero, scale };
        Ok(Matrix { rows, depth, bias: Vec::new(), kept })
    }

    fn matrix_with_bias(&self, name: &str, rows: usize, depth: usize) -> Result<Matrix, ModelError> {
        let bias = self.floats(&format!("{name}.bias"), rows)?;
        Ok(Matrix { bias, ..self.matrix(name, rows, depth)? })
    }

    /// The weights `[outputs][inputs][taps]` of a convolution as a matrix over `taps` frames of `inputs` numbers.
    fn convolution(
        &self,
        name: &str,
        outputs: usize,
        inputs: usize,
        taps: usize,
    ) -> Result<Matrix, ModelError> {
        let depth = inputs * taps;
        let data = self.floats(&format!("{name}.weight"), outputs * depth)?;
        let weight = |row: usize, k: usize| data[row * depth + (k % inputs) * taps + k / inputs];
        let rows = packed::<_, PANEL>(outputs, depth, weight).into_iter().map(Row).collect();
        // The first one has none.
        let bias = if inputs == 1 { Vec::new() } else { self.floats(&format!("{name}.bias"), outputs)? };
        Ok(Matrix { rows: outputs, depth, bias, kept: Kept::Floats(rows) })
    }

    fn attention(&self, name: &str) -> Result<Attention, ModelError> {
        let part = |letter: char| self.matrix(&format!("{name}.{letter}_proj"), WIDTH, WIDTH);
        Ok(Attention { query: part('q')?, key: part('k')?, value: part('v')?, out: part('o')? })
    }

    fn encoder_layer(&self, layer: usize) -> Result<EncoderLayer, ModelError> {
        let name = |part: &str| format!("enc.layers.{layer}.{part}");
        Ok(EncoderLayer {
            before: self.floats(&name("input_layernorm.weight"), WIDTH)?,
            attention: self.attention(&name("self_attn"))?,
            after: self.floats(&name("post_attention_layernorm.weight"), WIDTH)?,
            widen: self.matrix_with_bias(&name("mlp.fc1"), INNER, WIDTH)?,
            narrow: self.matrix_with_bias(&name("mlp.fc2"), WIDTH, INNER)?,
        })
    }

    fn decoder_layer(&self, layer: usize) -> Result<DecoderLayer, ModelError> {
        let name = |part: &str| format!("dec.layers.{layer}.{part}");
        Ok(DecoderLayer {
            before: self.floats(&name("input_layernorm.weight"), WIDTH)?,
            own: self.attention(&name("self_attn"))?,
            between: self.floats(&name("post_attention_layernorm.weight"), WIDTH)?,
            heard: self.attention(&name("encoder_attn"))?,
            after: self.floats(&name("final_layernorm.weight"), WIDTH)?,
            widen: self.matrix_with_bias(&name("mlp.fc1"), 2 * INNER, WIDTH)?,
            narrow: self.matrix_with_bias(&name("mlp.fc2"), WIDTH, INNER)?,
        })
    }
}

/// A matrix as panels `[panel][depth]` of `N` rows.
fn packed<T: Copy + Default, const N: usize>(
    rows: usize,
    depth: usize,
    of: impl Fn(usize, usize) -> T,
) -> Vec<[T; N]> {
    let mut panels = vec![[T::default(); N]; rows.div_ceil(N) * depth];
    for row in 0..rows {
        for k in 0..depth {
            panels[row / N * depth + k][row % N] = of(row, k);
        }
    }
    panels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(tensors: &[(&str, u32, &[u8])]) -> Vec<u8> {
        let mut file = (tensors.len() as u32).to_le_bytes().to_vec();
        for (name, kind, data) in tensors {
            let elements = if *kind == 0 { data.len() / 4 } else { data.len() };
            for number in [name.len() as u32, *kind, elements as u32] {
                file.extend(number.to_le_bytes());
            }
            file.extend(name.as_bytes());
            file.extend(*data);
        }
        file
    }

    #[test]
    fn a_file_that_is_no_model_says_where_it_is_not() {
        let error = |file: &[u8]| Weights::read(file).expect_err("it is no model").to_string();
        assert_eq!(error(&[]), "the file ends in the middle of something, at byte 0");
        // Whatever the file says of its own sizes.
        assert_eq!(error(&[255; 64]), "the file ends in the middle of something, at byte 16");
        assert_eq!(error(&file(&[])), "the file has no tensor `enc.conv1.weight` of 36576 elements");
        let short = file(&[("enc.conv1.weight", 0, &[0; 8])]);
        assert_eq!(error(&short), "the tensor `enc.conv1.weight` has 2 elements; the model has 36576");
        let bytes = file(&[("enc.conv1.weight", 1, &[0; 36_576])]);
        assert_eq!(error(&bytes), "the file has no tensor `enc.conv1.weight` of 36576 elements");
    }
}
