//! What holds for every host and every sequence of desired states.

use crate::model::FileRole;
use crate::units;
use proptest::prelude::*;

use super::*;
use crate::agent::Service;
use crate::plan::Cause;

/// What is at a path: nothing, a file, a link, or a file of another owner. (The real types have no `Debug`, since
/// they hold secrets.)
#[derive(Debug, Clone)]
enum Lies {
    Nothing,
    File(String),
    Link,
    Foreign(String, u32),
}

impl Lies {
    fn live(&self) -> LiveFile {
        match self {
            Self::Nothing => LiveFile::Absent,
            Self::File(content) => live(content),
            Self::Link => LiveFile::Link("/elsewhere".to_owned()),
            Self::Foreign(content, mode) => LiveFile::File {
                mode: *mode,
                owner: "www-data".to_owned(),
                group: "root".to_owned(),
                content: content.clone().into_bytes(),
            },
        }
    }
}

fn some_lies() -> impl Strategy<Value = Lies> {
    prop_oneof![
        Just(Lies::Nothing),
        "[a-c]{0,2}".prop_map(Lies::File),
        Just(Lies::Link),
        ("[a-c]{0,2}", prop_oneof![Just(0o600), Just(0o755)])
            .prop_map(|(content, mode)| Lies::Foreign(content, mode)),
    ]
}

const ROLES: [FileRole; 6] = [
    FileRole::CheckScript,
    FileRole::Sysctl,
    FileRole::NginxUnit,
    FileRole::KeepalivedUnit,
    FileRole::TlsKey,
    FileRole::Tmpfiles,
];

/// A host that hactl has not touched.
#[derive(Debug)]
struct SomeHost {
    files: Vec<Lies>,
    sysctl: Option<String>,
    runs: Option<(bool, bool)>,
}

prop_compose! {
    fn some_host()(
        files in proptest::collection::vec(some_lies(), ROLES.len() + 2),
        sysctl in proptest::option::of("[0-9]{1,2}"),
        runs in any::<Option<(bool, bool)>>(),
    ) -> SomeHost {
        SomeHost { files, sysctl, runs }
    }
}

impl SomeHost {
    fn observation(&self) -> Observation {
        let mut seen = bare();
        let paths = ROLES.map(|role| format!("/etc/{role}"));
        let paths = paths.iter().map(String::as_str).chain([NGINX, KEEPALIVED]);
        let files = self.files.iter().map(Lies::live);
        seen.files.extend(paths.map(path).zip(files));
        seen.sysctls
            .insert("net.ipv4.x".to_owned(), self.sysctl.clone());
        if let Some((nginx, keepalived)) = self.runs {
            let version = Version::new(1, 22, 1);
            let installed = Program::Installed { version };
            seen.installed = units::ids().map(|unit| (unit, installed)).collect();
            for (program, runs) in [("nginx", nginx), ("keepalived", keepalived)] {
                let service = Service {
                    active: if runs { "active" } else { "inactive" }.to_owned(),
                    ..Service::default()
                };
                seen.services.insert(format!("{program}.service"), service);
            }
        }
        seen
    }
}

#[derive(Debug)]
struct SomeDesired {
    id: String,
    files: Vec<Option<String>>,
    nginx: String,
    sysctl: Option<String>,
}

prop_compose! {
    fn some_desired()(
        id in "[0-9a-f]{12}",
        files in proptest::collection::vec(proptest::option::of("[a-c]{0,2}"), ROLES.len()),
        nginx in "listen (80|10.0.0.1:80);",
        sysctl in proptest::option::of("[0-9]{1,2}"),
    ) -> SomeDesired {
        SomeDesired { id, files, nginx, sysctl }
    }
}

impl SomeDesired {
    fn desired(&self) -> Desired {
        let files = ROLES.iter().zip(&self.files).filter_map(|(role, content)| {
            let content = content.as_ref()?;
            Some(tree_file(*role, &format!("/etc/{role}"), content))
        });
        let mut desired = desired(&self.id, files.collect());
        desired.tree.files[0].content = self.nginx.clone().into_bytes();
        let sysctl = self.sysctl.clone();
        let sysctl = sysctl.map(|value| ("net.ipv4.x".to_owned(), value));
        desired.tree.manifest.sysctls.extend(sysctl);
        desired
    }
}

proptest! {
    /// For any host and any sequence of states, carrying out a plan leaves nothing to plan, and the rollback to
    /// generation 0 restores the files and settings that were there.
    #[test]
    fn a_plan_that_was_carried_out_leaves_nothing_to_do(
        host in some_host(),
        states in proptest::collection::vec(some_desired(), 1..4),
    ) {
        let before = host.observation();
        let mut seen = before.clone();
        for desired in states.iter().map(SomeDesired::desired) {
            let plan = plan_one(&desired, &seen);
            carry_out(&plan, &plan.nodes[0], &mut seen);
            let again = plan_one(&desired, &seen);
            let node = &again.nodes[0];
            prop_assert!(again.is_empty(), "{:?}", node.changes);
            prop_assert_eq!(&node.drift, &[]);
        }
        let goal = original(&seen, &before);
        let back = |seen: &Observation| {
            planned(Goal::Rollback { to: 0 }, vec![(goal.clone(), seen.clone())]).unwrap()
        };
        let plan = back(&seen);
        carry_out(&plan, &plan.nodes[0], &mut seen);
        let is_same = seen.files == before.files;
        prop_assert!(is_same, "the files are those before hactl");
        prop_assert_eq!(&seen.sysctls, &before.sysctls);
        let again = back(&seen);
        let node = &again.nodes[0];
        prop_assert!(again.is_empty(), "{:?}", node.changes);
    }

    /// Every difference is planned.
    #[test]
    fn any_change_by_hand_is_seen(state in some_desired(), index in any::<prop::sample::Index>(), now in some_lies()) {
        let (state, now) = (state.desired(), now.live());
        let mut seen = after(&state);
        let file = index.get(&state.tree.files);
        let is_same = matches!(&now, LiveFile::File { mode: 0o644, content, .. } if *content == file.content);
        seen.files.insert(file.path.clone(), now);
        let plan = plan_one(&state, &seen);
        prop_assert_eq!(plan.is_empty(), is_same);
        if !is_same {
            prop_assert_eq!(plan.nodes[0].files().next().unwrap().cause, Cause::Hand);
            prop_assert_eq!(plan.nodes[0].files().count(), 1);
        }
    }
}
