//! The drill page in a real browser: no overflow at 360 pixels, no text too small for a phone, no
//! console output, and visible content in dark mode and in print.
#![expect(clippy::unwrap_used, reason = "this is test code")]

#[path = "support/skip.rs"]
mod skip;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use camino::Utf8Path;
use hactl::drill::{Archive, Comparison};
use hactl::view::drill_page;

/// The harness script, which reports measurements of the page in its frame.
const LOOK: &str = r"
const frame = document.querySelector('iframe');
frame.addEventListener('load', () => {
  const page = frame.contentDocument, root = page.documentElement;
  const inside = element => element.closest('.scroll, thead');
  const wide = [...page.querySelectorAll('body *')]
    .filter(e => !inside(e) && e.getBoundingClientRect().right > root.clientWidth + 0.5)
    .map(e => e.tagName);
  const texts = [...page.querySelectorAll('p, li, td, dd, dt, caption, summary, a')];
  const smallest = Math.min(...texts.map(e => parseFloat(getComputedStyle(e).fontSize)));
  const drawn = [...page.querySelectorAll('svg')];
  const titled = drawn.filter(s => s.querySelector('title') && s.querySelector('desc'));
  document.body.dataset.result = JSON.stringify({
    width: root.clientWidth, needs: root.scrollWidth, wide, smallest,
    drawings: drawn.length, titled: titled.length,
    narrowest: Math.min(...drawn.map(s => s.getBoundingClientRect().width)),
    dark: getComputedStyle(page.body).backgroundColor,
  });
});
frame.srcdoc = PAGE;
";

fn sample() -> String {
    let path = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drills/trouble.json");
    let report = Archive::read(&path).unwrap();
    drill_page(&report, Some(&Comparison::of(&report, &report)))
}

/// Skips the test if there is no browser and none can be installed.
fn skipped() -> bool {
    let problem = skip::ensure("chromium", "chromium").err();
    if let Some(reason) = &problem {
        skip::skip(reason);
    }
    problem.is_some()
}

fn chromium(folder: &Path, arguments: &[&str]) -> Output {
    let output = Command::new("timeout")
        .args([
            "60",
            "chromium",
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
        ])
        .args([
            "--hide-scrollbars",
            "--enable-logging=stderr",
            "--virtual-time-budget=5000",
        ])
        .arg(format!(
            "--user-data-dir={}",
            folder.join("profile").display()
        ))
        .args(arguments)
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    // Chromium logs console output of a page with this word.
    let said: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("CONSOLE"))
        .collect();
    assert!(said.is_empty(), "{said:?}");
    output
}

#[test]
fn the_page_fits_a_phone_and_shows_itself_in_the_dark_and_in_print() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let page = sample();
    let path = folder.path().join("page.html");
    fs::write(&path, &page).unwrap();
    // Without `<`, nothing in the page can close the harness's script element.
    let quoted = serde_json::to_string(&page)
        .unwrap()
        .replace('<', "\\u003c");
    let harness = folder.path().join("harness.html");
    let text = format!(
        "<!doctype html><meta charset=utf-8><body><iframe width=360 height=4000 \
         style='border:0'></iframe><script>{}</script>",
        LOOK.replace("PAGE", &quoted)
    );
    fs::write(&harness, text).unwrap();
    let url = |path: &Path| format!("file://{}", path.display());

    let dom = chromium(folder.path(), &["--dump-dom", &url(&harness)]);
    let dom = String::from_utf8_lossy(&dom.stdout).into_owned();
    let result = dom.split("data-result=\"").nth(1).unwrap();
    let result = result.split('"').next().unwrap().replace("&quot;", "\"");
    let seen: serde_json::Value = serde_json::from_str(&result).unwrap();
    assert_eq!(seen["width"], 360, "{seen}");
    assert_eq!(seen["needs"], 360, "it runs over at 360 pixels: {seen}");
    assert_eq!(seen["wide"], serde_json::json!([]), "{seen}");
    assert!(seen["smallest"].as_f64().unwrap() >= 16.0, "{seen}");
    assert!(seen["drawings"].as_u64().unwrap() >= 3, "{seen}");
    assert_eq!(seen["drawings"], seen["titled"], "{seen}");
    // Drawings are not scaled below the size of their text: they scroll in their own box.
    assert!(seen["narrowest"].as_f64().unwrap() >= 760.0, "{seen}");

    let light = picture(folder.path(), "light", &url(&path), &[]);
    let dark = ["--blink-settings=preferredColorScheme=0"];
    let dark = picture(folder.path(), "dark", &url(&path), &dark);
    assert_ne!(light, dark, "the dark one looks like the light one");

    let pdf = folder.path().join("page.pdf");
    let print = format!("--print-to-pdf={}", pdf.display());
    chromium(folder.path(), &[&print, &url(&path)]);
    let pdf = fs::read(pdf).unwrap();
    assert!(
        pdf.starts_with(b"%PDF") && pdf.len() > 20_000,
        "{} bytes",
        pdf.len()
    );
}

/// A screenshot with visible content: an empty page's has a tenth of this size.
fn picture(folder: &Path, name: &str, url: &str, more: &[&str]) -> Vec<u8> {
    let png = folder.join(format!("{name}.png"));
    let screenshot = format!("--screenshot={}", png.display());
    let mut arguments = vec![screenshot.as_str(), "--window-size=1280,1600"];
    arguments.extend(more);
    arguments.push(url);
    chromium(folder, &arguments);
    let png = fs::read(png).unwrap();
    assert!(png.len() > 40_000, "{name}: {} bytes", png.len());
    png
}
