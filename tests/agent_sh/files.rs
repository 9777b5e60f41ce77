//! Staged files arrive byte for byte, and a rollback restores the exact original.

use hactl::agent::{
    Activation, FailureCode, LiveFile, Manifest, ObserveRequest, Reason, TreeFile, UnitAction,
};
use hactl::model::HostPath;

use crate::in_every_shell;
use crate::scene::*;
use crate::world::World;

in_every_shell!(
    an_owner_is_prepared_before_a_daemon_is_told,
    what_a_script_did_before_it_was_another_one_is_undone,
    staging_keeps_every_byte,
    a_stream_that_is_not_what_was_sent_is_refused,
    what_a_host_reads_it_reads_to_the_byte,
    units_that_systemd_has_not_read_are_read,
    a_file_that_cannot_be_read_spoils_no_other,
    a_revert_restores_everything,
    a_rollback_to_generation_0_restores_everything,
    generation_0_is_never_overwritten,
    paths_are_no_patterns,
    an_empty_kernel_setting_comes_back,
    a_staged_tree_is_needed_for_validation,
    a_daemon_that_systemd_had_started_reads_the_new_file,
);

/// The plan saw nginx between two restart attempts of systemd. The next attempt succeeded, with the
/// old file.
async fn a_daemon_that_systemd_had_started_reads_the_new_file(world: &World) {
    let agent = world.agent();
    inhabited(world);
    staged(&agent, TX, &tree(TX, 1, ID, Vec::new()))
        .await
        .unwrap();
    let activation = Activation {
        actions: actions(UnitAction::Start, UnitAction::Reload),
        ..activation()
    };
    agent.activate(TX, &activation).await.unwrap();
    assert_eq!(world.read("/run/nginx.serves").trim(), ID);
}

/// Their files may be as they should be, so that nothing changes them.
async fn units_that_systemd_has_not_read_are_read(world: &World) {
    let agent = world.agent();
    inhabited(world);
    for (stale, reloads) in [("no", false), ("yes", true)] {
        world.write("/run/units/nginx.service.stale", stale);
        staged(&agent, TX, &tree(TX, 1, ID, Vec::new()))
            .await
            .unwrap();
        world.write("/run/systemctl.log", "");
        agent.activate(TX, &activation()).await.unwrap();
        let log = world.read("/run/systemctl.log");
        assert_eq!(log.contains("daemon-reload"), reloads, "{stale}: {log}");
        agent.revert(TX, &Reason::failed("test")).await.unwrap();
        agent.unlock(TX).await.unwrap();
    }
}

/// A file of the kernel's has another size than it says.
async fn a_file_that_cannot_be_read_spoils_no_other(world: &World) {
    world.write("/etc/read", "a");
    let paths = ["/etc/read", "/proc/self/status"];
    let question = ObserveRequest {
        paths: paths.map(|path| HostPath::new(path).unwrap()).into(),
        ..ObserveRequest::default()
    };
    let seen = world.agent().observe(&question).await.unwrap();
    assert!(!seen.boot_id.is_empty());
    for path in paths {
        let file = &seen.files[&HostPath::new(path).unwrap()];
        assert!(matches!(file, LiveFile::File { content, .. } if !content.is_empty()));
    }
}

/// Files travel together, but for large ones. Nothing of one may get into another.
async fn what_a_host_reads_it_reads_to_the_byte(world: &World) {
    let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(300_000).collect();
    let contents = [
        ("/etc/read/all-bytes", &bytes[..1000]),
        ("/etc/read/empty", b""),
        ("/etc/read/end", b"end\n =0\nbodies\n"),
        ("/etc/read/large", &bytes[..]),
        ("/etc/read/newlines", b"\n\n\n"),
        ("/etc/read/no-newline", b"a"),
    ];
    world.sh("mkdir /etc/read && ln -s empty /etc/read/link");
    for (path, content) in contents {
        world.write(path, content);
    }
    let mut question = ObserveRequest::default();
    let others = ["/etc/read/link", "/etc/read/none", "/etc/read"];
    let paths = contents.iter().map(|(path, _)| *path).chain(others);
    question.paths = paths.map(|path| HostPath::new(path).unwrap()).collect();
    let seen = world.agent().observe(&question).await.unwrap();
    let of = |path: &str| &seen.files[&HostPath::new(path).unwrap()];
    for (path, expected) in contents {
        let LiveFile::File { content, .. } = of(path) else {
            panic!("{path} is no file");
        };
        assert!(content == expected, "{path}");
    }
    assert!(*of("/etc/read/link") == LiveFile::Link("empty".to_owned()));
    assert!(*of("/etc/read/none") == LiveFile::Absent);
    assert!(*of("/etc/read") == LiveFile::Other);
}

