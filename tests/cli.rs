//! The command line as a script sees it: help, exit codes, streams. No test here needs a host.
#![expect(clippy::unwrap_used, reason = "what is missing here fails the test")]

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

#[path = "support/documents.rs"]
mod documents;

use hactl::cli::{Exit, Repeated, cli_page, exit_codes_page, helps};

const INVENTORY: &str = "inventories/small.yml";

fn hactl() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hactl"));
    for name in [
        "HACTL_INVENTORY",
        "HACTL_SSH_CONFIG",
        "HACTL_TEMPLATES",
        "NO_COLOR",
    ] {
        command.env_remove(name);
    }
    command
        .env("LC_ALL", "C.UTF-8")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    hactl().args(args).output().unwrap()
}

fn code(output: &Output) -> u8 {
    u8::try_from(output.status.code().unwrap()).unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The printed document, validated against its schema.
fn document(output: &Output) -> serde_json::Value {
    documents::assert_valid(hactl::report::schema, &stdout(output));
    json(output)
}

/// Fails if a generated page is stale, or rewrites it with `UPDATE=1`.
fn assert_page(path: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, page).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == page,
        "{} is stale: run this test with UPDATE=1",
        path.display()
    );
}

#[test]
fn the_pages_are_what_the_code_says() {
    assert_page("docs/exit-codes.md", &exit_codes_page());
    assert_page("docs/cli.md", &cli_page());
}

#[test]
fn every_help_fits_80_columns() {
    for (command, help) in helps(Repeated::Shown) {
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{command} --help: {line}");
        }
    }
}

#[test]
fn every_verb_has_help_on_standard_output() {
    for (command, _) in helps(Repeated::Shown) {
        let mut words: Vec<&str> = command.split(' ').skip(1).collect();
        words.push("--help");
        let output = run(&words);
        assert_eq!(code(&output), 0, "{command}");
        assert!(stdout(&output).contains("Usage:"), "{command}");
        assert_eq!(stderr(&output), "", "{command}");
    }
}

#[test]
fn help_lists_every_exit_code() {
    let help = stdout(&run(&["--help"]));
    for exit in Exit::ALL {
        let line = format!("{:>4}  {}", exit.code(), exit.meaning());
        assert!(help.contains(&line), "{line}");
    }
}

#[test]
fn wrong_usage_ends_with_64() {
    for args in [
        &[][..],
        &["nonsense"],
        &["plan", "--nonsense"],
        &["plan", "--parallel", "0"],
        &["plan", "--limit", "not a name"],
        &["apply", "--confirm-timeout", "60"],
        &["failover-test", "--drill", "nonsense", "--yes"],
        &["-i", INVENTORY, "plan", "--limit", "lb9"],
        &["-q", "-v", "check"],
    ] {
        let output = run(args);
        assert_eq!(code(&output), 64, "{args:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "", "{args:?}");
    }
}

#[test]
fn nothing_is_changed_where_nobody_can_be_asked() {
    for verb in ["apply", "rollback", "failover-test"] {
        let output = run(&["-i", INVENTORY, verb]);
        assert_eq!(code(&output), 64, "{verb}");
        assert!(stderr(&output).contains("--yes"), "{}", stderr(&output));
    }
}

#[test]
fn an_inventory_at_fault_ends_with_3() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.yml");
    fs::write(&bad, "cluster: web\nnods: []\n").unwrap();
    for verb in ["check", "plan", "status", "history"] {
        let missing = run(&["-i", "/nonexistent.yml", verb]);
        assert_eq!(code(&missing), 3, "{verb}");
        assert!(stderr(&missing).contains("hactl init"), "{verb}");
        let output = run(&["-i", bad.to_str().unwrap(), verb]);
        assert_eq!(code(&output), 3, "{verb}");
        assert!(stderr(&output).contains("nodes"), "{}", stderr(&output));
        assert_eq!(stdout(&output), "", "{verb}");
    }
}

#[test]
fn a_failure_is_one_json_document_for_who_asked_for_json() {
    let output = run(&["-i", "/nonexistent.yml", "plan", "--format", "json"]);
    assert_eq!(code(&output), 3);
    let document = document(&output);
    assert_eq!(document["verb"], "plan");
    assert_eq!(document["exit_code"], 3);
    assert!(
        document["error"]["message"]
            .as_str()
            .unwrap()
            .contains("/nonexistent.yml")
    );
}

#[test]
fn check_tells_findings_and_strict_minds_them() {
    let guide = "inventories/guide.yml";
    let lenient = run(&["-i", guide, "check"]);
    assert_eq!(code(&lenient), 0, "{}", stdout(&lenient));
    assert_eq!(code(&run(&["-i", guide, "check", "--strict"])), 3);
    let document = document(&run(&["-i", guide, "check", "--format", "json"]));
    assert!(document["findings"][0]["place"]["line"].is_u64());
}

