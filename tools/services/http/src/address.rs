//! The address of a server, as scenes have it.

use hyper::Uri;

/// Longest address.
const CHARS_MAX: usize = 2_000;

/// The address up to and without the paths of single requests, such as `http://127.0.0.1:8000/v1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerUrl {
    base: String,
    /// Where its paths begin.
    root: usize,
}

impl ServerUrl {
    /// # Errors
    /// What is wrong with the address, and what helps.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let wrong = |what: &str| Err(format!("`url` is {url:?}: {what}"));
        let expected = "expected an address such as http://127.0.0.1:8000/v1";
        if url.chars().count() > CHARS_MAX {
            return Err(format!("`url` has more than {CHARS_MAX} characters; {expected}"));
        }
        let base = url.trim_end_matches('/');
        let Ok(uri) = base.parse::<Uri>() else { return wrong(expected) };
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return wrong(expected);
        };
        if authority.as_str().contains('@') {
            // It may hold a password: it is not shown.
            return Err(
                "`url` has a user or a password in it; leave them out, and name the variable that has the \
                        key in `key_env`"
                    .into(),
            );
        }
        if authority.host().is_empty() || authority.as_str().ends_with(':') {
            return wrong(expected);
        }
        if uri.query().is_some() || base.contains('#') {
            return wrong("nothing may follow its path; leave out what begins with ? or #");
        }
        match scheme {
            "http" => {}
            "https" if cfg!(feature = "tls") => {}
            "https" => {
                return wrong(
                    "this build speaks no TLS: build it with the feature `tls`, or use a http address",
                );
            }
            _ => return wrong("expected http or https"),
        }
        let root = scheme.len() + "://".len() + authority.as_str().len();
        Ok(Self { base: base.to_string(), root })
    }

    /// Whether it wants TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.base.starts_with("https:")
    }

    /// The address of `path` below it.
    ///
    /// # Errors
    /// The path makes no address.
    pub(crate) fn with(&self, path: &str) -> Result<Uri, String> {
        let whole = format!("{}{path}", self.base);
        whole.parse().map_err(|_| format!("{whole:?} is no address; see `url` and `path`"))
    }

    /// The address of `path` on the same server, whatever the base's own path is.
    ///
    /// # Errors
    /// The path makes no address.
    pub(crate) fn at_root(&self, path: &str) -> Result<Uri, String> {
        let whole = format!("{}{path}", &self.base[..self.root]);
        whole.parse().map_err(|_| format!("{whole:?} is no address"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_follow_the_base_or_the_root() {
        for url in ["http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1/"] {
            let url = ServerUrl::parse(url).unwrap();
            assert_eq!(url.with("/chat/completions").unwrap(), "http://127.0.0.1:8000/v1/chat/completions");
            assert_eq!(url.at_root("/slots").unwrap(), "http://127.0.0.1:8000/slots");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_what_helps() {
        let cases = [
            ("", "expected an address"),
            ("127.0.0.1:8000", "expected an address"),
            ("/v1", "expected an address"),
            ("http://", "expected an address"),
            ("ftp://host/v1", "expected http or https"),
            ("http://host/v1?key=1", "leave out what begins with ?"),
            ("http://user:secret@host/v1", "`key_env`"),
            ("http://a b/v1", "expected an address"),
        ];
        for (url, wanted) in cases {
            let wrong = ServerUrl::parse(url).unwrap_err();
            assert!(wrong.contains(wanted) && !wrong.contains("secret"), "{url}: {wrong}");
        }
        let secure = ServerUrl::parse("https://api.example/v1");
        match cfg!(feature = "tls") {
            true => assert!(secure.is_ok()),
            false => assert!(secure.unwrap_err().contains("feature `tls`")),
        }
    }
}
