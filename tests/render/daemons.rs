//! The real daemons check rendered files: nginx and keepalived run in private mount, network and
//! PID namespaces, invisible to the machine and gone with the test.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use hactl::model::{Cluster, InterfaceName, Node};
use hactl::render::RenderedNode;
use tokio::sync::Semaphore;

/// The number of stages that run at once. The daemons have to answer within a fraction of a second.
static TURNS: Semaphore = Semaphore::const_new(2);

/// Runs with the stage as `$1`, the node's address as `$2`, the task as `$3`, and then its
/// interfaces, starting with the one that has the address.
///
/// Complaints go to standard output, each prefixed with the program that made it. The exit code is
/// 0 only if there are none.
/// only when there is none.
const IN_NAMESPACE: &str = r#"
set -eu
stage=$1 address=$2 task=$3
shift 3
main=$1
mount --make-rprivate /
for folder in /etc/nginx /etc/keepalived; do
    mount --bind "$stage$folder" "$folder"
done
mount -t tmpfs none /var/log/nginx
mount -t tmpfs none /var/lib/nginx
mount -t tmpfs none /run
mount -t tmpfs none /tmp
mkdir -p /run/hactl
echo 0 >/run/hactl/nginx
ip link set lo up
for interface in "$@"; do
    ip link add "$interface" type veth peer name "far-$interface"
    ip link set "far-$interface" up
    ip link set "$interface" up
done
case $address in
    *:*) ip address add "$address/64" dev "$main" nodad ;;
    *) ip address add "$address/24" dev "$main" ;;
esac
echo 1 >/proc/sys/net/ipv4/ip_nonlocal_bind
echo 1 >/proc/sys/net/ipv6/ip_nonlocal_bind
bad=0
complain() { bad=1; sed "s/^/$1: /" /tmp/said; }

if nginx -t >/tmp/said 2>&1; then
    # A warning is a complaint too.
    if grep -E '\[(warn|error|alert|crit|emerg)\]' /tmp/said >/tmp/said2; then mv /tmp/said2 /tmp/said; complain nginx-t; fi
else
    complain nginx-t
fi
if keepalived -t -f /etc/keepalived/keepalived.conf >/tmp/said 2>&1; then :; else
    echo "exit $?" >>/tmp/said
    complain keepalived-t
fi
if [ "$task" = start ]; then
    keepalived --dont-fork --log-console --log-detail >/tmp/keepalived.log 2>&1 &
    pid=$!
    # The dump says what the running process loaded.
    tries=0
    while :; do
        tries=$((tries + 1))
        sleep 0.05
        # Before it listens for signals, SIGUSR1 would end it.
        if grep -q 'Starting VRRP child' /tmp/keepalived.log; then kill -USR1 "$pid" 2>/dev/null || true; fi
        if grep -q -e 'Smtp HELO name' -e 'Command = .*hactl-' /tmp/keepalived.data 2>/dev/null; then break; fi
        if [ "$tries" -gt 100 ]; then break; fi
    done
    sed -n -e 's/^ *Smtp HELO name = hactl-/loaded /p' -e "s/^ *Command = .*hactl-\([0-9a-f]*\).*/loaded \1/p" /tmp/keepalived.data 2>/dev/null | head -n 1
    if ! kill -0 "$pid" 2>/dev/null; then cp /tmp/keepalived.log /tmp/said; complain keepalived-died; fi
    if grep -i -E 'unknown keyword|ignoring|deprecated|warning|permanent error|security violation|not found|cannot|disabling|resetting|invalid|unable' /tmp/keepalived.log |
        grep -v -E 'IPVS|ipvs|nftables|kernel version' >/tmp/said; then complain keepalived-says; fi
    kill "$pid" 2>/dev/null || true
    wait "$pid" || true
fi
exit $bad
"#;

