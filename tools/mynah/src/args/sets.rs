//! `--set`, which every command with a scene has.

use clap::Args;
use mynah_engine::scene::Override;

/// Changes of the scene from outside.
#[derive(Clone, Debug, Default, Args)]
pub struct Sets {
    /// Changes one setting of the scene, checked like the file itself; may be given several times
    #[arg(long = "set", value_name = "NODE.FIELD=VALUE", value_parser = Override::parse)]
    pub sets: Vec<Override>,
}
