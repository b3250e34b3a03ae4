//! Answers of servers that a fuzzer found.

use super::{ImapInbox, Memory};
use crate::adapters::server::{Login, Server};
use crate::config::{Done, Tls};
use crate::ports::{Answer, Inbox};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::time::timeout;

struct Forgetful;

impl Memory for Forgetful {
    fn recall(&self) -> Answer<'_, Result<Option<String>, String>> {
        Box::pin(async { Ok(None) })
    }

    fn remember<'a>(&'a self, _: &'a str) -> Answer<'a, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn an_answer_that_the_parser_dies_of_costs_a_connection_and_not_the_mailbox() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let server = Server {
        host: "127.0.0.1".into(),
        port: listener.local_addr().unwrap().port(),
        tls: Tls::None,
        login: Some(Login { user: "vmt".into(), password: "x".to_owned().into() }),
        extra_roots: Vec::new(),
    };
    let inbox = ImapInbox::new(server, "INBOX".into(), Done::Delete, Duration::from_secs(60), Arc::new(Forgetful));
    // A letter beyond ASCII right after a response code.
    for _ in 0..2 {
        let (listed, ()) = tokio::join!(inbox.list(1), async {
            let (mut stream, _) =
                timeout(Duration::from_secs(10), listener.accept()).await.expect("it connects").unwrap();
            stream.write_all(b"* OK [CAPABILITY IMAP4rev1]\xe1hi\r\n").await.unwrap();
        });
        let error = listed.expect_err("there is no such greeting").to_string();
        assert!(error.contains("could not be understood"), "{error}");
        // The next attempt is made after a second or two.
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
}
