//! The rendered files: what the daemons say of them, and who may read them (KA003, KA033, NG001).

use crate::model::UnitId;

rules! { RULES:
KA003 {
    Error, [DaemonTest(UnitId::KEEPALIVED)],
    title: "keepalived refuses the file",
    reason: "`keepalived -t` found errors. Its exit status means different things before and after 2.2.0, and 2.2.5 to 2.2.7 kill themselves with an unprivileged `script_user`, so that hactl tests a copy without it. Its code is read by the version that tested: runs with errors and script security off are refusals, too.",
    fix: "read keepalived's own message and correct the inventory or the raw snippet that it names",
}
KA033 {
    Warning, [ByConstruction("hactl writes every file that holds a secret with mode 0600, and a live one of another mode is a change of the plan")],
    title: "a file with a secret is readable by others",
    reason: "The VRRPv2 password and TLS keys stand in it in the clear.",
    fix: "apply: hactl writes such files with mode 0600",
}
NG001 {
    Error, [DaemonTest(UnitId::NGINX)],
    title: "nginx refuses the files",
    reason: "`nginx -t` failed on the host where they are to run.",
    fix: "read nginx's own message and correct the inventory or the raw snippet that it names",
}
}
