//! `hactl lab demo` is short enough to read.

use std::process::Command;

use crate::lab::{TestLab, skipped, slot};

/// Removes the demo's lab at the end of the test, however it ends.
struct Gone(String);

impl Drop for Gone {
    fn drop(&mut self) {
        let mut down = Command::new(env!("CARGO_BIN_EXE_hactl"));
        let _ = down.args(["lab", "down", "--name", &self.0]).output();
    }
}

#[test]
fn the_whole_demo_is_read_in_a_few_minutes() {
    if skipped() {
        return;
    }
    let _slot = slot();
    let lab = Gone(format!("{}-demo", TestLab::spec().name));
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Command::new(env!("CARGO_BIN_EXE_hactl"));
    demo.args(["lab", "demo", "--name", &lab.0])
        .env("XDG_STATE_HOME", folder.path());
    let ended = demo.output().unwrap();
    let said = [ended.stdout, ended.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert!(ended.status.success(), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines.len() < 200, "{} lines:\n{said}", lines.len());
    // Prose is wrapped at 80 columns. Quoted lines of files and paths are not.
    let wide =
        |line: &&&str| line.chars().count() > 80 && line.contains(' ') && !line.contains('/');
    let wide: Vec<_> = lines.iter().filter(wide).collect();
    assert!(wide.is_empty(), "{wide:#?}");
    // Each step had its effect.
    for words in [
        "generation 1 is live",
        "generation 2 is live",
        "recovered",
        "generation 3",
    ] {
        assert!(said.contains(words), "no {words:?} in\n{said}");
    }
}