async fn staging_keeps_every_byte(world: &World) {
    let agent = world.agent();
    let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(100_000).collect();
    let more = vec![
        file("/etc/all-bytes", bytes.clone()),
        file("/etc/empty", ""),
        file("/etc/no-newline", "a\0b"),
        file("/etc/like-the-protocol", "end\nfile\ta\tb\n"),
    ];
    staged(&agent, TX, &tree(TX, 1, ID, more)).await.unwrap();
    let kept = |path: &str| {
        let at = format!("/var/lib/hactl/tx/{TX}/new/files{path}");
        std::fs::read(world.path(&at)).unwrap()
    };
    assert_eq!(kept("/etc/all-bytes"), bytes);
    assert_eq!(kept("/etc/empty"), b"");
    assert_eq!(kept("/etc/no-newline"), b"a\0b");
    assert_eq!(kept("/etc/like-the-protocol"), b"end\nfile\ta\tb\n");
    assert!(!world.exists("/etc/empty"), "nothing live changes");
    let mode = world.sh("stat -c %a /var/lib/hactl /var/lib/hactl/tx/*/new/files/etc/empty");
    assert_eq!(mode, "700\n600\n");
}

async fn a_stream_that_is_not_what_was_sent_is_refused(world: &World) {
    let agent = world.agent();
    agent.lock(&request(TX)).await.unwrap();
    let line = format!(
        "file\tother\t0644\troot\troot\t{}\t/etc/x\n",
        "0".repeat(64)
    );
    for (payload, code) in [
        (format!("{line}3\nabcend\n"), "disk"),
        (format!("{line}3\na"), "protocol"),
        (line.clone(), "protocol"),
        (format!("{line}$(touch /etc/y)\n"), "protocol"),
        ("config_id\tx\n".to_owned(), "protocol"),
        (String::new(), "protocol"),
    ] {
        let answer = world.raw(&["stage", TX], payload.as_bytes());
        assert!(
            answer.contains(&format!("fail\t{code}\t")),
            "{payload}: {answer}"
        );
        let problem = agent.activate(TX, &activation()).await.unwrap_err();
        assert!(
            matches!(
                problem.code(),
                Some(FailureCode::Protocol | FailureCode::NoGeneration)
            ),
            "{problem}"
        );
    }
    let answer = world.raw(&["prepare", TX], b"absent\t/etc/x\n");
    assert!(answer.contains("fail\tprotocol\t"), "{answer}");
    assert!(!world.exists("/var/lib/hactl/generations/0/manifest"));
    staged(&agent, TX, &tree(TX, 1, ID, vec![])).await.unwrap();
    let answer = world.raw(&["activate", TX, "300"], b"action\tnginx\treload\n");
    assert!(answer.contains("fail\tprotocol\t"), "{answer}");
    assert!(!world.exists(NGINX) && !world.exists("/var/lib/hactl/journal"));
}

/// Every kind of file that may exist at a managed path.
fn furnished(world: &World) -> Vec<hactl::agent::TreeFile> {
    inhabited(world);
    world.sh(
        "cd /etc; printf 'a\\0b' >bytes; chown 4242:4343 bytes; chmod 4750 bytes
         echo x >target; ln -s target link; ln -s /nowhere dangling; : >empty; chmod 0 empty
         echo one >a.b; echo two >aXb; chown nobody:daemon a.b",
    );
    [
        "/etc/bytes",
        "/etc/link",
        "/etc/dangling",
        "/etc/empty",
        "/etc/a.b",
        "/etc/aXb",
        "/etc/new/deeper/file",
        "/etc/new/other",
        "/usr/local/sbin/script",
        "/etc/systemd/system/nginx.service.d/hactl.conf",
    ]
    .map(|at| file(at, format!("new {at}\n")))
    .into()
}

