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
`rollback --to 0`, after which `/etc` is what it was, to the byte, but for what is said below. Rows are written by
that run, `HACTL_IMAGES=all UPDATE=1 cargo test --test images`; an image without a row was not taken through all of it.

| image | system | nginx | keepalived | systemd | profile | drills |
|---|---|---|---|---|---|---|
";

const FOOT: &str = "
`rhel-like` calls itself Rocky Linux 9 and has the real rpm and DNF, with nginx and keepalived in packages that have
RHEL's paths, users, units and presets, and a keepalived.conf that would start as it is. Its programs are Debian 12's.
So it shows what hactl does with packages, paths and units there, and nothing of SELinux, which it does not have.

sid has no release number, by which hactl knows what a fresh host without package lists would install: `apt-get update` was
run there first.

What packages leave when they are removed stays: the users that RPM's packages make, and the names that keepalived
2.3.3 and later writes to `/etc/iproute2/rt_addrprotos.d` by itself.

The same family's YUM is driven by the same words and was not run. Ubuntu, RHEL and its rebuilds are recognised by
os-release(5), and nothing of them was run but what the table says.
";

/// Writes the row of one image, and keeps those of the others.
pub(crate) fn write(row: &Row) {
    let own = format!(
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
    let page = fs::read_to_string(PAGE).unwrap_or_default();
    let mut rows = String::new();
    for release in Release::ALL {
        let start = format!("| `{release}` |");
        let known = page.lines().find(|line| line.starts_with(&start));
        let line = if release.name() == row.image {
            Some(own.as_str())
        } else {
            known
        };
        // Writing to a String cannot fail.
        let _ = line.map(|line| writeln!(rows, "{line}"));
    }
    fs::write(PAGE, format!("{HEAD}{rows}{FOOT}")).unwrap();
}

/// The page has rows, and is otherwise as it would be written now.
pub(crate) fn is_fresh() {
    let page = fs::read_to_string(PAGE).unwrap_or_default();
    let rows = page
        .strip_prefix(HEAD)
        .and_then(|page| page.strip_suffix(FOOT));
    let is_known = |line: &str| {
        Release::ALL
            .iter()
            .any(|one| line.starts_with(&format!("| `{one}` |")))
    };
    assert!(
        rows.is_some_and(|rows| !rows.is_empty() && rows.lines().all(is_known)),
        "{PAGE} is stale: write it anew"
    );
}
