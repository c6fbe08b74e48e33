//! Sessions at their end, seen from outside: one exchange for everybody who waits, and an outage of STS that no reader notices.

use std::time::{Duration, Instant};

use portcullis_tests::aws::{AwsDouble, Entry, Fault, Service};
use portcullis_tests::scene::{CUSTOMER, MEDIA, READER_ROLE};
use serde_json::json;

use crate::play::{play, ready_role};

const ROLE: &str = "media/reader";
/// The gateway lets go of a session this long before its end.
const LAST_MOMENTS: i64 = 30;

fn exchanges(aws: &AwsDouble) -> Vec<Entry> {
    aws.journal().into_iter().filter(|entry| entry.service == Some(Service::Sts)).collect()
}

#[tokio::test]
async fn t07_b11_a_thousand_fetches_at_a_sessions_end_open_one_session_and_none_fails() {
    let play = play().await;
    ready_role(&play.api, &play.aws, "films").await;
    let source = format!("s3://{MEDIA}/train/a.jpg");
    // Changed settings have a session of their own, which their test opens: one that is over in three seconds at the latest.
    play.aws.sessions_end_after(CUSTOMER, ROLE, Some(LAST_MOMENTS + 3));
    assert_eq!(play.api.patch("/api/v1/connections/films", &json!({"config": {"session_ttl": 1800}})).await.expect(200)["status"], "ready");
    play.aws.sessions_end_after(CUSTOMER, ROLE, None);
    tokio::time::sleep(Duration::from_millis(3100)).await;
    play.aws.forget_journal();
    let reads = (0..1000).map(|_| play.api.read("films", &source));
    let answers = futures_util::future::join_all(reads).await;
    let failed: Vec<String> = answers.iter().filter(|answer| answer.status != 200 || answer.text() != "jpeg a").map(|answer| answer.text()).collect();
    assert!(failed.is_empty(), "{} of 1000 failed: {:?}", failed.len(), failed.first());
    let exchanges = exchanges(&play.aws);
    let roles: Vec<&str> = exchanges.iter().map(|entry| entry.params["RoleArn"].as_str()).collect();
    assert_eq!(roles, [READER_ROLE], "one call of STS");
    assert_eq!(play.aws.journal().iter().filter(|entry| entry.action.as_deref() == Some("s3:GetObject")).count(), 1000);
}

#[tokio::test]
async fn b11_t10_readers_notice_nothing_of_an_outage_of_sts_that_ends_before_the_session_does() {
    const LIFE: Duration = Duration::from_secs(6);
    let play = play().await;
    ready_role(&play.api, &play.aws, "films").await;
    let source = format!("s3://{MEDIA}/train/a.jpg");
    play.aws.sessions_end_after(CUSTOMER, ROLE, Some(LAST_MOMENTS + 6));
    assert_eq!(play.api.patch("/api/v1/connections/films", &json!({"config": {"session_ttl": 1800}})).await.expect(200)["status"], "ready");
    assert_eq!(play.api.read("films", &source).await.text(), "jpeg a");
    play.aws.sessions_end_after(CUSTOMER, ROLE, None);
    play.aws.forget_journal();
    let opened = Instant::now();
    play.aws.fail(Service::Sts, 1_000, Fault::InternalError);
    let (mut reads, mut down) = (0, true);
    // Past the end of the session: whoever reads then reads with the one that came after the outage.
    while opened.elapsed() < LIFE + Duration::from_millis(500) {
        let read = play.api.read("films", &source).await;
        assert_eq!((read.status.as_u16(), read.text().as_str()), (200, "jpeg a"), "after {:?}, STS down: {down}", opened.elapsed());
        reads += 1;
        let refused = exchanges(&play.aws).iter().filter(|entry| entry.status == 500).count();
        if down && refused > 0 {
            play.aws.mend(Service::Sts);
            down = false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!down, "a new session was asked for ahead of the end, during the outage");
    let granted = exchanges(&play.aws).iter().filter(|entry| entry.status == 200).count();
    assert_eq!(granted, 1, "one session follows the first, for {reads} reads");
    assert!(opened.elapsed() >= LIFE && reads > 20, "{reads} reads");
}
