//! Scenes as assets.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use bevy_asset::Asset;
use bevy_ecs::resource::Resource;
use bevy_reflect::TypePath;
use mynah_engine::scene::{Catalogue, Source, compile};
use mynah_engine::{Registry, ScenePlan};

/// A compiled scene: how voices that name it hear, think and speak. From a file `*.voice.ron`, or from memory by
/// [`parse`](Self::parse).
#[derive(Asset, TypePath, Clone, Debug)]
pub struct VoiceScene {
    plan: Arc<ScenePlan>,
    warnings: String,
    /// The text of the file it was read from.
    file: Option<Arc<str>>,
}

impl VoiceScene {
    /// Compiles a scene with the node kinds and services that come with mynah. `name` stands in what is told of errors.
    ///
    /// # Errors
    /// [`BadScene`]: everything that is wrong, with place and remedy.
    pub fn parse(name: &str, text: &str) -> Result<Self, BadScene> {
        Self::parse_with(name, text, &mynah_systems::registry(None))
    }

    /// [`parse`](Self::parse) with the node kinds and services of `registry`.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_with(name: &str, text: &str, registry: &Registry) -> Result<Self, BadScene> {
        match compile(&Source::new(name, text), &[], None, registry) {
            Ok((plan, warnings)) => {
                let warnings: Vec<String> =
                    warnings.iter().map(|warning| warning.title.to_string()).collect();
                Ok(Self { plan: Arc::new(plan), warnings: warnings.join("\n"), file: None })
            }
            Err(found) => Err(BadScene(found.to_string())),
        }
    }

    /// The same, as read from a file with this text.
    #[cfg(feature = "asset")]
    pub(crate) fn of_file(mut self, text: String) -> Self {
        self.file = Some(text.into());
        self
    }

    /// Whether both are the same scene: a file that is written again as it was is.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let same_file = self.file.is_some() && self.file == other.file;
        Arc::ptr_eq(&self.plan, &other.plan) || same_file
    }

    /// What the engine runs.
    pub fn plan(&self) -> &Arc<ScenePlan> {
        &self.plan
    }

    /// What is odd in the scene, a line each; empty where nothing is.
    pub fn warnings(&self) -> &str {
        &self.warnings
    }
}

impl From<ScenePlan> for VoiceScene {
    fn from(plan: ScenePlan) -> Self {
        Self { plan: Arc::new(plan), warnings: String::new(), file: None }
    }
}

/// A scene is not one, as rendered: each finding with an excerpt of the file, its place and what would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadScene(pub(crate) String);

impl fmt::Display for BadScene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for BadScene {}

/// The node kinds and services that files are compiled with. Insert it before
/// [`MynahPlugins`](crate::MynahPlugins) to have kinds of the game's own; by default those that come with mynah.
#[derive(Resource, Clone)]
pub struct VoiceKinds(pub Arc<Registry>);

impl Default for VoiceKinds {
    fn default() -> Self {
        Self(Arc::new(mynah_systems::registry(None)))
    }
}

impl fmt::Debug for VoiceKinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VoiceKinds").field(&self.0.kinds()).finish()
    }
}
