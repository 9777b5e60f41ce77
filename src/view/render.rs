//! Output of `render`.

use camino::Utf8Path;
use serde::Serialize;

use super::check::warnings_text;
use super::show::Show;
use super::text::{count, lines};
use super::ui::Ui;
use crate::ops::RenderReport;
use crate::report::RenderBody;

/// Output of `render`.
pub struct Rendered<'a> {
    pub folder: &'a Utf8Path,
    pub report: &'a RenderReport,
}

impl Show for Rendered<'_> {
    fn body(&self) -> impl Serialize {
        RenderBody {
            folder: self.folder,
            files: &self.report.files,
            warnings: &self.report.warnings,
        }
    }

    fn print(&self, ui: &Ui, _: u8) {
        let Self { folder, report } = self;
        ui.data(&lines(&report.files));
        ui.status(&warnings_text(&report.warnings));
        ui.status(&format!(
            "Wrote {} to {folder}.\n",
            count(report.files.len(), "file")
        ));
    }
}
