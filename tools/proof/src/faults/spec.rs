//! The faults that a run may have: a preset, or a file.

use std::collections::BTreeMap;
use std::path::Path;

use mynah_engine::scene::{Diagnostic, Diagnostics, Reading, Source, nearest};
use serde::{Deserialize, Serialize};

use super::site::{Group, ROWS, Site, Span, Unit};
use mynah_files::failure::Failure;
use mynah_files::terminal;
use mynah_files::text;

/// The presets, with what they are.
pub const PRESETS: [(&str, &str); 4] = [
    ("chaos", "every site, each in half of the runs"),
    ("network", "the way of the audio to the engine, and the audio itself"),
    ("services", "slow, failing, hanging and crashing services"),
    ("churn", "callers who come and go, hosts that read late or vanish"),
];

/// Share of the runs in which a site of a preset is on.
const ON: f64 = 0.5;
/// Share of the duration after which a preset's faults are over.
const HEAL_RATIO: f64 = 2.0 / 3.0;
/// Largest file of faults, bytes.
const BYTES_MAX: u64 = 1 << 16;

/// How the delays of packets are distributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Shape {
    /// All the same.
    Constant,
    /// Gamma with shape 2: some much longer than most.
    Gamma,
    /// Nine of ten quick, the others slow: two ways through the network.
    Bimodal,
}

/// What a file says about one site; what it leaves out is drawn as in `chaos`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SiteSpec {
    /// Share of the runs in which it is on, 0 to 1.
    #[serde(deserialize_with = "ratio")]
    pub on: Option<f64>,
    /// From where its share is drawn.
    pub ratio: Option<Span>,
    /// From where its amount is drawn, by its unit.
    pub ms: Option<Span>,
    /// See `ms`.
    pub ppm: Option<Span>,
    /// See `ms`.
    pub factor: Option<Span>,
    /// See `ms`.
    pub frames: Option<Span>,
    /// See `ms`.
    pub packets: Option<Span>,
    /// See `ms`.
    pub characters: Option<Span>,
    /// Of `delay` only; drawn where it is left out.
    pub shape: Option<Shape>,
}

fn ratio<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    use serde::de::{Error, Unexpected};
    let value = f64::deserialize(deserializer)?;
    if (0.0..=1.0).contains(&value) {
        Ok(Some(value))
    } else {
        Err(D::Error::invalid_value(Unexpected::Float(value), &"a share of the runs, 0 to 1"))
    }
}

impl SiteSpec {
    /// The amounts that are given, with their units.
    fn amounts(&self) -> impl Iterator<Item = (Unit, Span)> {
        let given = [
            (Unit::Ms, self.ms),
            (Unit::Ppm, self.ppm),
            (Unit::Factor, self.factor),
            (Unit::Frames, self.frames),
            (Unit::Packets, self.packets),
            (Unit::Characters, self.characters),
        ];
        given.into_iter().filter_map(|(unit, span)| Some((unit, span?)))
    }

    /// From where the amount is drawn, if the site says so.
    pub fn amount(&self, unit: Unit) -> Option<Span> {
        self.amounts().find(|(given, _)| *given == unit).map(|(_, span)| span)
    }
}

/// Which faults a run may have.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultSpec {
    /// The preset, or the file.
    pub name: String,
    /// After this share of the duration all faults are over, 0 to 1.
    pub heal_ratio: f64,
    /// The sites that may be on.
    pub sites: BTreeMap<Site, SiteSpec>,
}

/// A file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Faults {
    /// For readers of the file.
    #[serde(default)]
    #[expect(dead_code, reason = "whoever opens the file reads it, the program does not")]
    description: String,
    #[serde(default = "heal_ratio")]
    heal_ratio: f64,
    sites: BTreeMap<String, SiteSpec>,
}

fn heal_ratio() -> f64 {
    HEAL_RATIO
}

impl FaultSpec {
    /// No faults at all: the same loop without any.
    pub fn none() -> Self {
        Self { name: "none".into(), heal_ratio: HEAL_RATIO, sites: BTreeMap::new() }
    }

    /// A preset by its name.
    pub fn preset(name: &str) -> Option<Self> {
        let within: &[Group] = match name {
            "chaos" => {
                &[Group::Network, Group::Sender, Group::Churn, Group::Services, Group::Control, Group::Engine]
            }
            "network" => &[Group::Network, Group::Sender],
            "services" => &[Group::Services],
            "churn" => &[Group::Churn],
            _ => return None,
        };
        let on = SiteSpec { on: Some(ON), ..SiteSpec::default() };
        let rows = ROWS.iter().filter(|row| within.contains(&row.group));
        let sites = rows.map(|row| (row.site, on.clone())).collect();
        Some(Self { name: name.into(), heal_ratio: HEAL_RATIO, sites })
    }

    /// One site, on in every run, drawn as in `chaos`.
    pub fn only(site: Site) -> Self {
        let sites = BTreeMap::from([(site, SiteSpec { on: Some(1.0), ..SiteSpec::default() })]);
        Self { name: format!("{site} alone"), heal_ratio: HEAL_RATIO, sites }
    }

