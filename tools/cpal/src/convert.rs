//! From a device's samples to a session's and back, a piece at a time on the stack.

/// Samples converted at a time.
pub(crate) const PIECE: usize = 1_024;

/// Gives interleaved frames of `from` channels with `to` channels. One goes to all; all become one by their mean;
/// otherwise the first ones stay what they are, and others are silent.
pub(crate) fn rechannel(source: &[f32], from: usize, target: &mut [f32], to: usize) {
    for (given, made) in source.chunks_exact(from).zip(target.chunks_exact_mut(to)) {
        match (given, made) {
            ([one], made) => made.fill(*one),
            (given, [one]) => *one = given.iter().sum::<f32>() / given.len() as f32,
            (given, made) => {
                let both = given.len().min(made.len());
                made[..both].copy_from_slice(&given[..both]);
                made[both..].fill(0.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_become_others() {
        let rows: [(&[f32], usize, &[f32], usize); 5] = [
            (&[0.5, -0.5], 1, &[0.5, 0.5, -0.5, -0.5], 2),
            (&[1.0, 0.0, 0.5, 0.25], 2, &[0.5, 0.375], 1),
            (&[0.1, 0.2, 0.3, 0.4], 2, &[0.1, 0.2, 0.3, 0.4], 2),
            (&[0.1, 0.2, 0.3, 0.4], 4, &[0.1, 0.2], 2),
            (&[0.1, 0.2], 2, &[0.1, 0.2, 0.0], 3),
        ];
        for (source, from, wanted, to) in rows {
            let mut made = vec![9.0; wanted.len()];
            rechannel(source, from, &mut made, to);
            assert_eq!(made, wanted, "{from} to {to}");
        }
    }
}
