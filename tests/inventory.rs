//! Inventories as operators write them: good ones mean what they should, and each bad one gets
//! every mistake reported with its place and a remedy.

use hactl::inventory::{self, Inventory};

fn shipped(name: &str) -> Inventory {
    let path = format!("{}/inventories/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("the file exists");
    inventory::load(name, &text)
        .unwrap_or_else(|errors| panic!("{:?}", miette::Report::new(errors)))
}

#[test]
fn the_twelve_lines_mean_what_an_expert_would_choose() {
    insta::assert_debug_snapshot!(shipped("small.yml").cluster);
}

#[test]
fn the_guides_inventory_means_the_guides_cluster() {
    insta::assert_debug_snapshot!(shipped("guide.yml").cluster);
}

#[test]
fn the_full_inventory_means_what_it_says() {
    insta::assert_debug_snapshot!(shipped("full.yml").cluster);
}
