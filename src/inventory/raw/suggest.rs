//! Suggestions for unknown words.

/// Names that other tools, keepalived and nginx use for these keys.
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

/// The known key that `typed` most likely means.
pub(super) fn key(typed: &str, known: &[&'static str]) -> Option<&'static str> {
    let normal = typed.to_ascii_lowercase().replace('-', "_");
    let by_other_name = OTHER_NAMES
        .iter()
        .find(|(other, name)| *other == normal && known.contains(name))
        .map(|(_, name)| *name);
    by_other_name.or_else(|| word(&normal, known))
}

/// The known word nearest to `typed`, if it is similar.
pub(super) fn word(typed: &str, known: &[&'static str]) -> Option<&'static str> {
    // The distance of huge texts takes time proportional to their product, and these are not typos.
    if typed.len() > 40 {
        return None;
    }
    known
        .iter()
        // A wrong number is not a typo.
        .filter(|word| word.parse::<i64>().is_err())
        .map(|word| (strsim::damerau_levenshtein(typed, word), *word))
        .filter(|(distance, word)| *distance <= 1 + word.len() / 5)
        .min()
        .map(|(_, word)| word)
}

/// The nearest of the user-defined names, if it is similar.
pub(in crate::inventory) fn nearest<'n>(typed: &str, known: &[&'n str]) -> Option<&'n str> {
    let limit = 1 + typed.len() / 5;
    // More names than anyone could confuse.
    let known = known.iter().take(200).filter(|name| name.len() <= 63);
    known
        .map(|name| (strsim::damerau_levenshtein(typed, name), *name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}

/// True if the value of `key`, which most likely means `near`, should not be shown: `auth_pass: hunter2`, but not
/// `proxy_pass: backend`.
pub(super) fn names_a_secret(key: &str, near: Option<&str>) -> bool {
    if near.is_some_and(|near| !matches!(near, "authentication" | "password" | "key")) {
        return false;
    }
    let key = key.to_ascii_lowercase();
    ["pass", "secret", "token", "credential"]
        .iter()
        .any(|word| key.contains(word))
}

/// Joins the words for a sentence.
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
