use super::*;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

/// A server that speaks TLS with a certificate of its own authority for `localhost`; the authority, the server's address, and
/// what it was sent.
async fn server(
    answer: &'static str,
) -> (rustls::pki_types::CertificateDer<'static>, Url, tokio::task::JoinHandle<String>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await else { return String::new() };
        let mut heard = vec![0; 4096];
        let read = stream.read(&mut heard).await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        String::from_utf8(heard[..read].to_vec()).unwrap()
    });
    (certificate, Url::parse(&format!("https://localhost:{port}/api")).unwrap(), task)
}

fn call(client: &Client) -> Call<'static> {
    let deadline = Deadline::within(Duration::from_secs(10));
    let url = client.url(&["repos", "a b", "c"], &[("per_page", "1")]);
    Call { method: Method::GET, url, bearer: "tokencanary", body: None, max_answer: 100, deadline }
}

#[tokio::test]
async fn over_tls_a_verified_server_is_asked() {
    let (root, api, heard) = server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]").await;
    let client = Client::over((*tls_config(&[root]).unwrap()).clone(), &api).unwrap();
    let reply = client.send(call(&client)).await.unwrap();
    assert_eq!((reply.status, reply.json::<Vec<u8>>()), (200, Some(Vec::new())));
    let heard = heard.await.unwrap();
    assert!(heard.starts_with("GET /api/repos/a%20b/c?per_page=1 HTTP/1.1\r\n"), "{heard}");
    assert!(heard.contains("Bearer tokencanary"), "{heard}");
}

#[tokio::test]
async fn a_server_with_an_unknown_certificate_is_told_nothing() {
    let (_, api, heard) = server("HTTP/1.1 200 OK\r\n\r\n").await;
    // The system's roots alone, as in real life; on a machine without any there is no client at all.
    let Ok(client) = Client::new(&api) else { return };
    let Err(NoReply::NotSent(why)) = client.send(call(&client)).await else { panic!("it was asked") };
    assert!(why.contains("localhost") && why.contains("certificate"), "{why}");
    assert!(!why.contains("canary") && !why.contains("repos"), "{why}");
    assert_eq!(heard.await.unwrap(), "");
}

#[tokio::test]
async fn an_answer_that_is_too_long_or_breaks_off_has_a_status_and_no_body() {
    let long: &str = Box::leak(format!("HTTP/1.1 422 No\r\nContent-Length: 200\r\n\r\n{}", "x".repeat(200)).into());
    for answer in [long, "HTTP/1.1 422 No\r\nContent-Length: 50\r\n\r\nhalf"] {
        let (root, api, _heard) = server(answer).await;
        let client = Client::over((*tls_config(&[root]).unwrap()).clone(), &api).unwrap();
        let reply = client.send(call(&client)).await.unwrap();
        assert_eq!((reply.status, reply.body), (422, None));
    }
}

#[tokio::test]
async fn what_is_too_late_is_not_begun() {
    let client = Client::new(&Url::parse("http://127.0.0.1:9").unwrap()).unwrap();
    let late = Call { deadline: Deadline::within(Duration::from_millis(900)), ..call(&client) };
    assert!(matches!(client.send(late).await, Err(NoReply::NotSent(_))));
}

#[test]
fn only_addresses_at_the_configured_api_are_asked_with_the_token() {
    let client = Client::new(&Url::parse("http://127.0.0.1:9/api").unwrap()).unwrap();
    let ours = |text: &str| client.is_ours(&Url::parse(text).unwrap());
    assert!(ours("http://127.0.0.1:9/repositories/1/security-advisories?after=x"));
    for other in
        ["https://127.0.0.1:9/", "http://127.0.0.1/", "http://127.0.0.1:9@evil.example/", "http://x@127.0.0.1:9/"]
    {
        assert!(!ours(other), "{other}");
    }
}
