use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

async fn heard(said: &[u8], allowance: Allowance) -> io::Result<Vec<u8>> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    let said = said.to_vec();
    let talking = tokio::spawn(async move {
        // The reader may hang up first: that is what some of these tests are about.
        let _ = server.write_all(&said).await;
    });
    let mut wire = Wire::new(Transport::Plain(stream));
    wire.allow(allowance, Some(Duration::from_secs(20)));
    let mut octets = Vec::new();
    let read = wire.read_to_end(&mut octets).await;
    talking.await.unwrap();
    read.map(|_| octets)
}

fn is_too_much(result: &io::Result<Vec<u8>>) -> bool {
    result.as_ref().is_err_and(|error| error.get_ref().is_some_and(|inner| inner.is::<TooMuch>()))
}

const SOME: Allowance = Allowance { literal: 100, total: 4_000_000 };

#[tokio::test]
async fn a_literal_within_bounds_passes_octet_for_octet() {
    let said = b"* 1 FETCH (UID 1 BODY[] {12}\r\n{99999999}\r\n)\r\nE1 OK\r\n";
    assert_eq!(heard(said, SOME).await.unwrap(), said, "a line of a mail that looks like an announcement is none");
}

#[tokio::test]
async fn an_announcement_beyond_the_bounds_ends_it_before_anything_is_reserved() {
    for announced in ["101", "4294967295", "99999999999999999999999999"] {
        let said = format!("* 1 FETCH (UID 1 BODY[] {{{announced}}}\r\n");
        assert!(is_too_much(&heard(said.as_bytes(), SOME).await), "{announced}");
    }
}

#[tokio::test]
async fn words_for_people_announce_nothing() {
    let said = b"* OK [ALERT] read this {5}\r\n* 1 EXISTS\r\n";
    assert_eq!(heard(said, SOME).await.unwrap(), said);
}

#[tokio::test]
async fn a_line_without_an_end_and_an_answer_without_an_end_are_ended() {
    assert!(is_too_much(&heard(&vec![b'x'; 2_000_000], SOME).await));
    let flood = b"* 1 EXISTS\r\n".repeat(400_000);
    assert!(is_too_much(&heard(&flood, SOME).await));
}

#[tokio::test]
async fn silence_ends_it_where_an_answer_is_due() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (_silent, _) = listener.accept().await.unwrap();
    let mut wire = Wire::new(Transport::Plain(stream));
    wire.allow(SOME, Some(Duration::from_millis(50)));
    let error = wire.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

#[test]
fn a_connection_cannot_be_shown() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        assert_eq!(format!("{:?}", Wire::new(Transport::Plain(stream))), "Wire(…)");
    });
}
