//! Distinctive secrets, by every kind of reference in every place that takes one. They are searched
//! for in everything that hactl prints, writes and runs while it uses them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use aho_corasick::AhoCorasick;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::cluster::{Cluster, Ended, VIP, machines};
use crate::lab::text;

/// One secret, in every form that would still disclose it.
#[derive(Clone)]
struct Poison {
    name: &'static str,
    forms: Vec<(String, Vec<u8>)>,
}

impl Poison {
    /// `parts` are its secret parts: a password, or the lines of a key.
    fn new(name: &'static str, parts: &[&str]) -> Self {
        let mut forms = Vec::new();
        for part in parts {
            let bytes = part.as_bytes();
            let mut hex = String::new();
            let mut url = String::new();
            for byte in bytes {
                write!(hex, "{byte:02x}").unwrap();
                write!(url, "%{byte:02X}").unwrap();
            }
            let encoded: String = part
                .chars()
                .map(|c| match c {
                    c if c.is_ascii_alphanumeric() || "-_.~".contains(c) => c.to_string(),
                    c => format!("%{:02X}", u32::from(c)),
                })
                .collect();
            let (left, right) = part.split_at(part.len() / 2);
            let mut add = |form: &str, text: String| forms.push((form.to_owned(), text.into()));
            add("itself", (*part).to_owned());
            add("its first half", left.to_owned());
            add("its second half", right.to_owned());
            add("hexadecimal", hex.clone());
            add("hexadecimal", hex.to_uppercase());
            add("URL-encoded", url);
            add("URL-encoded", encoded);
            // Inside a longer text, base64 can have it at any of three offsets.
            for before in 0..3 {
                let mut longer = vec![b'x'; before];
                longer.extend_from_slice(bytes);
                let whole = (before + bytes.len()) * 4 / 3;
                let own = [0, 2, 3][before];
                add("base64", STANDARD.encode(longer)[own..whole].to_owned());
            }
        }
        Self { name, forms }
    }
}

/// All forms of all secrets, so that each text is searched only once.
#[derive(Clone)]
struct Poisons {
    names: Arc<[String]>,
    forms: AhoCorasick,
}

impl Poisons {
    fn new(poisons: &[Poison]) -> Self {
        let (mut names, mut needles) = (Vec::new(), Vec::new());
        for poison in poisons {
            for (form, needle) in &poison.forms {
                names.push(format!("{} ({form})", poison.name));
                needles.push(needle);
            }
        }
        Self {
            names: names.into(),
            forms: AhoCorasick::new(needles).unwrap(),
        }
    }
}

/// The first secret found in `bytes`, if any.
fn found(poisons: &Poisons, bytes: &[u8]) -> Option<String> {
    let found = poisons.forms.find(bytes)?;
    Some(poisons.names[found.pattern().as_usize()].clone())
}

#[track_caller]
fn assert_clean(poisons: &Poisons, what: &str, bytes: &[u8]) {
    if let Some(found) = found(poisons, bytes) {
        panic!("{found} is in {what}:\n{}", String::from_utf8_lossy(bytes));
    }
}

/// Reads the command line and environment of every process in a loop, and the files in a folder.
struct Watcher {
    stop: Arc<AtomicBool>,
    rounds: Arc<AtomicUsize>,
    thread: JoinHandle<BTreeSet<String>>,
}

impl Watcher {
    /// `folder` is where hactl keeps its temporary files.
    fn start(poisons: Poisons, folder: PathBuf) -> Self {
        let (stop, rounds) = (Arc::default(), Arc::default());
        let (stopped, round) = (Arc::clone(&stop), Arc::clone(&rounds));
        let thread = std::thread::spawn(move || {
            let mut leaks = BTreeSet::new();
            while !AtomicBool::load(&stopped, Ordering::Relaxed) {
                leaks.extend(processes(&poisons));
                leaks.extend(control_folders(&poisons, &folder));
                AtomicUsize::fetch_add(&round, 1, Ordering::Relaxed);
            }
            leaks
        });
        Self {
            stop,
            rounds,
            thread,
        }
    }

    #[track_caller]
    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        let leaks = self.thread.join().unwrap();
        assert!(leaks.is_empty(), "{leaks:#?}");
        let rounds = self.rounds.load(Ordering::Relaxed);
        assert!(rounds > 10, "looked {rounds} times only");
    }
}

