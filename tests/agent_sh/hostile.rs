//! Hosts that are full, read-only, strange or hostile.

use hactl::agent::{
    Ending, FailureCode, HookState, ListensAt, LiveFile, ObserveRequest, PeerAnswer, PeerDoor,
    Reason,
};
use hactl::model::UnitId;

use crate::in_every_shell;
use crate::scene::*;
use crate::world::World;

in_every_shell!(
    a_folder_in_the_way_is_an_obstacle,
    a_link_that_no_text_can_tell_is_refused,
    what_a_host_says_commands_no_terminal,
    answers_do_not_mix,
    scripts_and_peers_are_looked_at,
    arguments_are_no_paths_and_no_programs,
    a_read_only_folder_is_found_while_staging,
    a_full_disk_is_said_to_be_full,
    an_undo_needs_no_space,
    an_undo_tries_every_step,
    a_daemon_that_does_not_take_the_change_is_found_out,
);

async fn a_folder_in_the_way_is_an_obstacle(world: &World) {
    inhabited(world);
    let agent = world.agent();
    world.sh("mkdir -p /etc/x/in-it");
    let tree = tree(TX, 1, ID, vec![file("/etc/x", "new")]);
    assert_eq!(
        staged(&agent, TX, &tree).await.unwrap_err().code(),
        Some(FailureCode::Obstacle)
    );
    // A folder that appears between preparation and activation.
    world.sh("rm -r /etc/x");
    staged(&agent, TX, &tree).await.unwrap();
    world.sh("mkdir -p /etc/x/in-it");
    let before = world.snapshot("/etc");
    let problem = agent.activate(TX, &activation()).await.unwrap_err();
    assert_eq!(problem.code(), Some(FailureCode::Obstacle));
    agent.revert(TX, &Reason::failed("x")).await.unwrap();
    assert_eq!(world.snapshot("/etc"), before);
}

async fn a_link_that_no_text_can_tell_is_refused(world: &World) {
    let agent = world.agent();
    for target in ["a\nabsent\t/etc/passwd", "a\tb", "\u{1b}[2J"] {
        let at = world.path("/etc/x");
        std::os::unix::fs::symlink(target, &at).unwrap();
        let tree = tree(TX, 1, ID, vec![file("/etc/x", "new")]);
        assert_eq!(
            staged(&agent, TX, &tree).await.unwrap_err().code(),
            Some(FailureCode::Obstacle)
        );
        let kept = world.read("/var/lib/hactl/generations/0/manifest");
        assert!(!kept.contains("passwd"), "{kept}");
        std::fs::remove_file(at).unwrap();
    }
}

async fn what_a_host_says_commands_no_terminal(world: &World) {
    let hostile = "\u{1b}]0;x\u{7}\tend\nend\nhactl-agent\t1\nfail\tlocked";
    inhabited(world);
    world.write("/etc/os-release", "ID='a\nend\t\u{1b}[2J'\nVERSION_ID=12\n");
    world.write("/run/nginx.serves", hostile);
    world.write("/etc/x", hostile);
    std::os::unix::fs::symlink(hostile, world.path("/etc/y")).unwrap();
    let question = ObserveRequest {
        installed: true,
        paths: vec![path("/etc/x"), path("/etc/y"), path("/etc")],
        ..ObserveRequest::default()
    };
    let seen = world.agent().observe(&question).await.unwrap();
    assert_eq!(
        seen.files[&path("/etc/x")].content(),
        Some(hostile.as_bytes())
    );
    assert!(seen.files[&path("/etc")] == LiveFile::Other);
    let LiveFile::Link(target) = &seen.files[&path("/etc/y")] else {
        panic!("a link is seen as one");
    };
    let texts = [target, &seen.os.id, &seen.loaded[&UnitId::NGINX]];
    for text in texts {
        assert!(!text.contains(char::is_control), "{text:?}");
    }
    assert_eq!(seen.os.id, "a?end??[2J");
}

