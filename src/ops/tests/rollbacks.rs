//! Rolls back on an in-memory cluster.

use super::*;

const ONE: &str = "  - { address: 10.0.0.100/24, virtual_router_id: 61 }";
const BOTH: &str = "  - { address: 10.0.0.100/24, virtual_router_id: 61, prefer: lb1 }
  - { address: 10.0.0.101/24, virtual_router_id: 62, prefer: lb1 }";

/// A cluster whose second generation has a second VIP.
async fn with_two_vips() -> World {
    let world = World::live().await;
    world.host(1, |host| host.takes.push("10.0.0.101".to_owned()));
    world.edit(ONE, BOTH);
    assert_eq!(applied(&world.apply(Consent::Given).await), Some(2));
    world.forget_calls();
    world
}

async fn back(world: &World, to: Option<u64>) -> Result<ApplyReport, OpsError> {
    let back = RollbackRequest { to };
    rollback(
        &world.selection,
        &world.access,
        back,
        request(&|_| Consent::Given, &lines()),
    )
    .await
}

#[tokio::test]
async fn a_vip_that_was_added_goes_with_the_change_that_added_it() {
    let world = with_two_vips().await;
    let report = back(&world, None).await;
    assert_eq!(applied(&report), Some(3));
    assert_eq!(world.host(1, |host| host.holds.clone()), ["10.0.0.100"]);
    world.forget_calls();
}

#[tokio::test]
async fn a_vip_that_comes_back_is_proven_and_must_be_free() {
    let world = with_two_vips().await;
    world.edit(BOTH, ONE);
    assert_eq!(applied(&world.apply(Consent::Given).await), Some(3));
    // Another host has it by now.
    let stranger = "neighbour\t10.0.0.101\t02:aa:00:00:00:01\t\n";
    world.host(1, |host| host.tells.push_str(stranger));
    world.forget_calls();
    let refused = back(&world, Some(2)).await.err().unwrap();
    assert!(matches!(refused, OpsError::Unfit { .. }), "{refused}");
    // With that VIP in the inventory, status reports that and shows the rest.
    world.edit(ONE, BOTH);
    let report = status(&world.selection, &world.access).await.unwrap();
    assert_eq!(report.nodes.len(), 3);
    assert!(report.refusal.is_some() && !report.is_healthy());
    world.edit(BOTH, ONE);
    assert_eq!(writes(&world.forget_calls()), Vec::<&str>::new());
    world.host(1, |host| host.tells = host.tells.replace(stranger, ""));
    assert_eq!(applied(&back(&world, Some(2)).await), Some(4));
    // If no node takes it, the rollback fails.
    assert_eq!(applied(&back(&world, Some(1)).await), Some(5));
    world.host(1, |host| host.takes.truncate(1));
    let report = back(&world, Some(4)).await.unwrap();
    assert!(matches!(result(&report), ApplyResult::RolledBack(_)));
}

/// An excluded node that does not answer may hold the VIP that comes back.
#[tokio::test]
async fn a_vip_that_comes_back_is_nobody_elses_where_a_node_cannot_be_seen() {
    let mut world = with_two_vips().await;
    world.edit(BOTH, ONE);
    assert_eq!(applied(&world.apply(Consent::Given).await), Some(3));
    let somebody = "neighbour\t10.0.0.101\t02:aa:00:00:00:01\t\n";
    world.host(1, |host| host.tells.push_str(somebody));
    world.host(3, |host| host.is_gone = true);
    world.selection.limit = vec![name(1), name(2)];
    let report = back(&world, Some(2)).await;
    let taken = report
        .err()
        .filter(|error| matches!(error, OpsError::Unfit { .. }));
    assert!(taken.is_none(), "{taken:?}");
}
