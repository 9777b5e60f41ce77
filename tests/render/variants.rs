//! What the dimensions of options are made of, and what they need around them.

use std::process::Command;
use std::sync::OnceLock;

use hactl::model::*;
use secrecy::SecretString;

use crate::daemons::Stage;

/// A label and the change that it stands for.
type Value = (&'static str, fn(&mut Cluster));

/// One thing that can be chosen.
pub(crate) struct Dimension {
    /// What is chosen.
    pub(crate) name: &'static str,
    /// From what.
    pub(crate) values: &'static [Value],
}

/// Where the tests' secrets come from.
pub(crate) fn reference(name: &str) -> SecretRef {
    SecretRef::Env(name.to_owned())
}

/// A self-signed certificate and its key, made once.
pub(crate) fn pair() -> &'static (String, String) {
    static PAIR: OnceLock<(String, String)> = OnceLock::new();
    PAIR.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let output = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
            ])
            .args(["-nodes", "-days", "2", "-subj", "/CN=www.example.org"])
            .args(["-keyout", "key.pem", "-out", "cert.pem"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        (read("cert.pem"), read("key.pem"))
    })
}

/// All secrets that a variant refers to.
pub(crate) fn secrets() -> Secrets {
    let mut secrets = Secrets::default();
    let (certificate, key) = pair();
    for (name, value) in [
        ("CERT", certificate.as_str()),
        ("KEY", key),
        ("PASSWORD", "s3cret/+"),
        ("LONG_PASSWORD", "nginx_ha_2025\n"),
    ] {
        secrets.insert(reference(name), SecretString::from(value.to_owned()));
    }
    secrets
}

/// Files that an inventory may expect on the host.
pub(crate) fn host_files(stage: &Stage) {
    let (certificate, key) = pair();
    std::fs::write(stage.path("/etc/nginx/own.crt"), certificate).unwrap();
    std::fs::write(stage.path("/etc/nginx/own.key"), key).unwrap();
}

/// The value that leaves all as it is.
pub(crate) fn nothing(_: &mut Cluster) {}

/// A certificate that is on the host already, if [`host_files`] put it there.
pub(crate) fn on_host() -> Tls {
    Tls::OnHost {
        certificate: HostPath::new("/etc/nginx/own.crt").unwrap(),
        key: HostPath::new("/etc/nginx/own.key").unwrap(),
    }
}

/// Text that means something to nginx, to shells, to Tera and to people.
pub(crate) const HOSTILE: &str =
    r#"a"b'c; } { # \ \n \" $ $5 ${ $( `id` ${nope ~ !é中 {{ x }} {% if %} \"#;
