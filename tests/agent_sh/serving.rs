//! The report of what a host serves is exact, and reads no file that a daemon would not read.

use hactl::agent::ObserveRequest;

use crate::in_every_shell;
use crate::world::World;

in_every_shell!(
    every_file_that_a_daemon_may_include_is_told,
    nothing_is_told_unless_it_is_asked,
);

const FILES: &str = r#"
mkdir -p /etc/nginx/conf.d /etc/nginx/sites-enabled /etc/nginx/sites-available /etc/keepalived/conf.d
mkdir -p /var/lib/hactl/generations/0/files/etc/nginx /srv
cat >/etc/nginx/nginx.conf <<'END'
http { include conf.d/*.conf; include "/etc/nginx/nginx.conf";
    include	'/srv/more.conf' ;
    include /etc/passwd-; include $(touch${IFS}/ran) `touch /ran`; include /etc/nginx/none/*; }
END
echo 'server { include conf.d/one.inc; }' >/etc/nginx/conf.d/a.conf
echo 'listen 1;' >/etc/nginx/conf.d/one.inc
echo 'server{include a:b.inc;}' >/etc/nginx/conf.d/c:d.conf
echo 'listen 2;' >/etc/nginx/a:b.inc
echo 'secret' >/etc/nginx/conf.d/key.pem
echo '# more' >/srv/more.conf
echo 'server { }' >/etc/nginx/sites-available/shop
ln -s ../sites-available/shop /etc/nginx/sites-enabled/shop
echo 'include sites-enabled/*;' >/var/lib/hactl/generations/0/files/etc/nginx/nginx.conf
echo 'include conf.d/*.conf' >/etc/keepalived/keepalived.conf
echo 'includer deep.inc' >/etc/keepalived/conf.d/a.conf
echo 'x' >/etc/keepalived/conf.d/deep.inc
"#;

fn asked() -> ObserveRequest {
    ObserveRequest {
        serving: true,
        ..ObserveRequest::default()
    }
}

async fn every_file_that_a_daemon_may_include_is_told(world: &World) {
    world.sh(FILES);
    let seen = world.agent().observe(&asked()).await.unwrap();
    let serving = seen.serving.unwrap();
    let paths: Vec<&str> = serving.files.keys().map(String::as_str).collect();
    assert_eq!(
        paths,
        [
            "/etc/keepalived/conf.d/a.conf",
            "/etc/keepalived/conf.d/deep.inc",
            "/etc/keepalived/keepalived.conf",
            "/etc/nginx/a:b.inc",
            "/etc/nginx/conf.d/a.conf",
            "/etc/nginx/conf.d/c:d.conf",
            "/etc/nginx/conf.d/one.inc",
            "/etc/nginx/nginx.conf",
            "/etc/nginx/sites-enabled/shop",
            "/srv/more.conf",
        ]
    );
    assert_eq!(
        serving.files["/etc/nginx/sites-enabled/shop"].text,
        "server { }\n"
    );
    assert!(serving.files.values().all(|file| !file.is_packaged));
    assert!(!world.exists("/ran"));
}

async fn nothing_is_told_unless_it_is_asked(world: &World) {
    world.sh(FILES);
    let seen = world
        .agent()
        .observe(&ObserveRequest::default())
        .await
        .unwrap();
    assert!(seen.serving.is_none());
}