async fn answers_do_not_mix(world: &World) {
    inhabited(world);
    let content = "x".repeat(300_000);
    world.write("/etc/large", &content);
    let question = ObserveRequest {
        paths: vec![path("/etc/large"), path(NGINX)],
        backends: (1..60_u16)
            .map(|n| (format!("192.0.2.{n}"), 80))
            .chain([("192.0.2.66".to_owned(), 80)])
            .collect(),
        ..ObserveRequest::default()
    };
    for _ in 0..3 {
        let seen = world.agent().observe(&question).await.unwrap();
        assert_eq!(
            seen.files[&path("/etc/large")].content(),
            Some(content.as_bytes())
        );
        assert_eq!(seen.backends.len(), 60);
        assert_eq!(seen.backends.iter().filter(|it| !it.up).count(), 1);
        assert_eq!(seen.loaded(UnitId::KEEPALIVED), Some("aaaaaaaaaaaa"));
        assert_eq!(seen.vrrp.len(), 1);
    }
}

/// Scripts named in keepalived.conf are inspected on the host, and peers' listeners are probed from
/// it.
async fn scripts_and_peers_are_looked_at(world: &World) {
    world.write(
        "/etc/keepalived/keepalived.conf",
        "global_defs {\n    enable_script_security\n    notify_fifo /run/keepalived.fifo\n}\nvrrp_script check {\n    script \"/etc/hooks/check.sh fast\"\n}\n\
         vrrp_instance VI_1 {\n    notify_master \"/etc/hooks/gone.sh INSTANCE\"\n    notify /etc/hooks/text.sh\n    \
         notify_fault '/etc/open/hook.sh'\n}\n",
    );
    for script in ["hooks/check.sh", "hooks/text.sh", "open/hook.sh"] {
        world.write(&format!("/etc/{script}"), "#!/bin/sh\n");
    }
    world.write("/etc/hooks/text.sh", "#!/bin/sh\n'/opt/page' \"$1\"\n");
    world.sh("chmod 755 /etc/hooks/check.sh /etc/open/hook.sh; chmod 644 /etc/hooks/text.sh; chmod 777 /etc/open");
    let question = ObserveRequest {
        hooks: vec![path("/opt/page"), path("/opt/not-yet")],
        programs: vec![
            (path("/opt/page"), false),
            (path("/etc/hooks/check.sh"), true),
            (path("/etc/open/hook.sh"), true),
            (path("/etc/open/hook.sh"), false),
        ],
        // Nothing listens at the second one in this world.
        peers: ["192.0.2.1", "192.0.2.66"]
            .map(|peer| PeerDoor {
                address: peer.parse().unwrap(),
                port: 80,
                listens: ListensAt::All,
            })
            .into(),
        ..ObserveRequest::default()
    };
    let seen = world.agent().observe(&question).await.unwrap();
    let hook = |path: &str| {
        let hook = seen.hooks.iter().find(|hook| hook.path == path);
        hook.map(|hook| hook.state.clone())
    };
    assert_eq!(hook("/etc/hooks/check.sh"), Some(HookState::Ready));
    assert_eq!(hook("/etc/hooks/gone.sh"), Some(HookState::Missing));
    assert_eq!(hook("/etc/hooks/text.sh"), Some(HookState::NotExecutable));
    let component = "/etc/open".to_owned();
    assert_eq!(
        hook("/etc/open/hook.sh"),
        Some(HookState::Unsafe { component })
    );
    // Called by a live script. The other program is not.
    assert_eq!(hook("/opt/page"), Some(HookState::Missing));
    assert_eq!(seen.hooks.len(), 5);
    // Programs that a planned configuration names, whatever is live.
    let states: Vec<_> = seen
        .programs
        .iter()
        .map(|program| program.state.clone())
        .collect();
    let component = "/etc/open".to_owned();
    assert_eq!(
        states,
        [
            HookState::Missing,
            HookState::Ready,
            HookState::Unsafe { component },
            HookState::Ready,
        ]
    );
    let answer = |peer: &str| {
        let peer: std::net::IpAddr = peer.parse().unwrap();
        let seen = seen.peers.iter().find(|seen| seen.door.address == peer);
        seen.map(|seen| seen.answer)
    };
    assert_eq!(answer("192.0.2.1"), Some(PeerAnswer::Open));
    assert_eq!(answer("192.0.2.66"), Some(PeerAnswer::Refused));
}