#[test]
fn the_schemas_of_documents_are_fresh() {
    for name in hactl::report::schemas() {
        let schema = hactl::report::schema(name).unwrap();
        let text = hactl::report::schema_text(name).unwrap();
        assert_page(&format!("schema/output/{name}.schema.json"), &text);
        assert_eq!(json(&run(&["schema", "--of", name])), schema);
    }
    let page = fs::read_to_string("docs/output.md").unwrap();
    let unnamed: Vec<_> = hactl::report::schemas()
        .filter(|name| !page.contains(&format!("(../schema/output/{name}.schema.json)")))
        .collect();
    assert_eq!(unnamed, Vec::<&str>::new(), "docs/output.md names them all");
}

#[test]
fn what_verbs_print_offline_is_as_their_schemas_say() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let new = format!("{folder}/new.yml");
    let init = [
        "init",
        "--output",
        &new,
        "--force",
        "--node",
        "lb1=10.0.0.11",
        "--vip",
        "10.0.0.100/24",
        "--backend",
        "10.0.0.50:80",
    ];
    let verbs: [&[&str]; 12] = [
        &init,
        &["explain", "ka025"],
        &["explain", "64"],
        &["explain", "address"],
        &["explain", "vrrp.failovr"],
        &["-i", "inventories/guide.yml", "check"],
        &["-i", INVENTORY, "render", folder],
        &["-i", "tests/inventories/malformed/addresses.yml", "check"],
        &["-i", "/nonexistent.yml", "status"],
        &["-i", INVENTORY, "failover-test"],
        &["lab", "status", "--name", "no-such-lab"],
        &["lab", "demo"],
    ];
    for verb in verbs {
        let whole = document(&run(&[verb, &["--format", "json"]].concat()));
        let output = run(&[verb, &["--format", "ndjson"]].concat());
        documents::assert_valid(hactl::report::schema, &stdout(&output));
        let line = stdout(&output);
        assert_eq!(line.lines().count(), 1, "{line}");
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["event"], "report");
        assert_eq!(line["report"], whole);
        assert_eq!(whole["exit_code"], code(&output));
    }
}

#[test]
fn results_that_cannot_be_written_are_in_the_documents_exit_code() {
    let show = ["failover-test", "--show", "tests/drills/trouble.json"];
    let json_too = [&show[..], &["--format", "json"]].concat();
    let shown = run(&json_too);
    assert_eq!(
        (code(&shown), document(&shown)["exit_code"].as_u64()),
        (0, Some(0))
    );
    let lost = run(&[&json_too[..], &["--html", "/nonexistent/page.html"]].concat());
    assert_eq!(
        (code(&lost), document(&lost)["exit_code"].as_u64()),
        (1, Some(1))
    );
}

#[test]
fn a_field_that_no_schema_names_is_refused() {
    let output = run(&["-i", "/nonexistent.yml", "plan", "--format", "json"]);
    for place in ["", "/error"] {
        let mut whole = document(&output);
        let fields = whole.pointer_mut(place).unwrap().as_object_mut().unwrap();
        fields.insert("undocumented".to_owned(), 1.into());
        let text = whole.to_string();
        let refused = std::panic::catch_unwind(|| {
            documents::assert_valid(hactl::report::schema, &text);
        });
        assert!(refused.is_err(), "{place:?}");
    }
}

#[test]
fn render_writes_the_same_bytes_twice() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let first = run(&["-i", INVENTORY, "render", folder]);
    assert_eq!(code(&first), 0, "{}", stderr(&first));
    let paths = stdout(&first);
    let path = paths
        .lines()
        .find(|path| path.ends_with("nginx.conf"))
        .unwrap();
    let before = fs::read(path).unwrap();
    run(&["-i", INVENTORY, "render", folder]);
    assert_eq!(before, fs::read(path).unwrap());
}

#[test]
fn init_writes_an_inventory_that_check_accepts_and_replaces_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.yml");
    let path = path.to_str().unwrap();
    let init = [
        "init",
        "-o",
        path,
        "--node",
        "a=10.0.0.11",
        "--node",
        "b=10.0.0.12",
        "--vip",
        "10.0.0.50/24",
        "--backend",
        "10.0.1.1:80,10.0.1.2:80",
    ];
    let output = run(&init);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(code(&run(&["-i", path, "check"])), 0);
    assert_eq!(code(&run(&init)), 64);
    assert_eq!(code(&run(&[&init[..], &["--force"]].concat())), 0);
    let bad = run(&["init", "-o", "/tmp/never-written.yml", "--vip", "nonsense"]);
    assert_eq!(code(&bad), 3);
    assert!(!Path::new("/tmp/never-written.yml").exists());
}

