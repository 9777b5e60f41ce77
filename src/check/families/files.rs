//! The rendered files: whether the daemons accept them, and who can read them (KA003, KA033, NG001).

use crate::model::UnitId;

rules! { RULES:
KA003 {
    Error, [DaemonTest(UnitId::KEEPALIVED)],
    title: "keepalived refuses the file",
    reason: "`keepalived -t` found errors. Its exit code means different things before and after 2.2.0, so hactl reads it by version. Errors that keepalived would run with, and script security that is off, are refusals, too. 2.2.5 to 2.2.7 kill themselves when `script_user` is unprivileged, so hactl tests a copy without it.",
    fix: "read keepalived's own message and correct the inventory or the raw snippet that it names",
}
KA033 {
    Warning, [ByConstruction("hactl writes every file that holds a secret with mode 0600, and a live one of another mode is a change of the plan")],
    title: "a file with a secret is readable by others",
    reason: "The file holds the VRRPv2 password or a TLS key in plaintext.",
    fix: "apply: hactl writes such files with mode 0600",
}
NG001 {
    Error, [DaemonTest(UnitId::NGINX)],
    title: "nginx refuses the files",
    reason: "`nginx -t` failed on the host where they are to run.",
    fix: "read nginx's own message and correct the inventory or the raw snippet that it names",
}
}
