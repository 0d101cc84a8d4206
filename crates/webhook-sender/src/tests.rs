use super::*;
use std::time::UNIX_EPOCH;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn sender(allow: bool, timeout: Duration) -> Sender {
    Sender::new(Settings { timeout, allow_private_addresses: allow, allow_http: true }).unwrap()
}

fn request(url: String) -> WebhookRequest {
    WebhookRequest { url, headers: vec![("webhook-id", "nt_1".to_owned())], body: r#"{"a":1}"#.to_owned() }
}

/// Answers one connection with a text, and returns what it was sent.
async fn answering(answer: &'static str) -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut said = Vec::new();
        while !said.ends_with(br#"{"a":1}"#) {
            let mut piece = [0; 1024];
            let read = stream.read(&mut piece).await.unwrap();
            said.extend_from_slice(&piece[..read]);
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(said).unwrap()
    });
    (format!("http://localhost:{port}/hooks?a=b"), served)
}

#[tokio::test]
async fn a_delivery_is_one_post_and_goes_nowhere_else() {
    let patient = Duration::from_secs(60);
    let (url, served) =
        answering("HTTP/1.1 302 Found\r\nlocation: http://localhost:1/\r\ncontent-length: 0\r\n\r\n").await;
    let outcome = sender(true, patient).send(request(url)).await;
    assert_eq!(outcome, SendOutcome::Answered { status: 302, retry_after_ms: None });
    let said = served.await.unwrap().to_lowercase();
    assert!(said.starts_with("post /hooks?a=b http/1.1\r\n"), "{said}");
    for header in ["content-type: application/json", "user-agent: purser/", "webhook-id: nt_1"] {
        assert!(said.contains(header), "{said}");
    }
    let (url, _served) = answering("HTTP/1.1 503 Later\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n").await;
    let outcome = sender(true, patient).send(request(url)).await;
    assert_eq!(outcome, SendOutcome::Answered { status: 503, retry_after_ms: Some(7000) });
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_fails_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
    let outcome = sender(true, Duration::from_millis(20)).send(request(url)).await;
    assert!(
        matches!(&outcome, SendOutcome::Failed { reason } if reason.contains("no answer within 0.02 s")),
        "{outcome:?}"
    );
}

/// Whoever says yes and then nothing has said yes.
#[tokio::test]
async fn an_answer_counts_whose_body_never_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
    let serving = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        // What comes before there is a question is no answer.
        let asked = stream.read(&mut [0; 1024]).await.unwrap();
        assert!(asked > 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nbut").await.unwrap();
        // Until the sender has had enough.
        while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
    };
    let sender = sender(true, Duration::from_millis(200));
    let (outcome, ()) = tokio::join!(sender.send(request(url)), serving);
    assert_eq!(outcome, SendOutcome::Answered { status: 200, retry_after_ms: None });
}

#[tokio::test]
async fn private_addresses_are_refused_by_number_and_by_name() {
    let sender = sender(false, Duration::from_secs(60));
    let outcome = sender.send(request("http://localhost:1/".to_owned())).await;
    assert!(matches!(&outcome, SendOutcome::Failed { reason } if reason.contains("no public address")), "{outcome:?}");
    for url in
        ["http://127.0.0.1/", "http://2130706433/", "http://0x7f.1/", "http://[::1]/", "http://[::ffff:10.0.0.1]/"]
    {
        assert!(sender.check(url).unwrap_err().contains("no public address"), "{url}");
    }
    // What one library reads in another way than the next is one host here: the one that is connected to.
    for (url, host) in [
        ("http://example.com\\@127.0.0.1/", "example.com"),
        ("http://example.com#@127.0.0.1/", "example.com"),
        ("http://EXAMPLE.com\t/", "example.com"),
        ("http://bücher.example/", "xn--bcher-kva.example"),
    ] {
        assert_eq!(sender.address(url).unwrap().host(), Some(host), "{url}");
    }
    for url in ["http://%31%32%37.0.0.1/", "http://１27.0.0.1/", "http://127.1/", "http://[::ffff:7f00:1]/"] {
        assert!(sender.check(url).unwrap_err().contains("no public address"), "{url}");
    }
}

#[test]
fn urls_are_https_without_secrets() {
    let strict = Settings { timeout: Duration::from_secs(1), allow_private_addresses: false, allow_http: false };
    let sender = Sender::new(strict).unwrap();
    assert_eq!(sender.check("https://example.com/hooks?a=b"), Ok(()));
    for (url, reason) in [
        ("http://example.com/", "must be https"),
        ("ftp://example.com/", "must be an https URL"),
        ("example.com", "must be a URL"),
        ("https://", "must be a URL"),
        ("https://user:pass@example.com/", "user or password"),
        ("https://10.1.2.3/", "no public address"),
    ] {
        let said = sender.check(url).unwrap_err();
        assert!(said.contains(reason), "{url}: {said}");
    }
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    let now = UNIX_EPOCH + Duration::from_secs(1_793_491_200);
    let read = |text: &str| retry_after_ms(&Response::builder().header(RETRY_AFTER, text).body(()).unwrap(), now);
    assert_eq!(read("120"), Some(120_000));
    assert_eq!(read("Sun, 01 Nov 2026 00:00:30 GMT"), Some(30_000));
    assert_eq!(read("Sat, 31 Oct 2026 00:00:00 GMT"), Some(0));
    assert_eq!(read("soon"), None);
    assert_eq!(retry_after_ms(&Response::new(()), now), None);
}
