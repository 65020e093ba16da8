//! What a language model may ask the host to do.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::limits::PROMPT_CHARS_MAX;

/// Most characters of a name; servers take no more.
const NAME_CHARS_MAX: usize = 64;

/// A tool as scenes have it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default = "nothing")]
    parameters: String,
}

/// The default: a tool without parameters.
fn nothing() -> String {
    r#"{"type":"object","properties":{}}"#.into()
}

/// A tool: its name, what it does, and the JSON schema of its parameters.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Config")]
pub struct ChatTool {
    name: String,
    description: String,
    parameters: Box<RawValue>,
}

impl TryFrom<Config> for ChatTool {
    type Error = String;

    fn try_from(Config { name, description, parameters }: Config) -> Result<Self, String> {
        let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
        if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(fits) {
            return Err(format!(
                "the tool's `name` is {name:?}; expected 1 to {NAME_CHARS_MAX} letters, digits, _ or -"
            ));
        }
        if description.chars().count() + parameters.chars().count() > PROMPT_CHARS_MAX {
            return Err(format!("the tool {name:?} is described in more than {PROMPT_CHARS_MAX} characters"));
        }
        let wrong = |what: &str| {
            format!(
                "`parameters` of the tool {name:?}: {what}; expected a JSON schema, such as {}",
                nothing()
            )
        };
        let parameters: Box<RawValue> =
            serde_json::from_str(&parameters).map_err(|cause| wrong(&cause.to_string()))?;
        if !parameters.get().starts_with('{') {
            return Err(wrong("it is no object"));
        }
        Ok(Self { name, description, parameters })
    }
}

impl ChatTool {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it does, in words for the model.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The JSON schema of its parameters.
    pub fn parameters(&self) -> &RawValue {
        &self.parameters
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mynah_engine::scene::parse_config;

    #[test]
    fn a_tool_that_no_server_takes_is_refused() {
        let cases = [
            (r#"(name: "look around")"#, "expected 1 to 64 letters"),
            (r#"(name: "")"#, "`name` is \"\""),
            (r#"(name: "look", parameters: "{")"#, "`parameters` of the tool \"look\""),
            (r#"(name: "look", parameters: "[]")"#, "it is no object"),
        ];
        for (config, wanted) in cases {
            let refused = parse_config::<ChatTool>(config).expect_err(config).to_string();
            assert!(refused.contains(wanted), "{config}: {refused}");
        }
        assert!(parse_config::<ChatTool>(r#"(name: "look")"#).is_ok());
    }
}