    /// A preset, or a file.
    ///
    /// # Errors
    /// There is neither of that name (exit code 2), or the file has errors (1).
    pub fn find(name: &str) -> Result<Self, Failure> {
        let path = Path::new(name);
        if !path.is_file() {
            return Self::preset(name).ok_or_else(|| Failure::unable(unknown(name)));
        }
        let unreadable = |error: std::io::Error| {
            Failure::unable(format_args!("{name}: {error}; expected a file of faults: check its permissions"))
        };
        let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
        if bytes > BYTES_MAX {
            let text = format!(
                "{name}: {bytes} bytes; expected a file of faults of at most {BYTES_MAX}: is it another file?"
            );
            return Err(Failure::unable(text));
        }
        let text = text::decode(std::fs::read(path).map_err(unreadable)?).map_err(|error| {
            Failure::refused(format!("error: {name}: {error}; expected RON, which is text"))
        })?;
        Self::parse(&Source::new(name, text))
            .map_err(|found| Failure::refused(found.render(terminal::stderr_look())))
    }

    /// What a log says of these faults, so that they can be read from it: a preset's name, or the text of a file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn text(name: &str) -> Result<String, Failure> {
        let path = Path::new(name);
        if !path.is_file() {
            return Ok(name.to_string());
        }
        text::read(path).map_err(|error| Failure::unable(format_args!("{name}: {error}")))
    }

    /// What a log says, read again.
    ///
    /// # Errors
    /// See [`Self::parse`].
    pub fn from_text(text: &str) -> Result<Self, Diagnostics> {
        Self::preset(text).map_or_else(|| Self::parse(&Source::new("faults", text)), Ok)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// All that is wrong with it, or the first thing that is no RON.
    pub fn parse(source: &Source) -> Result<Self, Diagnostics> {
        let read = Reading::<Faults>::new(source)?;
        let mut found = Vec::new();
        if !(0.0..=1.0).contains(&read.value.heal_ratio) {
            let title = format!("`heal_ratio`: {} is out of range", read.value.heal_ratio);
            found.push(read.error(&["heal_ratio"], title, "expected a share of the duration, 0 to 1"));
        }
        let mut sites = BTreeMap::new();
        for (name, spec) in &read.value.sites {
            match Site::named(name) {
                Some(site) => {
                    check(&read, site, spec, &mut found);
                    sites.insert(site, spec.clone());
                }
                None => {
                    let names: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
                    let help = match nearest(name, names.iter().copied()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("the sites are {}", names.join(", ")),
                    };
                    let title = format!("there is no site `{name}`");
                    found.push(read.error(&["sites", name], title, "unknown site").help(help));
                }
            }
        }
        if found.is_empty() {
            Ok(Self { name: source.name.to_string(), heal_ratio: read.value.heal_ratio, sites })
        } else {
            Err(Diagnostics(found))
        }
    }
}

fn unknown(name: &str) -> String {
    let what =
        if Path::new(name).exists() { "a folder, a pipe or a device" } else { "no such file or preset" };
    let presets = PRESETS.map(|(name, _)| name);
    let all = presets.map(|name| format!("`{name}`")).join(", ");
    match nearest(name, presets) {
        Some(near) => {
            format!("--faults {name}: {what}; did you mean `{near}`? Expected a file, or one of {all}")
        }
        None => format!("--faults {name}: {what}; expected a file, or one of {all}"),
    }
}

/// Whether what is said of a site fits it.
fn check(read: &Reading<Faults>, site: Site, spec: &SiteSpec, found: &mut Vec<Diagnostic>) {
    let row = site.row();
    let mut refused: Vec<(&str, String, String)> = Vec::new();
    match (spec.ratio, row.ratio) {
        (Some(given), Some(_)) => refused.extend(outside(site, "ratio", given, (0.0, 1.0))),
        (Some(_), None) => {
            let title = format!("`{site}` has no `ratio`: it acts on everything");
            refused.push(("ratio", title, "expected nothing here".into()));
        }
        (None, _) => {}
    }
    for (unit, given) in spec.amounts() {
        match row.amount.filter(|amount| amount.unit == unit) {
            Some(amount) => refused.extend(outside(site, unit.name(), given, amount.within)),
            None => {
                let expected = row.amount.map_or("no amount".into(), |a| format!("`{}`", a.unit.name()));
                let title = format!("`{site}` has no `{}`", unit.name());
                refused.push((unit.name(), title, format!("expected {expected}")));
            }
        }
    }
    if spec.shape.is_some() && site != Site::Delay {
        refused.push(("shape", format!("`{site}` has no `shape`"), "only `delay` has one".into()));
    }
    for (field, title, label) in refused {
        found.push(read.error(&["sites", row.name, field], title, label));
    }
}

/// What is wrong with a span, if it is not within what makes sense.
fn outside(
    site: Site,
    field: &'static str,
    (low, high): Span,
    (least, most): Span,
) -> Option<(&'static str, String, String)> {
    let fits = least <= low && low <= high && high <= most;
    (!fits).then(|| {
        let title = format!("`{site}.{field}`: ({low}, {high}) is out of range");
        (field, title, format!("expected (low, high), from {least} to {most}"))
    })
}
