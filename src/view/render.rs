//! What render wrote.

use camino::Utf8Path;

use super::check::warnings_text;
use super::document::Document;
use super::text::{count, lines};
use super::ui::Ui;
use crate::ops::RenderReport;

impl Ui {
    /// Tells what `render` wrote.
    pub fn show_render(&self, folder: &Utf8Path, report: &RenderReport) {
        if self.is_json() {
            let document = Document::new("render")
                .with("folder", folder)
                .with("files", &report.files)
                .with("warnings", &report.warnings);
            self.document(&document);
            return;
        }
        self.data(&lines(&report.files));
        self.status(&warnings_text(&report.warnings));
        self.status(&format!(
            "Wrote {} to {folder}.\n",
            count(report.files.len(), "file")
        ));
    }
}