/// A foreign keepalived.conf that hactl's part can coexist with.
const OTHERS_KEEPALIVED: &str = "global_defs {
    router_id theirs
    script_user root
    enable_script_security
    vrrp_version 2
}
include /etc/keepalived/conf.d/*.conf
vrrp_instance THEIRS {
    interface eth0
    virtual_router_id 250
    virtual_ipaddress {
        10.0.0.50/24
    }
}
";

/// What the daemons printed for a node's files.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) clean: bool,
    /// The complaints, or the generation that keepalived loaded.
    pub(crate) said: String,
}

/// Whether the real daemons can run here, or why not. In CI, `Err` is a failure.
pub(crate) fn available() -> Result<(), String> {
    static ANSWER: OnceLock<Result<(), String>> = OnceLock::new();
    let answer = ANSWER.get_or_init(prepare).clone();
    if let Err(reason) = &answer {
        crate::lab::skip::skip(reason);
    }
    answer
}

/// Installs missing packages if possible.
fn prepare() -> Result<(), String> {
    if !cfg!(target_os = "linux") {
        return Err("this is not Linux".to_owned());
    }
    if !nix::unistd::Uid::effective().is_root() {
        return Err("this is not root".to_owned());
    }
    let wanted = [
        ("nginx", "nginx"),
        ("keepalived", "keepalived"),
        ("shellcheck", "shellcheck"),
        ("busybox", "busybox"),
        ("dash", "dash"),
        ("openssl", "openssl"),
        ("unshare", "util-linux"),
        ("ip", "iproute2"),
    ];
    let mut missing: Vec<&str> = wanted
        .iter()
        .filter(|(program, _)| !on_path(program))
        .map(|(_, package)| *package)
        .collect();
    // Debian packages nginx's stream module separately.
    if !Path::new("/usr/lib/nginx/modules/ngx_stream_module.so").exists() {
        missing.push("libnginx-mod-stream");
    }
    if !missing.is_empty() {
        install(&missing)?;
    }
    let probe = Command::new("unshare").args(["-mnpf", "true"]).output();
    match probe {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!(
            "namespaces are not available: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(error) => Err(format!("failed to run unshare: {error}")),
    }
}

fn on_path(program: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/sbin", "/sbin"])
        .any(|folder| Path::new(folder).join(program).exists())
}

/// Installs Debian packages without starting their services.
fn install(packages: &[&str]) -> Result<(), String> {
    eprintln!("installing {} from Debian", packages.join(", "));
    // policy-rc.d(8): 101 forbids starting services. An existing one is left alone.
    let policy = Path::new("/usr/sbin/policy-rc.d");
    let ours = !policy.exists();
    if ours {
        fs::write(policy, "#!/bin/sh\nexit 101\n").map_err(|e| e.to_string())?;
        fs::set_permissions(policy, fs::Permissions::from_mode(0o755))
            .map_err(|e| e.to_string())?;
    }
    let apt = |args: &[&str]| {
        Command::new("apt-get")
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .output()
    };
    let install = || {
        let mut args = vec!["install", "-y", "--no-install-recommends"];
        args.extend(packages);
        apt(&args)
    };
    let mut result = install();
    if !matches!(&result, Ok(output) if output.status.success()) {
        let _ = apt(&["update"]);
        result = install();
    }
    if ours {
        let _ = fs::remove_file(policy);
    }
    match result {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!(
            "apt-get could not install {}: {}",
            packages.join(", "),
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(error) => Err(format!("failed to run apt-get: {error}")),
    }
}

/// A folder with a node's files at their paths, on top of a copy of this machine's /etc/nginx.
pub(crate) struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    pub(crate) fn new(node: &RenderedNode) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // keepalived's script security checks every folder on the path.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir_all(folder.path().join("etc/keepalived")).unwrap();
        let copied = Command::new("cp")
            .args(["-a", "/etc/nginx"])
            .arg(folder.path().join("etc/"))
            .status()
            .unwrap();
        assert!(copied.success());
        let stage = Self { folder };
        // The distribution's own nginx.conf, which includes conf.d, stands in for the foreign
        // configuration.
        let conf = stage.path("/etc/nginx/nginx.conf");
        let text = fs::read_to_string(&conf).unwrap();
        // Some variants set it in verbatim lines, and nginx rejects duplicates.
        fs::write(conf, text.replace("gzip on;", "")).unwrap();
        // The variants listen on every address, and some with `default_server`.
        let _ = fs::remove_file(stage.path("/etc/nginx/sites-enabled/default"));
        let conf = stage.path("/etc/keepalived/keepalived.conf");
        fs::write(conf, OTHERS_KEEPALIVED).unwrap();
        for file in &node.files {
            let path = stage.path(file.path.as_str());
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &file.content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(file.mode)).unwrap();
        }
        stage
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path.trim_start_matches('/'))
    }

    /// Runs `nginx -t` and `keepalived -t` as `node`; with `start`, also a real keepalived.
    pub(crate) fn judge(&self, cluster: &Cluster, node: &Node, start: bool) -> Verdict {
        let address = node.address.to_string();
        let task = if start { "start" } else { "test" };
        let mut args = vec![address.as_str(), task, node.interface.as_str()];
        let instances = cluster.instances.iter();
        let routes = instances.clone().flat_map(|i| &i.routes);
        let others = instances
            .filter_map(|instance| instance.interface.as_ref())
            .chain(routes.filter_map(|route| route.interface.as_ref()));
        for interface in others.map(InterfaceName::as_str).chain(["eth0"]) {
            if !args[2..].contains(&interface) {
                args.push(interface);
            }
        }
        let output = self.in_namespace(IN_NAMESPACE, &args);
        Verdict {
            clean: output.status.success(),
            said: format!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            ),
        }
    }

    /// Runs a sh `script` with the stage's folder and `args` in namespaces of its own.
    pub(crate) fn in_namespace(&self, script: &str, args: &[&str]) -> Output {
        let _turn = futures::executor::block_on(TURNS.acquire()).unwrap();
        Command::new("unshare")
            .args([
                "-mnpf",
                "--mount-proc",
                "--kill-child",
                "sh",
                "-c",
                script,
                "sh",
            ])
            .arg(self.folder.path())
            .args(args)
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
            .output()
            .unwrap()
    }

    /// Shellcheck's findings for the script at `path`, if any.
    pub(crate) fn shellcheck(&self, path: &str) -> Option<String> {
        let output = Command::new("shellcheck")
            .args(["-s", "sh"])
            .arg(self.path(path))
            .output()
            .unwrap();
        (!output.status.success()).then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
