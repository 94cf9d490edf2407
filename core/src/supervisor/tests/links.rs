use super::*;

#[test]
fn s5_a_link_that_was_not_reached_yet_withholds() {
    let (mut supervisor, lco, outside) = linked();
    assert_eq!(holds(&mut supervisor, "a", T0), Reason::LinkUnproven(lco));
    assert_eq!(supervisor.link_probed(lco, true), Some(LinkChange::CameUp));
    assert_eq!(
        holds(&mut supervisor, "a", T0),
        Reason::LinkUnproven(outside)
    );
    supervisor.link_probed(outside, true);
    emits(&mut supervisor, "a", T0);
}

#[test]
fn s1_a_link_that_is_down_withholds_until_it_is_reached() {
    let (mut supervisor, lco, outside) = linked();
    supervisor.link_probed(lco, true);
    supervisor.link_probed(outside, true);
    assert_eq!(supervisor.link_probed(outside, false), None);
    assert_eq!(supervisor.link_probed(outside, false), None);
    assert_eq!(
        supervisor.hold(T0),
        Some(Reason::NeverSeen(id(&supervisor, "a")))
    );
    assert_eq!(
        supervisor.link_probed(outside, false),
        Some(LinkChange::WentDown)
    );
    assert_eq!(holds(&mut supervisor, "a", T0), Reason::LinkDown(outside));
    supervisor.link_probed(outside, true);
    emits(&mut supervisor, "a", T0);
}

#[test]
fn an_unknown_link_changes_nothing() {
    let (mut supervisor, ..) = linked();
    let before = supervisor.clone();
    assert_eq!(supervisor.link_probed(LinkId(2), true), None);
    assert_eq!(supervisor.link_probed(LinkId(255), false), None);
    assert_eq!(supervisor, before);
    assert!(supervisor.link(LinkId(2)).is_none());
}

#[test]
fn links_are_listed_in_their_order() {
    let (supervisor, lco, outside) = linked();
    let mut links = supervisor.links();
    assert_eq!(links.next().unwrap().0, lco);
    let (last, link) = links.next().unwrap();
    assert_eq!((last, link.name().as_str()), (outside, "outside"));
    assert!(links.next().is_none());
    assert_eq!(supervisor.link(outside).unwrap().name().as_str(), "outside");
}

#[test]
fn l1_a_new_session_does_not_forget_the_links() {
    let (mut supervisor, lco, outside) = linked();
    supervisor.link_probed(lco, true);
    supervisor.link_probed(outside, true);
    supervisor.forget(T0);
    emits(&mut supervisor, "a", T0);
}