fn processes(poisons: &Poisons) -> Vec<String> {
    let mut leaks = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let process = entry.path();
        if !entry.file_name().as_encoded_bytes()[0].is_ascii_digit() {
            continue;
        }
        let read = |what: &str| fs::read(process.join(what)).unwrap_or_default();
        let mut command = read("cmdline");
        // A program that is just starting has an environment before it has arguments. Wait for the
        // arguments, which identify it. One that exits before has to be skipped.
        for _ in 0..50 {
            if !command.is_empty() || read("environ").is_empty() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
            command = read("cmdline");
        }
        if command.is_empty() {
            continue;
        }
        let said = || String::from_utf8_lossy(&command).replace('\0', " ");
        if let Some(found) = found(poisons, &command) {
            leaks.push(format!("{found} on the command line of {}", said()));
        }
        // Secrets referenced by `env` are in hactl's own environment by design, and for a moment in
        // that of the process that starts it.
        let is_hactl = fs::read_link(process.join("exe")).is_ok_and(|exe| {
            let exe = exe.to_string_lossy().into_owned();
            exe == env!("CARGO_BIN_EXE_hactl") || command.ends_with(b"\0-vvv\0")
        });
        if let Some(found) = found(poisons, &read("environ"))
            && !is_hactl
        {
            leaks.push(format!("{found} in the environment of {}", said()));
        }
    }
    leaks
}

/// ssh's logs and sockets, while they exist.
fn control_folders(poisons: &Poisons, folder: &Path) -> Vec<String> {
    let is_meant = |path: &PathBuf| path.to_string_lossy().contains("/.ssh-connection");
    let folders = fs::read_dir(folder).into_iter().flatten().flatten();
    let files = folders
        .map(|entry| entry.path())
        .filter(is_meant)
        .flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
    let leak = |path: PathBuf| {
        let found = found(poisons, &fs::read(&path).ok()?)?;
        Some(format!("{found} in {}", path.display()))
    };
    files.filter_map(|entry| leak(entry.path())).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() {
                all.push(entry.path());
            }
        }
    }
    all
}

/// The files below `folder` with a secret in them, by relative path. Each must be private to root,
/// or be in a folder that is.
#[track_caller]
fn holders(poisons: &Poisons, folder: &Path) -> BTreeMap<String, String> {
    let mut holders = BTreeMap::new();
    for path in files(folder) {
        let Ok(bytes) = fs::read(&path) else { continue };
        let Some(found) = found(poisons, &bytes) else {
            continue;
        };
        let is_closed = |path: &Path| {
            let metadata = fs::metadata(path).unwrap();
            metadata.uid() == 0 && metadata.permissions().mode().trailing_zeros() >= 6
        };
        let own = path.strip_prefix(folder).unwrap();
        let is_closed = own
            .ancestors()
            .filter(|own| !own.as_os_str().is_empty())
            .any(|own| is_closed(&folder.join(own)));
        assert!(is_closed, "others can read {found} in {}", path.display());
        holders.insert(own.to_string_lossy().into_owned(), found);
    }
    holders
}

/// Whether the path is a private key's.
fn is_key(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|it| it == "key")
}

/// The secret lines of a PEM key, without header and footer.
fn key_lines(key: &str) -> Vec<&str> {
    key.lines().filter(|line| !line.starts_with('-')).collect()
}

/// The secrets in one state of the inventory.
struct Secrets {
    password: String,
    certificate: String,
    key: String,
}

