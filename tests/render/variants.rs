//! The building blocks of the dimensions, and the secrets and files they refer to.

use std::process::Command;
use std::sync::OnceLock;

use hactl::model::*;
use secrecy::SecretString;

use crate::daemons::Stage;

type Value = (&'static str, fn(&mut Cluster));

/// An option with its alternatives.
pub(crate) struct Dimension {
    pub(crate) name: &'static str,
    pub(crate) values: &'static [Value],
}

pub(crate) fn reference(name: &str) -> SecretRef {
    SecretRef::Env(name.to_owned())
}

/// A self-signed certificate and its key, generated once.
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

/// All secrets that the variants refer to.
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

/// Creates the files that the variants expect on the host.
pub(crate) fn host_files(stage: &Stage) {
    let (certificate, key) = pair();
    std::fs::write(stage.path("/etc/nginx/own.crt"), certificate).unwrap();
    std::fs::write(stage.path("/etc/nginx/own.key"), key).unwrap();
}

/// The value that changes nothing.
pub(crate) fn nothing(_: &mut Cluster) {}

/// A certificate on the host, which [`host_files`] creates.
pub(crate) fn on_host() -> Tls {
    Tls::OnHost {
        certificate: HostPath::new("/etc/nginx/own.crt").unwrap(),
        key: HostPath::new("/etc/nginx/own.key").unwrap(),
    }
}

/// Text with special meaning to nginx, shells, Tera and human readers.
pub(crate) const HOSTILE: &str =
    r#"a"b'c; } { # \ \n \" $ $5 ${ $( `id` ${nope ~ !é中 {{ x }} {% if %} \"#;
