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
    /// Words that leave the window.
    pub(crate) outside: Vec<String>,
    /// Pairs of words in one chart that stand on each other.
    pub(crate) overlapping: Vec<String>,
    /// Tables, charts and words of which a part is to be seen only by scrolling sideways, or not at all.
    pub(crate) cut: Vec<String>,
    /// Colour of the paper.
    pub(crate) paper: String,
    /// Contrast of text and of secondary text with the paper, as WCAG counts it: 1 to 21.
    pub(crate) contrast_ink: f64,
    pub(crate) contrast_quiet: f64,
}

/// Looks at the page from inside, everything unfolded, and tells the window around it what it saw.
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
  const words = root => {
    const all = [], walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const node = walker.currentNode, range = document.createRange();
      if (!node.data.trim() || node.parentElement.closest('title, desc, style, script')) continue;
      range.selectNodeContents(node);
      const box = range.getBoundingClientRect();
      if (box.width > 0 && box.height > 0) all.push({ text: node.data.trim(), box });
    }
    return all;
  };
  const meet = (p, q) => Math.min(p.right, q.right) - Math.max(p.left, q.left) > 1
    && Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 2;
  document.querySelectorAll('details').forEach(one => { one.open = true; });
  const outside = words(document.body).filter(w => w.box.right > innerWidth + .5 || w.box.left < -.5).map(w => w.text);
  const overlapping = [...document.querySelectorAll('.plot, .lane, .scroll')].flatMap(chart => {
    const all = words(chart);
    return all.flatMap((p, at) => all.slice(0, at).filter(q => meet(p.box, q.box)).map(q => q.text + ' | ' + p.text));
  });
  const cut = [...document.querySelectorAll('body *')]
    .filter(one => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX !== 'visible'
      || one.scrollHeight > one.clientHeight + 1 && getComputedStyle(one).overflowY === 'hidden' && one.clientHeight > 0)
    .map(one => one.className + ': ' + one.textContent.slice(0, 40));
  const paper = getComputedStyle(document.body).backgroundColor;
  const quiet = document.querySelector('section p, section dt') || document.querySelector('p');
  parent.postMessage({
    paper, window: innerWidth, content: document.documentElement.scrollWidth, outside, overlapping, cut,
    ink: contrast(getComputedStyle(document.body).color, paper), quiet: contrast(getComputedStyle(quiet).color, paper),
  }, '*');
})();
</script>";

/// A window of any width: the browser itself makes none narrower than 500 pixels.
const WINDOW: &str = r#"<!doctype html><meta name="color-scheme" content="light dark"><script>
addEventListener('message', told => { document.documentElement.dataset.seen = JSON.stringify(told.data); });
</script><iframe src="PAGE" style="border: 0; height: 900px; width: WIDTHpx"></iframe>"#;

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
        let window = path.with_extension("window.html");
        let framed = WINDOW.replace("PAGE", &format!("file://{}", path.display()));
        std::fs::write(&window, framed.replace("WIDTH", &width.to_string()))
            .expect("the window can be written");
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
            .arg(format!("--window-size={},1000", width + 100))
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(format!("file://{}", window.display()));
        let out = program.output().expect("the browser starts");
        let log = String::from_utf8_lossy(&out.stderr);
        let complaints = log.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_string).collect();
        let document = String::from_utf8_lossy(&out.stdout);
        let seen = document.split("data-seen=\"").nth(1).and_then(|rest| rest.split('"').next());
        let seen = seen
            .unwrap_or_else(|| panic!("{program:?} showed no page\n{log}"))
            .replace("&quot;", "\"")
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&");
        let seen: Value = serde_json::from_str(&seen).expect("what was seen is one object");
        let texts = |name: &str| {
            let all = seen[name].as_array().expect("a list").iter();
            all.map(|text| text.as_str().expect("a text").to_string()).collect()
        };
        let number = |name: &str| seen[name].as_f64().unwrap_or_else(|| panic!("no {name} in {seen}"));
        Opened {
            complaints,
            window_width: number("window"),
            content_width: number("content"),
            outside: texts("outside"),
            overlapping: texts("overlapping"),
            cut: texts("cut"),
            paper: seen["paper"].as_str().expect("a colour").to_string(),
            contrast_ink: number("ink"),
            contrast_quiet: number("quiet"),
        }
    }
}
