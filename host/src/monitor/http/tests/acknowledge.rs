//! Who may acknowledge what, and by which requests.

use super::*;
use crate::monitor::view::IncidentView;

fn id() -> Uuid {
    Uuid::from_u128(1)
}

/// One incident is open.
fn monitored() -> Monitored {
    let monitored = Monitored::new(&with_tokens());
    let mut view = view(&*monitored.clock);
    view.incidents = vec![IncidentView {
        id: id(),
        begun: t0(),
        acknowledged: None,
    }];
    monitored.show.send_replace(Arc::new(view));
    monitored
}

#[tokio::test]
async fn x1_the_get_of_a_link_changes_nothing_and_its_post_acknowledges_without_a_token() {
    let monitored = monitored();
    let path = format!("/acknowledge/{}/secret", id());
    // As a mail scanner, a chat's preview and a person do.
    for method in [Method::GET, Method::HEAD] {
        let answer = monitored.ask(method, &path).await;
        assert_eq!(answer.status, 200);
    }
    let page = monitored.get(&path).await.body;
    assert!(
        page.contains("method=\"post\"") && page.contains("Acknowledge it"),
        "{page}"
    );
    assert_eq!(monitored.asked(), []);
    let answer = monitored.ask(Method::POST, &path).await;
    assert_eq!(answer.status, 200);
    assert!(
        answer.body.contains("<h1>Acknowledged</h1>"),
        "{}",
        answer.body
    );
    let by_link = Which::ByLink(id(), LinkToken::presented("secret"));
    assert_eq!(monitored.asked(), [Asked::Acknowledge(by_link)]);
}

#[tokio::test]
async fn a_link_that_is_spent_or_wrong_says_that_it_does_nothing() {
    let monitored = monitored();
    let wrong = format!("/acknowledge/{}/wrong", id());
    assert_eq!(monitored.ask(Method::POST, &wrong).await.status, 404);
    let over = format!("/acknowledge/{}/secret", Uuid::from_u128(9));
    let answer = monitored.get(&over).await;
    assert_eq!(answer.status, 404);
    assert!(
        answer.body.contains("does nothing any more"),
        "{}",
        answer.body
    );
    let nonsense = monitored.get("/acknowledge/nonsense/secret").await;
    assert_eq!(nonsense.status, 400);
}

#[tokio::test]
async fn x1_without_a_link_the_admin_token_is_needed() {
    let monitored = monitored();
    let post = async |path: &str, token: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", &*bearer)];
        monitored.ask_with(Method::POST, path, &headers, "").await
    };
    assert_eq!(
        monitored.ask(Method::POST, "/acknowledge").await.status,
        401
    );
    assert_eq!(post("/acknowledge", PING).await.status, 401);
    assert_eq!(monitored.asked(), []);
    let answer = post("/acknowledge", ADMIN).await;
    assert_eq!(answer.json()["incidents"][0], id().to_string());
    let one = format!("/acknowledge?incident={}", id());
    assert_eq!(post(&one, ADMIN).await.status, 200);
    let asked = [Which::All, Which::One(id())].map(Asked::Acknowledge);
    assert_eq!(monitored.asked(), asked);
    assert_eq!(post("/acknowledge?incident=1", ADMIN).await.status, 422);
    assert_eq!(monitored.get("/acknowledge").await.status, 405);
}