async fn arguments_are_no_paths_and_no_programs(world: &World) {
    let agent = world.agent();
    for tx in [
        "",
        "../../etc",
        "a/b",
        ".",
        "a b",
        "a\nb",
        "$(touch /etc/y)",
        "a;b",
    ] {
        for verb in [
            "lock",
            "unlock",
            "prepare",
            "stage",
            "activate",
            "confirm",
            "revert",
            "expire",
            "expire-at-boot",
            "validate-staged",
        ] {
            let answer = world.raw(&[verb, tx, "5", "6", "7"], b"end\n");
            assert!(answer.contains("fail\tprotocol\t"), "{verb} {tx}: {answer}");
        }
    }
    for number in [
        "",
        "x",
        "1;reboot",
        "a[$(touch /etc/y)]",
        "-1",
        "1\nExecStart=/x",
    ] {
        for argv in [
            ["lock", TX, "h", "1", number],
            ["activate", TX, number, "", ""],
            ["generation", number, "", "", ""],
        ] {
            let answer = world.raw(&argv, b"end\n");
            assert!(answer.contains("fail\tprotocol\t"), "{argv:?}: {answer}");
        }
    }
    assert!(!world.exists("/etc/y"));
    assert_eq!(
        agent.generation(7).await.unwrap_err().code(),
        Some(FailureCode::NoGeneration)
    );
    assert!(world.raw(&["nonsense"], b"").contains("fail\tprotocol\t"));
}

async fn a_read_only_folder_is_found_while_staging(world: &World) {
    inhabited(world);
    let agent = world.agent();
    let before = world.snapshot("/etc");
    world.sh("mount --bind /etc/nginx /etc/nginx; mount -o remount,bind,ro /etc/nginx");
    let tree = tree(TX, 1, ID, vec![file("/etc/nginx/new/file", "x")]);
    // Both a dry run and staging find it.
    let looked = agent.validate(&tree).await.unwrap_err();
    let problem = staged(&agent, TX, &tree).await.unwrap_err();
    for problem in [looked, problem] {
        assert_eq!(problem.code(), Some(FailureCode::ReadOnly), "{problem}");
        assert!(
            problem
                .to_string()
                .contains("/etc/nginx: Read-only file system"),
            "{problem}"
        );
    }
    // A folder that becomes read-only in between.
    world.sh("umount /etc/nginx");
    staged(&agent, TX, &tree).await.unwrap();
    world.sh("mount --bind /etc/nginx /etc/nginx; mount -o remount,bind,ro /etc/nginx");
    let problem = agent.activate(TX, &activation()).await.unwrap_err();
    assert_eq!(problem.code(), Some(FailureCode::Write), "{problem}");
    assert!(
        problem.to_string().contains("Read-only file system"),
        "{problem}"
    );
    agent.revert(TX, &Reason::failed("x")).await.unwrap();
    world.sh("umount /etc/nginx");
    assert_eq!(world.snapshot("/etc"), before);
    // The same for hactl's own folder.
    world.sh("mount --bind /var/lib /var/lib; mount -o remount,bind,ro /var/lib");
    let problem = agent.validate(&tree).await.unwrap_err();
    assert_eq!(
        problem.code(),
        Some(FailureCode::StateUnwritable),
        "{problem}"
    );
    for tx in [TX, "other"] {
        let problem = agent.lock(&request(tx)).await.unwrap_err();
        assert_eq!(
            problem.code(),
            Some(FailureCode::StateUnwritable),
            "{problem}"
        );
        assert!(
            problem.to_string().contains("Read-only file system"),
            "{problem}"
        );
    }
}

async fn a_full_disk_is_said_to_be_full(world: &World) {
    inhabited(world);
    let agent = world.agent();
    world.sh("mkdir -p /var/lib/hactl; mount -t tmpfs -o size=256k,mode=700 tmpfs /var/lib/hactl");
    let large = tree(TX, 1, ID, vec![file("/etc/large", vec![b'x'; 400_000])]);
    let problem = staged(&agent, TX, &large).await.unwrap_err();
    assert_eq!(problem.code(), Some(FailureCode::Disk), "{problem}");
    agent.unlock(TX).await.unwrap();
    let fits = tree(TX, 1, ID, vec![]);
    for left_over in [0, 4, 8, 12, 16, 20, 24, 28, 32, 40, 48] {
        world.sh(&format!(
            "rm -f /var/lib/hactl/ballast; cat /dev/zero >/var/lib/hactl/ballast 2>/dev/null
             size=$(stat -c %s /var/lib/hactl/ballast); truncate -s $((size - {left_over} * 1024)) /var/lib/hactl/ballast"
        ));
        let before = world.snapshot("/etc");
        let ended = activated(&agent, TX, &fits).await;
        if let Err(problem) = &ended {
            assert_eq!(
                problem.code(),
                Some(FailureCode::Disk),
                "{left_over}: {problem}"
            );
        }
        agent.revert(TX, &Reason::failed("x")).await.unwrap();
        agent.unlock(TX).await.unwrap();
        assert_eq!(world.snapshot("/etc"), before, "{left_over}");
    }
    world.sh("rm /var/lib/hactl/ballast");
    applied(&agent, TX, &fits).await.unwrap();
}