#[test]
fn colours_are_for_terminals_unless_asked_for() {
    let escapes = |output: &Output| stdout(output).contains('\u{1b}');
    let check = ["-i", "inventories/guide.yml", "check"];
    assert!(!escapes(&run(&check)));
    assert!(escapes(
        &run(&[&check[..], &["--color", "always"]].concat())
    ));
    let help = run(&["--color=always", "--help"]);
    assert!(escapes(&help));
    let asked = hactl()
        .args(check)
        .args(["--color", "auto"])
        .env("NO_COLOR", "1")
        .output();
    assert!(!escapes(&asked.unwrap()));
}

#[test]
fn ascii_where_the_locale_has_no_more() {
    let output = hactl()
        .args(["-i", "inventories/guide.yml", "check"])
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    let quoted = stdout(&output);
    assert!(quoted.contains(",-["), "{quoted}");
}

#[test]
fn a_closed_pipe_is_no_reason_to_panic() {
    let mut child = hactl()
        .args(["man"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let status = child.wait().unwrap();
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
}

#[test]
fn a_full_disk_is_a_failure() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full");
    let Ok(full) = full else {
        return;
    };
    let output = hactl().arg("schema").stdout(full).output().unwrap();
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("standard output"));
}

#[test]
fn generated_texts_are_whole() {
    assert_eq!(json(&run(&["schema"]))["title"], "hactl inventory");
    assert!(stdout(&run(&["man"])).contains(".TH hactl"));
    for shell in ["bash", "fish", "zsh"] {
        assert!(
            stdout(&run(&["completions", shell])).contains("hactl"),
            "{shell}"
        );
    }
}

#[test]
fn a_log_file_holds_json_lines() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("hactl.log");
    let log = log.to_str().unwrap();
    let output = run(&["-i", INVENTORY, "--log-file", log, "check"]);
    assert_eq!(code(&output), 0);
    for line in fs::read_to_string(log).unwrap().lines() {
        let _: serde_json::Value = serde_json::from_str(line).unwrap();
    }
    let refused = run(&["-i", INVENTORY, "--log-file", "/nonexistent/log", "check"]);
    assert_eq!(code(&refused), 1);
}

/// hactl runs other programs to gather information. They could pass their environment on, so they
/// must not get secrets.
#[test]
fn git_gets_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let inventory = fs::read_to_string(INVENTORY).unwrap()
        + "vrrp: { version: 2, failover: standard, authentication: { password: { env: VRRP_PASSWORD } } }\n";
    fs::write(path("hactl.yml"), inventory).unwrap();
    fs::write(path("git"), "#!/bin/sh\nenv >>\"$0.saw\"\nexit 1\n").unwrap();
    fs::set_permissions(path("git"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(path("ssh_config"), "Host *\n    ProxyCommand false\n").unwrap();
    let output = hactl()
        .args(["plan", "-i", &path("hactl.yml")])
        .args(["--ssh-config", &path("ssh_config")])
        .env("VRRP_PASSWORD", "Qz%KW=vX")
        .env(
            "PATH",
            format!("{}:{}", path(""), std::env::var("PATH").unwrap()),
        )
        .output()
        .unwrap();
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    let saw = fs::read_to_string(path("git.saw")).unwrap();
    assert!(!saw.contains("Qz%KW=vX"), "{saw}");
}

#[test]
fn a_verb_refuses_the_options_of_others_wherever_they_stand() {
    for args in [
        &["man", "--limit", "lb1"][..],
        &["--limit", "lb1", "man"],
        &["schema", "-i", INVENTORY],
        &["-i", INVENTORY, "completions", "bash"],
        &["check", "--ssh-config", "x"],
        &["--yes", "plan"],
        &["status", "--yes"],
        &["confirm", "--limit", "lb1"],
        &["failover-test", "--limit", "lb1"],
        &["lab", "status", "--parallel", "2"],
    ] {
        let output = run(args);
        assert_eq!(code(&output), 64, "{args:?}");
        let option = args.iter().find(|word| word.starts_with('-')).unwrap();
        let said = format!("unexpected argument '{option}' found");
        assert!(
            stderr(&output).contains(&said),
            "{args:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn options_may_stand_before_the_verb_that_takes_them() {
    let behind = run(&["check", "-i", INVENTORY, "--format", "json"]);
    assert_eq!(code(&behind), 0, "{}", stderr(&behind));
    for args in [
        ["-i", INVENTORY, "--format", "json", "check"],
        ["--format", "json", "-i", INVENTORY, "check"],
    ] {
        let before = run(&args);
        assert_eq!(before.stdout, behind.stdout, "{args:?}");
    }
}
