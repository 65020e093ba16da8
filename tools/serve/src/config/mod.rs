//! What a server is told: flags before environment before file before what holds anyway. Every setting is known by one
//! name in all of them.

mod file;
mod layer;
mod settings;
mod show;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use layer::Layer;
pub use settings::{Config, ConfigError, PROTOCOLS, SecretText};
pub use show::shown;

impl Config {
    /// Puts the layers together: `flags`, then the environment, then the file that `file` or `MYNAH_CONFIG` names.
    ///
    /// # Errors
    /// [`ConfigError`] names the setting, where it stands, and what is expected.
    pub fn load(
        flags: Layer,
        file: Option<&Path>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        Ok(Self::layered(flags, file, environment)?.0)
    }

    /// As [`load`](Self::load), with where each setting comes from, for [`shown`].
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn layered(
        flags: Layer,
        file: Option<&Path>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Self, BTreeMap<&'static str, &'static str>), ConfigError> {
        let named = file.map(Path::to_path_buf).or_else(|| environment("MYNAH_CONFIG").map(PathBuf::from));
        let from_file = named.as_deref().map(file::read).transpose()?.unwrap_or_default();
        let from_environment = Layer::of_environment(environment)?;
        let mut config = Self::default();
        let mut origins = BTreeMap::new();
        for (origin, layer) in [("file", from_file), ("environment", from_environment), ("flag", flags)] {
            layer.put(&mut config, origin, &mut origins);
        }
        config.check()?;
        Ok((config, origins))
    }
}