async fn an_undo_needs_no_space(world: &World) {
    world.sh("mount -t tmpfs -o size=4m,mode=755 tmpfs /var/lib; mkdir /var/lib/site");
    inhabited(world);
    world.write("/var/lib/site/large", "y".repeat(200_000));
    let before = world.snapshot("/var/lib/site");
    let agent = world.agent();
    let more = vec![
        file("/var/lib/site/large", "small\n"),
        file("/var/lib/site/new/file", "new\n"),
    ];
    activated(&agent, TX, &tree(TX, 1, ID, more)).await.unwrap();
    world.sh("cat /dev/zero >/var/lib/ballast 2>/dev/null || true");
    let _ = agent.revert(TX, &Reason::failed("x")).await;
    assert_eq!(world.read("/var/lib/site/large").len(), 200_000);
    assert_eq!(world.read(NGINX), "# id aaaaaaaaaaaa\n");
    world.sh("rm /var/lib/ballast");
    assert!(world.timer("expire", TX).status.success());
    assert_eq!(world.snapshot("/var/lib/site"), before);
}

async fn an_undo_tries_every_step(world: &World) {
    inhabited(world);
    let before = world.snapshot("/etc");
    let agent = world.agent();
    let more = vec![file("/etc/a", "new"), file("/etc/z", "new")];
    activated(&agent, TX, &tree(TX, 1, ID, more)).await.unwrap();
    world.sh("rm /etc/a /etc/nginx/nginx.conf; mkdir -p /etc/a/b /etc/nginx/nginx.conf/b; echo 'restart keepalived.service' >/run/fail; echo 'reload keepalived.service' >>/run/fail");
    let problem = agent.revert(TX, &Reason::failed("x")).await.unwrap_err();
    assert_eq!(problem.code(), Some(FailureCode::Revert));
    let detail = problem.detail();
    for part in [
        "cannot write /etc/a: a folder is in the way",
        "cannot write /etc/nginx/nginx.conf",
        "cannot reload or restart keepalived.service",
    ] {
        assert!(detail.contains(part), "{detail}");
    }
    assert_eq!(world.read(KEEPALIVED), "# id aaaaaaaaaaaa\n");
    assert!(!world.exists("/etc/z"));
    assert_eq!(world.read("/kernel/net/core/somaxconn"), "4096\n");
    let seen = agent.observe(&ObserveRequest::default()).await.unwrap();
    assert_eq!(
        seen.journal.unwrap().tx,
        TX,
        "what is not undone stays in the journal"
    );
    assert_eq!(seen.outcome.unwrap().result, Ending::Incomplete);
    assert!(
        !world.timer("expire", TX).status.success(),
        "the timer tries again"
    );
    world.sh("rm -r /etc/a /etc/nginx/nginx.conf /run/fail");
    assert!(world.timer("expire", TX).status.success());
    assert_eq!(world.snapshot("/etc"), before);
}

async fn a_daemon_that_does_not_take_the_change_is_found_out(world: &World) {
    inhabited(world);
    let before = world.snapshot("/etc");
    let agent = world.agent();
    world.write("/run/nginx-is-stuck", "");
    let tree = tree(TX, 1, ID, vec![]);
    let problem = activated(&agent, TX, &tree).await.unwrap_err();
    assert_eq!(problem.code(), Some(FailureCode::Stale), "{problem}");
    agent.revert(TX, &Reason::failed("x")).await.unwrap();
    std::fs::remove_file(world.path("/run/nginx-is-stuck")).unwrap();
    world.write("/run/fail", "reload keepalived.service\n");
    let problem = activated(&agent, TX, &tree).await.unwrap_err();
    assert_eq!(problem.code(), Some(FailureCode::Service), "{problem}");
    assert!(
        problem
            .detail()
            .contains("what the journal says of keepalived.service"),
        "{problem}"
    );
    agent.revert(TX, &Reason::failed("x")).await.unwrap();
    agent.unlock(TX).await.unwrap();
    assert_eq!(world.snapshot("/etc"), before);
    nothing_is_left(world);
}
