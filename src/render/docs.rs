//! Generates `docs/templates.md` from the registry. A test fails when the page is stale.

use std::fmt::Write as _;

use super::registry::{TLS_DIR, templates};
use crate::units::VariantMode;

pub fn templates_markdown() -> String {
    let mut out = String::from(
        "# Templates\n\n\
         <!-- Generated: UPDATE=1 cargo test --test render -->\n\n\
         hactl renders these files for every node. Each is a [Tera](https://keats.github.io/tera/) template, embedded \
         in the program; a file of the same name (with or without `.tera`) in the folder given to \
         `--templates` replaces one. An unknown name there is an error.\n\n\
         | template | file on the host | mode | what it is for |\n\
         |---|---|---|---|\n",
    );
    for spec in templates() {
        let mode = match spec.mode {
            VariantMode::Fixed(mode) => format!("`{mode:04o}`"),
            VariantMode::PrivateWithSecret => "`0600` with a secret in it, else `0644`".to_owned(),
        };
        // Writing to a String can't fail.
        let _ = writeln!(
            out,
            "| `{}` | `{}` | {mode} | {} |",
            spec.name, spec.path, spec.purpose
        );
    }
    let _ = write!(
        out,
        "\nPushed certificates (`0644`) and keys (`0600`) go to `{TLS_DIR}/` as they are.\n\n\
         ## Rules for templates\n\n\
         - Every value arrives escaped for its own syntax: nginx strings come in their quotes. Write \
         `{{{{ header.value }}}}`, never `\"{{{{ header.value }}}}\"`. The verbatim snippets of the \
         inventory, whose names start with `raw`, are the exception.\n\
         - A line that holds a single `{{% … %}}` tag leaves nothing behind, not even its line break.\n\
         - A variable that a template is not given is an error, also inside an `if`. (A missing *field* of \
         one, such as `site.naem`, is false inside an `if`; outside it is an error.)\n\
         - `{{{{ header }}}}` is the comment that says who manages the file. `{{{{ config_id }}}}` has to \
         stay where it is in keepalived.conf (`smtp_helo_name`) and nginx.conf (`/generation`): `hactl apply` \
         reads it back from the running processes to prove that they loaded the file.\n"
    );
    out
}
