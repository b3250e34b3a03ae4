use super::super::fake_tests::{Act, Fake, Script};
use super::*;

const MIB: u64 = 1024 * 1024;

async fn observed(script: Script, max_size: u64) -> Vec<Observation> {
    let fake = Fake::start(Tls::Implicit, vec![script]).await;
    let found = observe(&fake.server(), max_size).await;
    assert!(!fake.text().contains("MAIL"), "nothing is sent");
    found
}

#[tokio::test]
async fn a_server_that_takes_the_login_is_fine() {
    let found = observed(Script::default(), 50_000).await;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].kind, found[0].key), (Observed::Fine, "outgoing.host"));
    assert!(found[0].what.contains("the login is accepted"), "{}", found[0].what);
}

#[tokio::test]
async fn a_server_that_takes_only_small_mail_is_doubtful() {
    let hello = "250-fake\r\n250-SIZE 10485760\r\n250 AUTH PLAIN";
    let found = observed(Script { hello, ..Script::default() }, 50 * MIB).await;
    assert_eq!((found[1].kind, found[1].key), (Observed::Doubtful, "intake.max_size"));
    assert!(found[1].what.contains("10 MiB") && found[1].what.contains("70 MiB"), "{}", found[1].what);
    let found = observed(Script { hello, ..Script::default() }, 7 * MIB).await;
    assert_eq!(found.len(), 1);
}

#[tokio::test]
async fn a_refused_login_is_broken_and_says_how_to_mend_it() {
    let found = observed(Script::with("AUTH", Act::Say("535 5.7.8 Error: bad vmt@x")), MIB).await;
    assert_eq!((found.len(), found[0].kind, found[0].key), (1, Observed::Broken, "outgoing.password"));
    assert!(found[0].mend.as_ref().unwrap().contains("app password"));
    assert!(!found[0].what.contains("vmt"));
}
