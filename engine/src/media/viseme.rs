//! Shapes of the mouth.

/// A shape of the mouth while a phone sounds: the fifteen that MPEG-4 names (ISO/IEC 14496-2, table of visemes) and that
/// most animated faces have blend shapes for, often as `viseme_sil`, `viseme_PP` and so on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Viseme {
    /// Nothing is said: `sil`.
    #[default]
    Rest = 0,
    /// p, b, m: lips closed.
    PP = 1,
    /// f, v: teeth on the lower lip.
    FF = 2,
    /// th: the tongue between the teeth.
    TH = 3,
    /// t, d.
    DD = 4,
    /// k, g.
    KK = 5,
    /// ch, j, sh.
    CH = 6,
    /// s, z.
    SS = 7,
    /// n, l.
    NN = 8,
    /// r.
    RR = 9,
    /// The vowel of "father".
    AA = 10,
    /// The vowel of "bed".
    E = 11,
    /// The vowel of "sit".
    I = 12,
    /// The vowel of "law".
    O = 13,
    /// The vowel of "boot".
    U = 14,
}

impl Viseme {
    /// All of them, by number.
    pub const ALL: [Self; 15] = [
        Self::Rest,
        Self::PP,
        Self::FF,
        Self::TH,
        Self::DD,
        Self::KK,
        Self::CH,
        Self::SS,
        Self::NN,
        Self::RR,
        Self::AA,
        Self::E,
        Self::I,
        Self::O,
        Self::U,
    ];

    /// The shape of a phone of ARPAbet, in small or capital letters, with or without a mark of stress; `None`: there is no
    /// such phone. Of a diphthong it is the shape in which the mouth opens.
    pub fn of_arpabet(phone: &str) -> Option<Self> {
        let bare = phone.trim_end_matches(|c: char| c.is_ascii_digit());
        let mut name = [0; 3];
        let name = name.get_mut(..bare.len())?;
        name.copy_from_slice(bare.as_bytes());
        name.make_ascii_lowercase();
        Some(match &*name {
            b"pau" | b"sil" => Self::Rest,
            b"p" | b"b" | b"m" | b"em" => Self::PP,
            b"f" | b"v" => Self::FF,
            b"th" | b"dh" => Self::TH,
            b"t" | b"d" | b"dx" => Self::DD,
            b"k" | b"g" | b"ng" | b"hh" | b"hv" => Self::KK,
            b"ch" | b"jh" | b"sh" | b"zh" => Self::CH,
            b"s" | b"z" => Self::SS,
            b"n" | b"l" | b"en" | b"el" | b"nx" => Self::NN,
            b"r" | b"er" | b"axr" => Self::RR,
            b"aa" | b"ae" | b"ah" | b"ax" | b"ay" | b"aw" => Self::AA,
            b"eh" | b"ey" => Self::E,
            b"ih" | b"iy" | b"ix" | b"y" => Self::I,
            b"ao" | b"ow" | b"oy" => Self::O,
            b"uh" | b"uw" | b"w" => Self::U,
            _ => return None,
        })
    }

    /// The name that blend shapes have for it, such as `PP`; `sil` at rest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rest => "sil",
            Self::PP => "PP",
            Self::FF => "FF",
            Self::TH => "TH",
            Self::DD => "DD",
            Self::KK => "kk",
            Self::CH => "CH",
            Self::SS => "SS",
            Self::NN => "nn",
            Self::RR => "RR",
            Self::AA => "aa",
            Self::E => "E",
            Self::I => "I",
            Self::O => "O",
            Self::U => "U",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_found_by_phone_and_numbered_in_order() {
        assert_eq!(Viseme::of_arpabet("b"), Some(Viseme::PP));
        assert_eq!(Viseme::of_arpabet("AH0"), Some(Viseme::AA));
        assert_eq!(Viseme::of_arpabet("axr"), Some(Viseme::RR));
        for unknown in ["", "0", "q9x", "schwa", "\u{e4}"] {
            assert_eq!(Viseme::of_arpabet(unknown), None, "{unknown:?}");
        }
        for (number, viseme) in (0..).zip(Viseme::ALL) {
            assert_eq!(viseme as u8, number, "{}", viseme.name());
        }
    }
}
