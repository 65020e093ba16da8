//! A real browser without a window, where one is installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::given;

/// What the reader's system prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// Chromium or Chrome.
pub(crate) struct Browser(PathBuf);

/// A page as the browser showed it.
#[derive(Debug)]
pub(crate) struct Opened {
    /// What it wrote to its console.
    pub(crate) complaints: Vec<String>,
    /// Pixels of the window, and of what is in it.
    pub(crate) window_width: f64,
    pub(crate) content_width: f64,
    /// Colour of the paper.
    pub(crate) paper: String,
    /// Contrast of text and of secondary text with the paper, as WCAG counts it: 1 to 21.
    pub(crate) contrast_ink: f64,
    pub(crate) contrast_quiet: f64,
}

/// Looks at the page from inside and leaves what it saw in the document.
const PROBE: &str = r"<script>
(() => {
  const light = c => {
    const [r, g, b] = c.match(/[\d.]+/g).map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const contrast = (a, b) => {
    const [hi, lo] = [light(a), light(b)].sort((x, y) => y - x);
    return (hi + .05) / (lo + .05);
  };
  const paper = getComputedStyle(document.body).backgroundColor;
  const quiet = document.querySelector('p');
  document.documentElement.dataset.seen = JSON.stringify({
    paper, window: innerWidth, content: document.documentElement.scrollWidth,
    ink: contrast(getComputedStyle(document.body).color, paper),
    quiet: contrast(getComputedStyle(document.querySelector('section p') || quiet).color, paper),
  });
})();
</script>";

impl Browser {
    /// The first that is installed.
    pub(crate) fn find() -> Option<Self> {
        given::program(&["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]).map(Self)
    }

    /// Opens `page`, which is written to `path` for it.
    pub(crate) fn open(&self, path: &Path, page: &str, scheme: Scheme, width: u32) -> Opened {
        std::fs::write(path, page.replace("</body>", &format!("{PROBE}</body>")))
            .expect("the page can be written");
        let preferred = match scheme {
            Scheme::Dark => 0,
            Scheme::Light => 1,
        };
        let profile = path.with_extension("profile");
        let mut program = Command::new(&self.0);
        program
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
            ])
            .args(["--enable-logging=stderr", "--v=0", "--dump-dom", "--virtual-time-budget=2000"])
            .arg(format!("--blink-settings=preferredColorScheme={preferred}"))
            .arg(format!("--window-size={width},900"))
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(format!("file://{}", path.display()));
        let out = program.output().expect("the browser starts");
        let log = String::from_utf8_lossy(&out.stderr);
        let complaints = log.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_string).collect();
        let document = String::from_utf8_lossy(&out.stdout);
        let seen = document.split("data-seen=\"").nth(1).and_then(|rest| rest.split('"').next());
        let seen =
            seen.unwrap_or_else(|| panic!("{program:?} showed no page\n{log}")).replace("&quot;", "\"");
        let seen: Value = serde_json::from_str(&seen).expect("what was seen is one object");
        let number = |name: &str| seen[name].as_f64().unwrap_or_else(|| panic!("no {name} in {seen}"));
        Opened {
            complaints,
            window_width: number("window"),
            content_width: number("content"),
            paper: seen["paper"].as_str().expect("a colour").to_string(),
            contrast_ink: number("ink"),
            contrast_quiet: number("quiet"),
        }
    }
}
