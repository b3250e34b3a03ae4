use super::*;

const PATIENCE: Duration = Duration::from_millis(600);
const STEP: Duration = Duration::from_millis(100);

/// Lets a loop run beside, and says who hangs when patience is over.
async fn after_a_while(work: impl Future<Output = ()> + Send + 'static) -> Option<&'static str> {
    let heart = Heart::with_patience(PATIENCE);
    let running = tokio::spawn(heart.listen("a loop", work));
    tokio::time::sleep(PATIENCE * 2).await;
    let stuck = heart.stuck();
    running.abort();
    stuck
}

#[tokio::test]
async fn a_loop_that_does_one_thing_after_the_other_goes_on() {
    let busy = async {
        loop {
            tokio::time::sleep(STEP).await;
            beat();
        }
    };
    assert_eq!(after_a_while(busy).await, None);
}

#[tokio::test]
async fn a_loop_that_has_nothing_to_do_does_not_hang() {
    assert_eq!(after_a_while(rest(std::future::pending())).await, None);
}

#[tokio::test]
async fn a_loop_that_never_comes_back_from_its_work_hangs() {
    assert_eq!(after_a_while(std::future::pending()).await, Some("a loop"));
    let hangs_later = async {
        rest(tokio::time::sleep(STEP)).await;
        beat();
        std::future::pending().await
    };
    assert_eq!(after_a_while(hangs_later).await, Some("a loop"));
}

#[tokio::test]
async fn a_wait_that_was_given_up_counts_no_more() {
    let hangs = async {
        let _given_up = tokio::time::timeout(STEP, rest(std::future::pending::<()>())).await;
        std::future::pending().await
    };
    assert_eq!(after_a_while(hangs).await, Some("a loop"));
}

#[tokio::test]
async fn a_loop_that_ended_is_not_listened_to_any_more() {
    assert_eq!(after_a_while(async {}).await, None);
}
