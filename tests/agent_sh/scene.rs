//! Fixtures on a host, and sequences of calls.

use std::collections::BTreeMap;
use std::time::Duration;

use hactl::agent::{
    Activation, Agent, AgentError, Entry, Fact, Facts, LockRequest, Manifest, Tree, TreeFile,
    UnitAction,
};
use hactl::model::{FileRole, HostPath, UnitId};
use hactl::plan::Desired;
use hactl::units;

use crate::world::World;

pub(crate) const TX: &str = "20260101T000000Z-1-0";
pub(crate) const ID: &str = "0123456789ab";
pub(crate) const NGINX: &str = "/etc/nginx/nginx.conf";
pub(crate) const KEEPALIVED: &str = "/etc/keepalived/keepalived.conf";

pub(crate) fn path(text: &str) -> HostPath {
    HostPath::new(text).unwrap()
}

pub(crate) fn file(at: &str, content: impl Into<Vec<u8>>) -> TreeFile {
    TreeFile {
        role: FileRole::NginxConf,
        mode: 0o644,
        owner: "root".to_owned(),
        group: "root".to_owned(),
        path: path(at),
        content: content.into(),
    }
}

/// A tree as hactl would stage it: both daemons' files with the id `id`, plus `more`.
pub(crate) fn tree(tx: &str, generation: u64, id: &str, more: Vec<TreeFile>) -> Tree {
    let mut facts = Facts::from([
        (Fact::StatusPort, "8081".to_owned()),
        (Fact::Generation, generation.to_string()),
        (Fact::Tx, tx.to_owned()),
    ]);
    units::ids().for_each(|unit| facts.set_id(unit, id));
    let mut files = vec![
        file(NGINX, format!("# id {id}\n")),
        file(KEEPALIVED, format!("# id {id}\n")),
    ];
    files.extend(more);
    Tree {
        manifest: Manifest {
            facts,
            sysctls: vec![("net.core.somaxconn".to_owned(), "65535".to_owned())],
            ..Manifest::default()
        },
        files,
    }
}

pub(crate) fn absent(at: &str) -> Entry {
    Entry::Absent { path: path(at) }
}

pub(crate) fn request(tx: &str) -> LockRequest {
    LockRequest {
        tx: tx.to_owned(),
        holder: "ada@desk".to_owned(),
        pid: Some(42),
        origin: "here/1".to_owned(),
        duration: Duration::from_mins(5),
    }
}

pub(crate) fn actions(nginx: UnitAction, keepalived: UnitAction) -> Vec<(UnitId, UnitAction)> {
    vec![(UnitId::NGINX, nginx), (UnitId::KEEPALIVED, keepalived)]
}

pub(crate) fn activation() -> Activation {
    Activation {
        expected: BTreeMap::new(),
        actions: actions(UnitAction::Reload, UnitAction::Reload),
        revert_after: Duration::from_mins(5),
        peer: None,
        switch: None,
    }
}

/// A host that serves its admin's configuration.
pub(crate) fn inhabited(world: &World) {
    world.write(NGINX, "# id aaaaaaaaaaaa\n");
    world.write(KEEPALIVED, "# id aaaaaaaaaaaa\n");
    world.sh("systemctl enable nginx.service; systemctl start nginx.service");
    world.sh("systemctl start keepalived.service");
}

/// Lock, prepare and stage.
pub(crate) async fn staged(agent: &Agent, tx: &str, tree: &Tree) -> Result<(), AgentError> {
    agent.lock(&request(tx)).await?;
    agent.prepare(tx, &tree.full_manifest(), &[]).await?;
    agent.stage(tx, tree).await
}

/// Everything up to the confirmation.
pub(crate) async fn activated(agent: &Agent, tx: &str, tree: &Tree) -> Result<(), AgentError> {
    staged(agent, tx, tree).await?;
    agent.activate(tx, &activation()).await
}

/// The whole change, confirmed.
pub(crate) async fn applied(agent: &Agent, tx: &str, tree: &Tree) -> Result<(), AgentError> {
    activated(agent, tx, tree).await?;
    agent.confirm(tx).await?;
    agent.unlock(tx).await
}

/// Rolls the host back to generation 0 as hactl does: by staging the recorded tree.
pub(crate) async fn rolled_back_to_0(world: &World, tx: &str) {
    let agent = world.agent();
    let (manifest, contents) = agent.generation(0).await.unwrap();
    let desired = Desired::from_generation(agent.node(), manifest, contents).unwrap();
    let mut tree = desired.tree;
    for (fact, value) in [(Fact::Generation, "0"), (Fact::Tx, tx)] {
        tree.manifest.facts.set(fact, value);
    }
    applied(&agent, tx, &tree).await.unwrap();
}

/// Nothing but hactl's records is left: no timer, no temporary file, no lock.
pub(crate) fn nothing_is_left(world: &World) {
    let left = world.sh("find /etc /usr/local -name '*hactl*'; cd /var/lib/hactl; ls -d lock tx journal agent peer-key ./*.new 2>/dev/null; true");
    assert_eq!(left, "");
    let timer = world.read("/run/units/hactl-revert.timer.active");
    assert_ne!(timer.trim(), "active");
}
