//! Labs of real machines: made, used, broken and removed.

#[path = "support/lab.rs"]
mod support;

use support::TestLab;

#[test]
fn three_nodes_answer_ssh_as_root() {
    let spec = TestLab::spec();
    let Some(lab) = TestLab::up(&spec) else {
        return;
    };
    for node in lab.nodes() {
        let said = support::text(&mut lab.ssh(&node, "id -un; hostname"));
        assert_eq!(said, format!("root\n{node}\n"));
    }
}
