//! `docs/support.md`.

use std::fmt::Write as _;
use std::fs;

use hactl::lab::Release;

const PAGE: &str = "docs/support.md";

/// What one image has shown.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) image: &'static str,
    /// `PRETTY_NAME` of os-release(5).
    pub(crate) system: String,
    pub(crate) systemd: String,
    pub(crate) nginx: String,
    pub(crate) keepalived: String,
    /// The failover profile that hactl chooses.
    pub(crate) profile: &'static str,
    /// The number of drills, all of which passed.
    pub(crate) drills: usize,
}

const HEAD: &str = "\
# Systems that hactl runs on

Each row was shown on three real machines of the lab (real systemd, sshd, nginx and keepalived; `hactl lab up --image
IMAGE`): from bare machines to a virtual IP that serves, with the packages installed by the system's own package
manager; a second `apply` that changes nothing; all drills of `failover-test --all`, each within its budget; and
`rollback --to 0`, after which `/etc` is what it was, to the byte. This page is written by that run:
`HACTL_IMAGES=all UPDATE=1 cargo test --test images`.

| image | system | nginx | keepalived | systemd | profile | drills |
|---|---|---|---|---|---|---|
";

const FOOT: &str = "
`rhel-like` calls itself Rocky Linux 9 and has the real rpm and DNF, with nginx and keepalived in packages that have
RHEL's paths, users, units and presets, and a keepalived.conf that would start as it is. Its programs are Debian 12's.
So it shows what hactl does with packages, paths and units there, and nothing of SELinux, which it does not have.

The same family's YUM is driven by the same words and was not run. Ubuntu, RHEL and its rebuilds are recognised by
os-release(5), and nothing of them was run but what the table says.
";

pub(crate) fn write(rows: &[Row]) {
    let mut page = HEAD.to_owned();
    for row in rows {
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} | {} | {} of {} |",
            row.image,
            row.system,
            row.nginx,
            row.keepalived,
            row.systemd,
            row.profile,
            row.drills,
            row.drills
        );
    }
    page.push_str(FOOT);
    fs::write(PAGE, page).unwrap();
}

pub(crate) fn names_every_image() {
    let page = fs::read_to_string(PAGE).unwrap_or_default();
    for release in Release::ALL {
        let row = format!("| `{release}` |");
        assert!(
            page.contains(&row),
            "{PAGE} has no {release}: write it anew"
        );
    }
    assert!(page.contains(FOOT), "{PAGE} is stale: write it anew");
}