async fn a_revert_restores_everything(world: &World) {
    let more = furnished(world);
    let before = world.snapshot("/etc");
    let agent = world.agent();
    let mut tree = tree(TX, 1, ID, more);
    tree.manifest.entries.push(absent("/etc/target"));
    activated(&agent, TX, &tree).await.unwrap();
    assert_eq!(
        world.read("/etc/new/deeper/file"),
        "new /etc/new/deeper/file\n"
    );
    assert_eq!(
        world.sh("stat -c '%a %F' /etc/new /etc/link"),
        "755 directory\n644 regular file\n"
    );
    assert!(!world.exists("/etc/target"));
    assert_eq!(world.read("/kernel/net/core/somaxconn"), "65535\n");
    assert_eq!(world.read("/run/nginx.serves").trim(), ID);
    agent.revert(TX, &Reason::failed("test")).await.unwrap();
    agent.unlock(TX).await.unwrap();
    assert_eq!(world.snapshot("/etc"), before);
    assert_eq!(world.read("/kernel/net/core/somaxconn"), "4096\n");
    assert_eq!(world.read("/run/nginx.serves").trim(), "aaaaaaaaaaaa");
    assert_eq!(world.read("/run/keepalived.loaded").trim(), "aaaaaaaaaaaa");
    assert_eq!(world.read("/run/units/nginx.service.enabled"), "enabled\n");
    assert_eq!(
        world.read("/run/units/keepalived.service.enabled"),
        "disabled\n"
    );
    nothing_is_left(world);
    // A second rollback finds nothing to do.
    agent.revert(TX, &Reason::failed("test")).await.unwrap();
    assert_eq!(world.snapshot("/etc"), before);
}

async fn a_rollback_to_generation_0_restores_everything(world: &World) {
    let more = furnished(world);
    let before = world.snapshot("/etc");
    let agent = world.agent();
    applied(&agent, TX, &tree(TX, 1, ID, more)).await.unwrap();
    nothing_is_left_but_what_was_applied(world);
    let mut second = tree("second", 2, "ba9876543210", vec![]);
    second.manifest.entries.push(absent("/etc/new/deeper/file"));
    applied(&agent, "second", &second).await.unwrap();
    rolled_back_to_0(world, "third").await;
    assert_eq!(world.snapshot("/etc"), before);
    assert!(!world.exists("/var/lib/hactl/live"));
    nothing_is_left(world);
    // A confirmation whose answer was lost is repeated.
    agent.confirm("third").await.unwrap();
    assert_eq!(
        agent
            .revert("third", &Reason::failed("x"))
            .await
            .unwrap_err()
            .code(),
        Some(FailureCode::Confirmed)
    );
}

fn nothing_is_left_but_what_was_applied(world: &World) {
    let left = world.sh("find /etc -name '*hactl*'");
    assert_eq!(left, "/etc/systemd/system/nginx.service.d/hactl.conf\n");
}

async fn generation_0_is_never_overwritten(world: &World) {
    inhabited(world);
    let agent = world.agent();
    applied(&agent, TX, &tree(TX, 1, ID, vec![])).await.unwrap();
    let first = world.snapshot("/var/lib/hactl/generations/0");
    world.write(NGINX, "changed by hand\n");
    world.write("/etc/further", "was here\n");
    let more = vec![file("/etc/further", "by hactl\n")];
    applied(&agent, "second", &tree("second", 2, ID, more))
        .await
        .unwrap();
    let second = world.snapshot("/var/lib/hactl/generations/0");
    for (path, was) in first
        .iter()
        .filter(|(path, _)| path.starts_with("files/etc/nginx"))
    {
        assert_eq!(&second[path], was, "{path}");
    }
    let (manifest, contents) = agent.generation(0).await.unwrap();
    assert_eq!(contents[&path(NGINX)], b"# id aaaaaaaaaaaa\n");
    assert_eq!(contents[&path("/etc/further")], b"was here\n");
    assert_eq!(manifest.entries.len(), 3, "{manifest:?}");
    // Records of a prepared change stay valid after the change is abandoned.
    agent.lock(&request("third")).await.unwrap();
    let wanted = tree("third", 3, ID, vec![file("/etc/further", "x")]).full_manifest();
    agent.prepare("third", &wanted, &[]).await.unwrap();
    assert_eq!(world.snapshot("/var/lib/hactl/generations/0"), second);
}

async fn paths_are_no_patterns(world: &World) {
    inhabited(world);
    world.sh("cd /etc; echo one >aXb; echo two >a.b; echo 1 >/kernel/net/ipv4/a_b");
    let before = world.snapshot("/etc");
    let agent = world.agent();
    let more = vec![
        file("/etc/aXb", "new\n"),
        file("/etc/a.b", "new\n"),
        file("/etc/X.c", "new\n"),
    ];
    applied(&agent, TX, &tree(TX, 1, ID, more)).await.unwrap();
    rolled_back_to_0(world, "second").await;
    assert_eq!(world.snapshot("/etc"), before);
}

