//! The function and an SQS that it reaches over TLS: whom it trusts, and what becomes of an event where it does not.
//!
//! `openssl` makes the authority and its certificate for `localhost`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use voicehook_test_support::runtime_api::{PATIENCE, RuntimeApi, webhook_event};
use voicehook_test_support::sqs_stub::{Reaction, SqsStub};
use voicehook_test_support::{APP_ID, encrypted_body};

const AUTHORITY: &str = "authority.pem";

/// A folder with an authority, and with a certificate of it.
fn certificates(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tls").join(test);
    fs::create_dir_all(&folder).unwrap();
    let openssl = |arguments: &[&str]| {
        let new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"];
        let output = Command::new("openssl").current_dir(&folder).args(new).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    openssl(&["-subj", "/CN=authority of a test", "-keyout", "authority.key", "-out", AUTHORITY]);
    let names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
    let signed = ["-addext", "basicConstraints=CA:FALSE", "-CA", AUTHORITY, "-CAkey", "authority.key"];
    openssl(&[&names[..], &signed, &["-keyout", "localhost.key", "-out", "localhost.pem"]].concat());
    folder
}

/// TLS in front of an SQS; its port.
async fn tls(folder: &Path, sqs: &SqsStub) -> u16 {
    let certificate = CertificateDer::from_pem_file(folder.join("localhost.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("localhost.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let (acceptor, listener) = (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let (port, behind) = (listener.local_addr().unwrap().port(), sqs.endpoint().replace("http://", ""));
    tokio::spawn(async move {
        loop {
            let (connection, _) = listener.accept().await.unwrap();
            let (acceptor, behind) = (acceptor.clone(), behind.clone());
            tokio::spawn(async move {
                let Ok(mut connection) = acceptor.accept(connection).await else { return };
                let mut behind = TcpStream::connect(behind).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut connection, &mut behind).await;
            });
        }
    });
    port
}

/// The status of a webhook whose event goes to SQS over TLS.
async fn status(port: u16, sqs: &SqsStub, more: &[(&str, &str)]) -> u64 {
    let api = RuntimeApi::start().await;
    let endpoint = format!("https://localhost:{port}");
    let queue_url = sqs.queue_url().replace(&sqs.endpoint(), &endpoint);
    let variables = [("AWS_ENDPOINT_URL", endpoint.as_str()), ("QUEUE_URL", &queue_url), ("ENABLEX_APP_ID", APP_ID)];
    let _function = api.function(&crate::lambda_binary(), &[&variables[..], more].concat());
    let answer = api.invoke(webhook_event("/webhook", "", &encrypted_body(r#"{"state":"connected"}"#)), None);
    timeout(PATIENCE, answer).await.unwrap().unwrap()["statusCode"].as_u64().unwrap()
}

#[tokio::test]
async fn an_event_reaches_a_queue_whose_authority_is_the_one_of_ssl_cert_file() {
    let folder = certificates("known");
    let sqs = SqsStub::start(&[], Reaction::Accept).await;
    let port = tls(&folder, &sqs).await;
    let authority = folder.join(AUTHORITY);
    assert_eq!(status(port, &sqs, &[("SSL_CERT_FILE", authority.to_str().unwrap())]).await, 200);
    assert_eq!(sqs.accepted().iter().filter(|request| request["MessageBody"].is_string()).count(), 1);
}

#[tokio::test]
async fn nothing_is_sent_to_a_server_whose_authority_nobody_named() {
    let folder = certificates("unknown");
    let sqs = SqsStub::start(&[], Reaction::Accept).await;
    let port = tls(&folder, &sqs).await;
    assert_eq!(status(port, &sqs, &[]).await, 503);
    assert!(sqs.accepted().is_empty());
}
