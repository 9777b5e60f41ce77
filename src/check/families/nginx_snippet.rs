//! Host names in raw nginx snippets that nginx resolves when it starts.

use crate::check::places;
use crate::conf::nginx::{Item, items};
use crate::model::{Cluster, InventoryPath, ServerAddress};

/// Directives whose first parameter is a server or a URL.
const PASSES: [&str; 6] = [
    "proxy_pass",
    "grpc_pass",
    "fastcgi_pass",
    "uwsgi_pass",
    "scgi_pass",
    "memcached_pass",
];

/// The names in the cluster's snippets, each with the place of its snippet.
pub(super) fn names(cluster: &Cluster) -> Vec<(InventoryPath, String)> {
    let http = cluster.nginx.raw_http.as_deref();
    let http = http.map(|text| (places::nginx("raw_http"), text));
    let sites = cluster.sites.iter().enumerate();
    let sites = sites.filter_map(|(index, site)| {
        let text = site.raw.as_deref()?;
        Some((places::site(index).key("raw"), text))
    });
    let read: Vec<_> = http
        .into_iter()
        .chain(sites)
        .map(|(path, text)| (path, statements(text)))
        .collect();
    // Names of upstreams, in a snippet or in the inventory, are not hosts.
    let own = read.iter().flat_map(|(_, statements)| statements);
    let own = own.filter_map(|words| match words.as_slice() {
        [keyword, name, ..] if keyword == "upstream" => Some(name.as_str()),
        _ => None,
    });
    let typed = cluster
        .upstreams
        .iter()
        .map(|upstream| upstream.name.as_str());
    let upstreams: Vec<&str> = own.chain(typed).collect();
    let is_host = |name: &String| !upstreams.contains(&name.as_str());
    let mut found = Vec::new();
    for (path, statements) in &read {
        for name in statements.iter().flat_map(|words| of_statement(words)) {
            if is_host(&name) {
                found.push((path.clone(), name));
            }
        }
    }
    found
}

/// The names that nginx resolves for one directive.
fn of_statement(words: &[String]) -> Vec<String> {
    let Some((keyword, rest)) = words.split_first() else {
        return Vec::new();
    };
    let is_server = keyword == "server" && !rest.iter().any(|word| word == "resolve");
    let first = (is_server || PASSES.contains(&keyword.as_str())).then(|| rest.first());
    let logs = rest.iter().filter_map(|word| {
        let options = word.strip_prefix("syslog:")?;
        let mut options = options.split(',');
        options.find_map(|option| option.strip_prefix("server="))
    });
    let first = first.flatten().map(String::as_str);
    first.into_iter().chain(logs).filter_map(host).collect()
}

/// The host name in `HOST`, `HOST:PORT` or a URL. `None` for addresses, sockets and variables.
fn host(text: &str) -> Option<String> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let rest = rest.split('/').next().unwrap_or_default();
    if rest.starts_with("unix:") || rest.contains('$') {
        return None;
    }
    let with_port = ServerAddress::new(rest).or_else(|_| ServerAddress::new(&format!("{rest}:80")));
    with_port.ok()?.name().map(str::to_owned)
}

/// The directives of a snippet as lists of words, including those that open a block.
fn statements(text: &str) -> Vec<Vec<String>> {
    let words = |item| match item {
        Item::Directive(words) | Item::Open(words) => Some(words),
        Item::Close => None,
    };
    items(text).filter_map(words).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let statements = statements(text);
        let names = statements.iter().flat_map(|words| of_statement(words));
        names.collect()
    }

    #[test]
    fn what_nginx_resolves_at_its_start_is_found() {
        let text = "upstream own { server a.internal:81 weight=2; server b.internal; # server no.internal;\n\
                    server 10.0.0.1:80; server unix:/run/x; server later.internal resolve; }\n\
                    location /x { proxy_pass 'https://c.internal/path'; }\n\
                    location /y { proxy_pass http://$where; fastcgi_pass d.internal:9000; }\n\
                    location /z { proxy_pass http://[fd00::1]:80; return 200 \"server e.internal;\"; }\n\
                    access_log syslog:server=log.internal:514,tag=x main; server_name www.internal;";
        assert_eq!(
            found(text),
            [
                "a.internal",
                "b.internal",
                "c.internal",
                "d.internal",
                "log.internal"
            ]
        );
    }

    #[test]
    fn broken_text_is_read_to_its_end() {
        assert_eq!(
            found("proxy_pass \"http://a.internal"),
            Vec::<String>::new()
        );
        assert_eq!(found("} ; {{ proxy_pass ; #"), Vec::<String>::new());
    }
}