async fn an_empty_kernel_setting_comes_back(world: &World) {
    inhabited(world);
    let agent = world.agent();
    let key = "net.ipv4.ip_local_reserved_ports".to_owned();
    let mut tree = tree(TX, 1, ID, vec![]);
    tree.manifest.sysctls.push((key, "8080,9090".to_owned()));
    applied(&agent, TX, &tree).await.unwrap();
    assert_eq!(
        world.read("/kernel/net/ipv4/ip_local_reserved_ports"),
        "8080,9090\n"
    );
    rolled_back_to_0(world, "second").await;
    assert_eq!(
        world
            .read("/kernel/net/ipv4/ip_local_reserved_ports")
            .trim(),
        ""
    );
    // An unknown sysctl is refused, and the attempt leaves nothing behind.
    let mut tree = crate::scene::tree("third", 1, ID, vec![]);
    tree.manifest
        .sysctls
        .push(("net.ipv4.nope".to_owned(), "1".to_owned()));
    let problem = activated(&agent, "third", &tree).await.unwrap_err();
    assert_eq!(problem.code(), Some(FailureCode::Sysctl));
    agent.revert("third", &Reason::failed("x")).await.unwrap();
    agent.unlock("third").await.unwrap();
    assert_eq!(world.read("/kernel/net/core/somaxconn"), "4096\n");
    nothing_is_left(world);
}

async fn a_staged_tree_is_needed_for_validation(world: &World) {
    let agent = world.agent();
    agent.lock(&request(TX)).await.unwrap();
    let problem = agent.validate_staged(TX).await.unwrap_err();
    assert_eq!(problem.code(), Some(FailureCode::Protocol));
    let kept = Manifest::default();
    assert!(agent.prepare(TX, &kept, &[]).await.unwrap().is_empty());
}

/// keepalived may still run the old handover script after it was told to stop, before the script is
/// replaced.
async fn what_a_script_did_before_it_was_another_one_is_undone(world: &World) {
    const HAND_OVER: &str = "/etc/keepalived/hand_over.sh";
    // Only this version of the script knows which addresses it put on the loopback interface. It
    // puts them there once more.
    let old = "#!/bin/sh\n[ \"${1-}\" = end ] || exit 0\n\
               if [ -e /run/called ]; then rm -f /run/on-loopback; else : >/run/on-loopback; fi\n: >/run/called\n";
    let script = |content: &str| TreeFile {
        mode: 0o755,
        ..file(HAND_OVER, content)
    };
    inhabited(world);
    let agent = world.agent();
    let first = tree("first", 1, ID, vec![script(old)]);
    applied(&agent, "first", &first).await.unwrap();
    for again in ["another", "goes"] {
        world.sh("rm -f /run/called /run/on-loopback");
        let more = match again {
            "another" => vec![script("#!/bin/sh\n")],
            _ => vec![],
        };
        let mut next = tree(again, 2, ID, more);
        if again == "goes" {
            next.manifest.entries.push(absent(HAND_OVER));
        }
        activated(&agent, again, &next).await.unwrap();
        assert!(world.exists("/run/called"), "{again}");
        assert!(!world.exists("/run/on-loopback"), "{again}");
        agent.revert(again, &Reason::failed("test")).await.unwrap();
        agent.unlock(again).await.unwrap();
    }
}

/// A node that gets the handover script with this very change loses no response when a daemon stops
/// for the change.
async fn an_owner_is_prepared_before_a_daemon_is_told(world: &World) {
    inhabited(world);
    let agent = world.agent();
    let script = |comment: &str| TreeFile {
        mode: 0o755,
        ..file(
            "/etc/keepalived/hand_over.sh",
            format!("#!/bin/sh\n# {comment}\necho \"hand_over $1\" >>/run/systemctl.log\n"),
        )
    };
    world.write("/run/systemctl.log", "");
    activated(&agent, TX, &tree(TX, 1, ID, vec![script("once")]))
        .await
        .unwrap();
    assert_prepared_first(world);

    agent.confirm(TX).await.unwrap();
    agent.unlock(TX).await.unwrap();
    let next = tree("next", 2, ID, vec![script("again")]);
    activated(&agent, "next", &next).await.unwrap();
    world.write("/run/systemctl.log", "");
    let undone = agent.revert("next", &Reason::failed("test")).await;
    undone.unwrap();
    assert_prepared_first(world);
}

#[track_caller]
fn assert_prepared_first(world: &World) {
    let log = world.read("/run/systemctl.log");
    let at = |line: &str| log.lines().position(|it| it == line);
    let prepared = at("hand_over sync").unwrap();
    assert!(Some(prepared) < at("reload nginx.service"), "{log}");
    assert!(Some(prepared) < at("reload keepalived.service"), "{log}");
}
