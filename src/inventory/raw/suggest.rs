//! What a person may have meant by a word that isn't known.

/// What other tools, and keepalived and nginx themselves, call these keys.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("advert_int", "advert_interval"),
    ("auth", "authentication"),
    ("auth_pass", "authentication"),
    ("backend", "upstream"),
    ("backends", "upstreams"),
    ("body_size", "client_max_body_size"),
    ("cert", "certificate"),
    ("default_server", "default"),
    ("dev", "interface"),
    ("gateway", "via"),
    ("hostname", "host"),
    ("hosts", "nodes"),
    ("iface", "interface"),
    ("ip", "address"),
    ("jump_host", "jump"),
    ("lb_method", "balance"),
    ("location", "locations"),
    ("method", "balance"),
    ("nopreempt", "preempt"),
    ("pass", "password"),
    ("prio", "priority"),
    ("private_key", "key"),
    ("proxy_jump", "jump"),
    ("proxy_pass", "proxy"),
    ("root", "files"),
    ("server", "servers"),
    ("server_name", "names"),
    ("server_names", "names"),
    ("ssl", "tls"),
    ("ssl_certificate", "certificate"),
    ("ssl_certificate_key", "key"),
    ("sysctls", "sysctl"),
    ("upstream", "proxy"),
    ("url", "to"),
    ("username", "user"),
    ("virtual_ip", "vips"),
    ("virtual_ipaddress", "addresses"),
    ("virtual_ips", "vips"),
    ("virtual_routes", "routes"),
    ("vip", "vips"),
    ("vrid", "virtual_router_id"),
];

/// The one of `known` that `typed` most likely means.
pub(super) fn key(typed: &str, known: &[&'static str]) -> Option<&'static str> {
    let normal = typed.to_ascii_lowercase().replace('-', "_");
    let by_other_name = OTHER_NAMES
        .iter()
        .find(|(other, name)| *other == normal && known.contains(name))
        .map(|(_, name)| *name);
    by_other_name.or_else(|| word(&normal, known))
}

/// The one of `known` that is nearest to `typed`, if any is near.
pub(super) fn word(typed: &str, known: &[&'static str]) -> Option<&'static str> {
    // A distance between huge texts costs their product, and none is a slip of the pen.
    if typed.len() > 40 {
        return None;
    }
    known
        .iter()
        // A number that is wrong is no misspelt one.
        .filter(|word| word.parse::<i64>().is_err())
        .map(|word| (strsim::damerau_levenshtein(typed, word), *word))
        .filter(|(distance, word)| *distance <= 1 + word.len() / 5)
        .min()
        .map(|(_, word)| word)
}

/// The one of `known` names of the operator's own that is nearest to `typed`, if any is near.
pub(in crate::inventory) fn nearest<'n>(typed: &str, known: &[&'n str]) -> Option<&'n str> {
    let limit = 1 + typed.len() / 5;
    // As many as a person could have mistaken for each other.
    let known = known.iter().take(200).filter(|name| name.len() <= 63);
    known
        .map(|name| (strsim::damerau_levenshtein(typed, name), *name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}

/// True when what stands behind `key`, which most likely means `near`, had better not be shown:
/// `auth_pass: hunter2`, but not `proxy_pass: backend`.
pub(super) fn names_a_secret(key: &str, near: Option<&str>) -> bool {
    if near.is_some_and(|near| !matches!(near, "authentication" | "password" | "key")) {
        return false;
    }
    let key = key.to_ascii_lowercase();
    ["pass", "secret", "token", "credential"]
        .iter()
        .any(|word| key.contains(word))
}

/// The words, for a sentence.
pub(super) fn list(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_recognised_and_another_word_is_not() {
        let known = [
            "address",
            "advert_interval",
            "interface",
            "preempt",
            "tls",
            "2",
        ];
        for (typed, expected) in [
            ("adress", Some("address")),
            ("ip", Some("address")),
            ("Address", Some("address")),
            ("advert-interval", Some("advert_interval")),
            ("advert_int", Some("advert_interval")),
            ("nopreempt", Some("preempt")),
            ("ssl", Some("tls")),
            ("colour", None),
            ("4", None),
        ] {
            assert_eq!(key(typed, &known), expected, "{typed}");
        }
    }

    #[test]
    fn keys_that_hold_secrets_are_known_by_name() {
        assert!(names_a_secret("auth_pass", Some("authentication")));
        assert!(names_a_secret("PASSWORD", None));
        assert!(!names_a_secret("proxy_pass", Some("proxy")));
        assert!(!names_a_secret("address", None));
    }
}
