//! The configuration that holds, as a file that says the same, with where each setting comes from.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::settings::Config;

/// TOML, every setting with its origin behind it. Secrets are not shown.
#[must_use]
pub fn shown(config: &Config, origins: &BTreeMap<&'static str, &'static str>) -> String {
    let mut page = Page { out: String::new(), origins };
    page.list("scenes", "scenes", &config.scenes);
    page.list("set", "sets", &config.sets);
    page.text("bind", "bind", config.bind);
    page.text("operations", "operations", config.operations);
    page.maybe("grpc", "grpc", config.grpc.as_ref());
    page.list("protocols", "protocols", &config.protocols);
    page.bare("max_sessions", "max_sessions", config.max_sessions);
    page.bare("threads", "threads", config.threads);
    page.maybe("record", "record", config.record.as_ref().map(|path| path.display()).as_ref());
    page.table("models");
    for (model, scene) in &config.models {
        page.text(&quoted(model), "models", scene);
    }
    page.table("auth");
    page.maybe("keys_file", "keys_file", config.keys_file.as_ref().map(|path| path.display()).as_ref());
    page.comment(
        "client secrets are signed",
        if config.secret.is_some() { "by the key given" } else { "by a key of this process's own" },
    );
    page.list("allowed_origins", "allowed_origins", &config.allowed_origins);
    page.table("tls");
    page.maybe(
        "certificate",
        "tls_certificate",
        config.tls_certificate.as_ref().map(|path| path.display()).as_ref(),
    );
    page.maybe("key", "tls_key", config.tls_key.as_ref().map(|path| path.display()).as_ref());
    page.table("limits");
    page.bare("header_timeout_ms", "header_timeout_ms", config.header_timeout_ms);
    page.bare("idle_timeout_s", "idle_timeout_s", config.idle_timeout_s);
    page.bare("resume_ms", "resume_ms", config.resume_ms);
    page.bare("max_connections", "max_connections", config.max_connections);
    page.bare("sessions_per_second", "sessions_per_second", config.sessions_per_second);
    page.table("drain");
    page.bare("grace_s", "drain_grace_s", config.drain_grace_s);
    page.bare("max_s", "drain_max_s", config.drain_max_s);
    page.out
}

struct Page<'a> {
    out: String,
    origins: &'a BTreeMap<&'static str, &'static str>,
}

impl Page<'_> {
    fn line(&mut self, left: &str, field: &str) {
        let origin = self.origins.get(field).copied().unwrap_or("default");
        writeln!(self.out, "{left:<44} # {origin}").expect("a string takes everything");
    }

    fn bare(&mut self, name: &str, field: &str, value: impl std::fmt::Display) {
        self.line(&format!("{name} = {value}"), field);
    }

    fn text(&mut self, name: &str, field: &str, value: impl std::fmt::Display) {
        self.line(&format!("{name} = {}", quoted(&value.to_string())), field);
    }

    fn maybe(&mut self, name: &str, field: &str, value: Option<&impl std::fmt::Display>) {
        match value {
            Some(value) => self.text(name, field, value),
            None => self.comment(name, "none"),
        }
    }

    fn list(&mut self, name: &str, field: &str, values: &[String]) {
        let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
        self.line(&format!("{name} = [{}]", values.join(", ")), field);
    }

    fn table(&mut self, name: &str) {
        writeln!(self.out, "\n[{name}]").expect("a string takes everything");
    }

    fn comment(&mut self, name: &str, what: &str) {
        writeln!(self.out, "# {name}: {what}").expect("a string takes everything");
    }
}

/// A string of TOML.
fn quoted(text: &str) -> String {
    toml::Value::String(text.into()).to_string()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::file;
    use super::super::layer::Layer;
    use super::super::settings::SecretText;
    use super::*;

    #[test]
    fn what_is_shown_says_the_same_when_it_is_read_again() {
        let flags = Layer {
            scenes: Some(vec!["assistant".into()]),
            max_sessions: Some(7),
            secret: Some(SecretText("nobody may see it".into())),
            models: Some([("gpt \"x\"".to_string(), "assistant".to_string())].into()),
            ..Layer::default()
        };
        let environment = |name: &str| (name == "PORT").then(|| "9000".to_string());
        let (config, origins) = Config::layered(flags, None, &environment).expect("it is right");
        let text = shown(&config, &origins);
        assert!(text.contains("max_sessions = 7") && text.contains("# flag"), "{text}");
        assert!(text.contains("bind = \"127.0.0.1:9000\"") && text.contains("# environment"), "{text}");
        assert!(!text.contains("nobody may see"), "{text}");
        let mut again = Config { secret: config.secret.clone(), ..Config::default() };
        let layer = file::parse(&text, Path::new(""), &|_| None).expect(&text);
        layer.put(&mut again, "file", &mut BTreeMap::new());
        assert_eq!(again, config);
    }
}