impl Secrets {
    fn new(folder: &Path, password: &str) -> Self {
        let [certificate, key] = ["made.crt", "made.key"].map(|name| folder.join(name));
        let mut openssl = std::process::Command::new("openssl");
        openssl
            .args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"])
            .args(["-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args(["-subj", "/CN=www.example.org"])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate);
        text(&mut openssl);
        let take = |path: &Path| {
            let text = fs::read_to_string(path).unwrap();
            fs::remove_file(path).unwrap();
            text
        };
        Self {
            password: password.to_owned(),
            certificate: take(&certificate),
            key: take(&key),
        }
    }

    fn poisons(&self) -> Vec<Poison> {
        vec![
            Poison::new("the password", &[&self.password]),
            Poison::new("the key", &key_lines(&self.key)),
        ]
    }
}

/// The folder with the sources of secrets. It is outside of the lab's folder, which must not
/// contain any.
struct Sources(tempfile::TempDir);

impl Sources {
    fn write(&self, secrets: &Secrets) {
        for (name, text) in [
            ("password", &secrets.password),
            ("crt", &secrets.certificate),
            ("key", &secrets.key),
        ] {
            let path = self.0.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }

    fn reference(&self, kind: &str, name: &str) -> String {
        let path = self.0.path().join(name);
        match kind {
            "env" => format!("{{ env: POISON_{} }}", name.to_uppercase()),
            "file" => format!("{{ file: {} }}", path.display()),
            _ => format!("{{ command: [cat, {}] }}", path.display()),
        }
    }
}

/// Runs hactl with the environment variables that the inventory refers to.
fn run(cluster: &Cluster, secrets: &Secrets, arguments: &[&str]) -> Ended {
    let inventory = cluster.inventory();
    // The last argument identifies hactl's process, even before its exec.
    let arguments: Vec<&str> = arguments.iter().copied().chain(["-vvv"]).collect();
    let mut command = cluster.command(&arguments);
    for (name, value) in [
        ("POISON_PASSWORD", &secrets.password),
        ("POISON_CRT", &secrets.certificate),
        ("POISON_KEY", &secrets.key),
    ] {
        if inventory.contains(name) {
            command.env(name, value);
        }
    }
    let output = command.output().unwrap();
    Ended::new(&arguments, output)
}

const BASE: &str = "
vrrp: { version: 2, failover: standard, authentication: { password: PASSWORD } }
";

#[test]
fn a_secret_is_where_it_is_needed_and_nowhere_else() {
    let mut spec = machines();
    spec.nodes = 2;
    let Some(cluster) = Cluster::up(&spec) else {
        return;
    };
    // Make ssh log as much as possible.
    let ssh_config = cluster.ssh_config_path();
    let chatty = fs::read_to_string(&ssh_config)
        .unwrap()
        .replace("LogLevel ERROR", "LogLevel DEBUG3");
    fs::write(&ssh_config, chatty).unwrap();

    let sources = Sources(tempfile::tempdir().unwrap());
    let outputs = tempfile::tempdir().unwrap();
    let out = |name: &str| outputs.path().join(name).to_str().unwrap().to_owned();
    let plain = cluster.inventory();
    // Eight characters, since VRRPv2 uses no more. The punctuation between the letters rules out
    // matches by chance.
    let rounds = [
        ("env", "file", "command", "Qz%KW=vX"),
        ("file", "command", "env", "uJ+7*Rk%"),
        ("command", "env", "file", "%Hm=?Zt3"),
    ];
    let mut poisons: Vec<Poison> = Vec::new();
    let mut all = Poisons::new(&[]);
    for (round, (password, certificate, key, secret)) in rounds.into_iter().enumerate() {
        let secrets = Secrets::new(outputs.path(), secret);
        sources.write(&secrets);
        poisons.extend(secrets.poisons());
        all = Poisons::new(&poisons);
        let tls = format!(
            "{}  - {{ names: [www.example.org], listen: [443 tls], proxy: backend, tls: {{ certificate: {}, key: {} }} }}\n",
            plain,
            sources.reference(certificate, "crt"),
            sources.reference(key, "key")
        );
        let vrrp = BASE.replace("PASSWORD", &sources.reference(password, "password"));
        cluster.set_inventory(&(tls + &vrrp));

        let watcher = Watcher::start(all.clone(), cluster.dir());
        let [plan, folder, log] =
            ["saved.plan", "rendered", "log"].map(|name| out(&format!("{name}{round}")));
        let applied = u32::try_from(round).unwrap();
        let last = applied.to_string();
        let mut verbs: Vec<Vec<&str>> = vec![
            vec!["check"],
            vec!["plan"],
            vec!["plan", "--format", "json"],
            vec!["plan", "--out", &plan, "--log-file", &log],
            vec!["render", &folder],
            vec!["apply", "--check-only", "--diff"],
        ];
        match round {
            0 => verbs.push(vec!["apply", &plan, "--yes", "--diff"]),
            1 => verbs.push(vec!["apply", "--yes", "--diff", "--format", "json"]),
            _ => verbs.push(vec!["apply", "--yes", "--diff"]),
        }
        verbs.extend([
            vec!["plan"],
            vec!["status"],
            vec!["status", "--format", "json"],
            vec!["history"],
            vec!["history", "--format", "json"],
        ]);
        if round > 0 {
            verbs.push(vec!["rollback", "--to", &last, "--yes", "--diff"]);
            verbs.push(vec!["apply", "--yes", "--diff", "--format", "json"]);
        }
        for arguments in &verbs {
            let ended = run(&cluster, &secrets, arguments).exits(0);
            assert_clean(
                &all,
                &format!("{arguments:?}, standard output"),
                ended.stdout.as_bytes(),
            );
            assert_clean(
                &all,
                &format!("{arguments:?}, standard error"),
                ended.stderr.as_bytes(),
            );
            if round > 0 && arguments == &["plan"] && ended.stdout.contains("Plan:") {
                shows_that_it_changed_only(&ended.stdout);
            }
        }
        watcher.end();

        for name in [&plan, &log] {
            assert_clean(&all, name, &fs::read(name).unwrap());
            let mode = fs::metadata(name).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{name}: {mode:o}");
        }
        let rendered = holders(&all, Path::new(&folder));
        let is_meant = |path: &str| path.ends_with("keepalived.conf") || is_key(path);
        assert_eq!(rendered.len(), 4, "{rendered:?}");
        assert!(rendered.keys().all(|path| is_meant(path)), "{rendered:?}");
    }

    let page = cluster.on_controller(
        "curl",
        &["-sSk", "--max-time", "5", &format!("https://{VIP}/")],
    );
    assert!(page.starts_with('b'), "{page}");
    on_the_controller(&cluster, &all);
    on_the_nodes(&cluster, &all);
}

/// A diff of a change in secrets alone shows only fingerprints.
#[track_caller]
fn shows_that_it_changed_only(plan: &str) {
    let changes: Vec<&str> = plan
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(['+', '-']))
        .filter(|line| !line.contains("-----") && !line.contains("CERTIFICATE"))
        .collect();
    let secret: Vec<&&str> = changes
        .iter()
        .filter(|line| line.contains("<secret "))
        .collect();
    // Two lines each for the password and the key.
    assert_eq!(secret.len(), 4, "{plan}");
    assert_ne!(secret[0][1..], secret[1][1..], "{plan}");
    let others = changes.iter().filter(|line| !line.contains("<secret "));
    // A certificate is not secret.
    let is_base64 = |line: &str| {
        !line.is_empty()
            && line
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+/=".contains(c))
    };
    for line in others {
        assert!(is_base64(&line[1..]), "{line}\n{plan}");
    }
}

/// The lab's folder is hactl's temporary folder, too, and contains the inventory.
#[track_caller]
fn on_the_controller(cluster: &Cluster, poisons: &Poisons) {
    let nodes = cluster.dir().join("nodes");
    for path in files(&cluster.dir()) {
        if !path.starts_with(&nodes) {
            assert_clean(
                poisons,
                &path.display().to_string(),
                &fs::read(&path).unwrap_or_default(),
            );
        }
    }
}

#[track_caller]
fn on_the_nodes(cluster: &Cluster, poisons: &Poisons) {
    for node in cluster.nodes() {
        // Everything ever written there, except the packages.
        let upper = cluster.dir().join("nodes").join(&node).join("upper");
        assert!(upper.join("etc/keepalived").is_dir(), "{}", upper.display());
        let holders = holders(poisons, &upper);
        let is_meant = |path: &str| {
            path == "etc/keepalived/keepalived.conf"
                || path.starts_with("etc/nginx/") && is_key(path)
                || path.starts_with("var/lib/hactl/generations/")
        };
        for (path, found) in &holders {
            assert!(is_meant(path), "{node}: {found} in {path}");
        }
        assert!(
            holders.contains_key("etc/keepalived/keepalived.conf"),
            "{holders:?}"
        );
        assert!(holders.keys().any(|path| is_key(path)), "{holders:?}");
        for format in ["cat", "export"] {
            let journal = cluster.on(&node, &format!("journalctl -q --no-pager -o {format}"));
            assert_clean(poisons, &format!("{node}'s journal"), journal.as_bytes());
        }
        // Files in memory.
        let volatile = cluster.on(
            &node,
            "find /run /tmp /dev/shm -xdev -type f -size -4M -exec cat {} + 2>/dev/null; :",
        );
        assert_clean(
            poisons,
            &format!("{node}'s /run and /tmp"),
            volatile.as_bytes(),
        );
    }
}
