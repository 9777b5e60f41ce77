//! Realistic files, keepalived's own rules, and arbitrary text.

use std::fmt::Write as _;
use std::time::Duration;

use proptest::prelude::*;

use super::{Auth, Conf, Instance, Preemption};
use crate::conf::Files;

fn files<'a>(all: &'a [(&'a str, &'a str)]) -> Files<'a> {
    let mut files = Files::default();
    for (path, text) in all {
        files.insert(*path, *text, path.ends_with("/default"));
    }
    files
}

/// One line `instance: addresses` each, then the virtual servers.
fn keepalived(all: &[(&str, &str)]) -> Vec<String> {
    let found = Conf::read(&files(all), None);
    let instances = found.instances.iter().map(|own| {
        let addresses: Vec<String> = own.vips().map(|vip| vip.to_string()).collect();
        format!("{}: {}", own.name, addresses.join(","))
    });
    instances.chain(found.virtual_servers.clone()).collect()
}

#[test]
fn keepalived_as_people_write_it() {
    let main = r#"! Configuration File for keepalived
$NET=10.0.0
$VIPS=${NET}.52
global_defs {
   notification_email { a@b.c }   # inline
   router_id "LB { 1"
}
vrrp_script chk { script "/bin/sh -c 'test } -f x'" interval 2 }
vrrp_instance VI_1
{
    interface eth0
    authentication { auth_type PASS
        auth_pass 10.9.9.9 }
    track_script
    {
        chk
    }
    virtual_ipaddress {
        10.0.0.50/24 dev eth0 label eth0:vip ! the first
        #10.0.0.51/24
        ${VIPS}/24
    }
    virtual_ipaddress_excluded { fd00::50/64 }
    virtual_routes {
        10.7.7.0/24 via 10.0.0.1
    }
}
@lb1 vrrp_instance VI_2 { virtual_ipaddress { ${NET}.60 } }
vrrp_sync_group G { group { VI_1
 VI_2 } }
include conf.d/*.conf
"#;
    let found = keepalived(&[
        ("/etc/keepalived/keepalived.conf", main),
        (
            "/etc/keepalived/conf.d/lvs.conf",
            "virtual_server 10.0.0.50 80 {\n  lb_algo rr\n  real_server 192.168.1.1 80 { weight 1 }\n}\nvirtual_server fwmark 5 { }\nvirtual_server group web { }\nvirtual_server fd00::50 443 {}\ninclude conf.d/lvs.conf\nvrrp_instance EMPTY { }\n",
        ),
    ]);
    assert_eq!(
        found,
        [
            "VI_1: 10.0.0.50,10.0.0.52,fd00::50",
            "VI_2: 10.0.0.60",
            "EMPTY: ",
            "10.0.0.50:80",
            "fwmark 5",
            "group web",
            "[fd00::50]:443",
        ]
    );
}

#[test]
fn variables_that_grow_without_end_are_left() {
    let mut conf = "$a=xxxxxxxx\n".to_owned();
    for (name, before) in ('b'..='z').zip('a'..='y') {
        let _ = writeln!(conf, "${name}=${before}${before}");
    }
    conf.push_str("vrrp_instance $z { virtual_ipaddress { $z } }\n");
    keepalived(&[("/etc/keepalived/keepalived.conf", &conf)]);
}

fn conf(text: &str) -> Conf {
    Conf::of_text(text, Some("lb1.example.com"))
}

/// The only instance, with `within` as its block.
fn instance(within: &str) -> Instance {
    let conf = conf(&format!("vrrp_instance web {{\n{within}\n}}\n"));
    let mut all = conf.instances.into_iter();
    all.next().filter(|_| all.next().is_none()).unwrap()
}

fn addresses(within: &str) -> String {
    let all = instance(within).addresses;
    let all: Vec<String> = all.iter().map(ToString::to_string).collect();
    all.join(" ")
}

/// Verified with the dump of keepalived 2.2.7 on a host that it calls lb1.
#[test]
fn a_line_means_what_it_means_to_keepalived() {
    for (within, expected) in [
        // A comment starts even within a word, but not within double quotes.
        (
            "virtual_ipaddress {\n10.0.0.1#x\n10.0.0.2!x\n}",
            "10.0.0.1 10.0.0.2",
        ),
        (
            "notify \"/bin/sh -c '# }'\"\nvirtual_ipaddress {\n10.0.0.1\n}",
            "10.0.0.1",
        ),
        ("auth \\#\nvirtual_ipaddress {\n10.0.0.1 # }\n}", "10.0.0.1"),
        // One item per line. The rest of the line has its parameters.
        ("virtual_ipaddress { 10.0.0.1/24 10.0.0.2 }", "10.0.0.1"),
        (
            "virtual_ipaddress {\n10.0.0.1 brd 10.0.0.255\n10.0.0.2 }",
            "10.0.0.1 10.0.0.2",
        ),
        // A brace ends a word, and may be on the next line.
        ("virtual_ipaddress{\n10.0.0.1\n}", "10.0.0.1"),
        ("virtual_ipaddress\n{\n10.0.0.1}", "10.0.0.1"),
        (
            "\"virtual_ipaddress\" {\n\"10.0.0.1/24\"scope global\n}",
            "10.0.0.1",
        ),
        // Lines are not continued.
        (
            "notify_stop /bin/true \\\nvirtual_ipaddress {\n10.0.0.1\n}",
            "10.0.0.1",
        ),
        // Without braces, the name of a variable ends at a blank.
        (
            "$N=10.0.0\nvirtual_ipaddress {\n${N}.1\n$N.2\n}",
            "10.0.0.1",
        ),
        (
            "$A=10.0.0.1\nvirtual_ipaddress {\n$A dev eth0\n}",
            "10.0.0.1",
        ),
        (
            "$A=10.0.0.1 \\\n10.0.0.2\nvirtual_ipaddress {\n$A\n}",
            "10.0.0.1 10.0.0.2",
        ),
        // Lines for this host, known by the first label of its name, and for others.
        (
            "virtual_ipaddress {\n@lb1 10.0.0.1\n@lb2 10.0.0.2\n@^lb2 10.0.0.3\n@^lb1 10.0.0.4\n@lb1\n}",
            "10.0.0.1 10.0.0.3",
        ),
        (
            "$H=@lb2\nvirtual_ipaddress {\n$H 10.0.0.2\n10.0.0.1\n}",
            "10.0.0.1",
        ),
        // Not an address.
        ("virtual_ipaddress {\ndev eth0\n10.0.0.256\n}", ""),
    ] {
        assert_eq!(addresses(within), expected, "{within}");
    }
}

#[test]
fn an_instance_says_what_its_peers_meet() {
    let own = instance(
        "interface eth1\nvirtual_router_id 51\npriority 254\nadvert_int 0.05\ndown_timer_adverts 5\n\
         preempt_delay 2.5\nstrict_mode off\nunicast_src_ip 10.0.0.11\nunicast_peer {\n10.0.0.12 min_ttl 255\n10.0.0.13\n}\n\
         virtual_ipaddress {\n10.0.0.100/24 dev eth1\n}\nvirtual_ipaddress_excluded {\nfd00::100/64\n}\ntrack_script {\nchk weight 5\n}",
    );
    assert_eq!(
        (own.interface.as_str(), own.virtual_router_id),
        ("eth1", 51)
    );
    assert_eq!((own.priority, own.down_timer_adverts), (254, 5));
    assert_eq!(own.advert_int, Duration::from_millis(50));
    assert_eq!(
        own.preemption,
        Preemption::After(Duration::from_millis(2500))
    );
    assert_eq!(own.source, "10.0.0.11".parse().ok());
    assert_eq!(own.unicast_peers.len(), 2);
    assert_eq!((own.addresses.len(), own.vips().count()), (1, 2));
    assert_eq!(own.track_scripts, ["chk"]);
    assert!(own.is_whole && !own.strict && own.version == 2);
    let nothing = instance("nopreempt\npreempt_delay 5");
    assert_eq!(
        (nothing.interface.as_str(), nothing.priority),
        ("eth0", 100)
    );
    assert_eq!(nothing.preemption, Preemption::Never);
    assert_eq!(instance("virtual_ipaddress {\nfd00::1\n}").version, 3);
    let global = "global_defs {\nvrrp_version 3\nvrrp_mcast_group4 224.0.0.19\nvrrp_strict\n}\nvrrp_instance a {\n}\n";
    let own = conf(global).instances.remove(0);
    assert_eq!(own.group, "224.0.0.19".parse().ok());
    assert!(own.strict && own.version == 3);
}

/// The syntax of a password, and how much of it counts. Verified with the dump of 2.2.7.
#[test]
fn a_password_is_what_goes_over_the_wire() {
    let auth = |within: &str| instance(&format!("authentication {{\n{within}\n}}")).auth;
    let told = |within: &str| match auth(within) {
        Auth::None => "-".to_owned(),
        Auth::Password(own) => format!("{} {}", own.kind, own.word),
        Auth::Hmac(text) => text.replace('\n', "|"),
    };
    for (within, expected) in [
        ("auth_type PASS\nauth_pass secret12345", "PASS secret12"),
        ("auth_type PASS\nauth_pass ab#cd", "PASS ab"),
        ("auth_type PASS\nauth_pass ab\\#cd", "PASS ab"),
        ("auth_type PASS\nauth_pass \"a b#c\"", "PASS a b#c"),
        // Single quotes are ordinary characters there.
        ("auth_type PASS\nauth_pass 'x y'", "PASS 'x"),
        // Only the first word of a line is a keyword.
        ("auth_type PASS auth_pass secret", "-"),
        ("auth_type PLAIN\nauth_pass secret", "-"),
        ("auth_pass secret", "-"),
    ] {
        assert_eq!(told(within), expected, "{within}");
    }
    let hmac = instance("auth_hmac {\nkey 1 hex:00\nactive_key 1\n}").auth;
    assert!(hmac == Auth::Hmac("auth_hmac\nkey 1 hex:00\nactive_key 1".to_owned()));
}

#[test]
fn what_was_not_read_is_known() {
    for (text, is_whole) in [
        ("vrrp_instance a {\n}", true),
        ("include conf.d/*.conf\nvrrp_instance a {\n}", false),
        ("includew conf.d/*.conf", false),
        ("include_check", true),
        ("vrrp_instance a {\ninclude x.conf\n}", false),
        ("~SEQ(VAR, 1, 3) 10.0.0.$VAR", false),
        ("$a=$a\n$a x", false),
        ("@lb2 include x.conf", true),
    ] {
        assert_eq!(conf(text).is_whole, is_whole, "{text}");
    }
    let both = conf("include x.conf\nvrrp_instance a {\n}\nvrrp_instance b {\ninclude y.conf\n}");
    let whole: Vec<bool> = both.instances.iter().map(|own| own.is_whole).collect();
    assert_eq!(whole, [true, false]);
}

#[test]
fn a_block_may_begin_in_one_file_and_end_in_another() {
    let found = keepalived(&[
        (
            "/etc/keepalived/keepalived.conf",
            "vrrp_instance a {\ninclude vips.conf\n}\nvrrp_instance b {\n}",
        ),
        (
            "/etc/keepalived/vips.conf",
            "virtual_ipaddress {\n10.0.0.1\n}",
        ),
    ]);
    assert_eq!(found, ["a: 10.0.0.1", "b: "]);
}

#[test]
fn the_programs_that_keepalived_runs() {
    let found = conf(
        "vrrp_script a {\n script \"/opt/own.sh -q\"\n}\nnotify_master '/opt/up.sh' x\nnotify_fifo /run/fifo\nnotify_fifo_script /opt/fifo\n\
         script_user root\nvrrp_instance b { notify \"'/opt/a b'\" }\n@lb2 notify /opt/other\n# notify /opt/none\n",
    );
    let all: Vec<&str> = found.programs.iter().map(String::as_str).collect();
    assert_eq!(all, ["/opt/a", "/opt/fifo", "/opt/own.sh", "/opt/up.sh"]);
}

fn some_text() -> impl Strategy<Value = String> {
    let words = [
        "vrrp_instance a",
        "virtual_ipaddress",
        "10.0.0.1",
        "{",
        "}",
        "\n",
        "\n",
        " ",
        "#",
        "!",
        "\"",
        "'",
        "\\",
        "$a=",
        "$a",
        "${a}",
        "@lb1 ",
        "@^x ",
        "~SEQ(a, 1, 2) ",
        "include keepalived.conf",
        "include *",
        "auth_pass x",
        "\u{feff}",
        "é",
        "\r\n",
        "\0",
    ];
    let word = prop_oneof![
        9 => prop::sample::select(words.to_vec()).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    prop::collection::vec(word, 0..80).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn any_text_is_read(text in some_text()) {
        let conf = Conf::of_text(&text, Some("lb1"));
        prop_assert!(conf.instances.len() <= text.matches("vrrp_instance").count() * 1000);
    }
}

/// The work is bounded by the length of the text: growth by the text itself is counted and cut off.
#[test]
fn a_text_that_grows_is_cut() {
    let mut doubling = String::new();
    for (name, before) in ('b'..='z').zip('a'..='y') {
        let _ = writeln!(doubling, "${name}=${{{before}}}${{{before}}}");
    }
    for text in [
        format!("$a={}\n{}", "x".repeat(100_000), "$a\n".repeat(20_000)),
        format!(
            "$a=x\\\n{}\n{}",
            "y\\\n".repeat(50_000),
            "$a\n".repeat(20_000)
        ),
        format!("$a=xxxxxxxx\n{doubling}{}", "$z\n".repeat(20_000)),
        format!("$a=$a$a\n{}", "$a\n".repeat(20_000)),
        format!("$a={}\n{}", "10.0.0.1 ".repeat(400), "$a\n".repeat(20_000)),
        "include keepalived.conf\n".repeat(1_000),
    ] {
        assert!(!conf(&text).is_whole, "{}", &text[..40]);
    }
}

#[test]
fn nothing_is_nested_too_deeply() {
    for text in [
        "}".repeat(100_000),
        "{".repeat(100_000),
        "a {".repeat(50_000),
        "\"".repeat(100_000),
        "$".repeat(100_000),
        format!("$a=x\n{}", "${a".repeat(50_000)),
    ] {
        assert!(conf(&text).instances.is_empty());
    }
}
