//! TLS: a server with a certificate of one's own, which is trusted where the system or a variable says so.

use std::env;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;

use mynah_files::outputs;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::desk::{Desk, call};

/// Has the address in the process that asks.
const ADDRESS: &str = "MYNAH_TLS_URL";

/// A server whose certificate is in the file `pem`; its port.
fn secure(pem: &Path) -> u16 {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).expect("a certificate");
    outputs::write(pem, made.cert.pem().as_bytes()).expect("the folder of this test's files is there");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("it was made just now");
    let config = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("key and certificate fit");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = listener.local_addr().expect("it is bound").port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection = ServerConnection::new(Arc::clone(&config)).expect("the configuration is sound");
            answer(StreamOwned::new(connection, stream));
        }
    });
    port
}

fn answer(mut stream: StreamOwned<ServerConnection, TcpStream>) {
    let mut asked = Vec::new();
    let mut bytes = [0; 4_096];
    while !asked.ends_with(b"}") {
        match stream.read(&mut bytes) {
            Ok(count) if count > 0 => asked.extend_from_slice(&bytes[..count]),
            // Whoever does not trust it goes.
            _ => return,
        }
    }
    let body = "data: {\"choices\":[{\"delta\":{\"content\":\"Safe.\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let length = body.len();
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {length}\r\n\r\n");
    let _peer_may_be_gone = stream.write_all([head.as_bytes(), body.as_bytes()].concat().as_slice());
}

#[test]
#[expect(clippy::print_stdout, reason = "one process tells the other what it was told")]
fn a_certificate_is_trusted_where_it_is_known_and_nowhere_else() {
    // What is trusted is read from the environment: it is asked in a process of its own.
    if let Ok(url) = env::var(ADDRESS) {
        let config = format!("(url: \"{url}\", model: \"m\", connect_ms: 20000, first_byte_ms: 20000)");
        return println!("told: {:?}", Desk::new("Chat", &config).ask(call("Hello.", 0)).lines);
    }
    let pem = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mynah-http-tls.pem");
    let port = secure(&pem);
    let ask = |host: &str, trusted: bool| {
        let mut asking = Command::new(env::current_exe().expect("this test is a program"));
        asking
            .args([
                "--exact",
                "tls::a_certificate_is_trusted_where_it_is_known_and_nowhere_else",
                "--nocapture",
            ])
            .env(ADDRESS, format!("https://{host}:{port}/v1"))
            .env_remove("SSL_CERT_FILE")
            .env_remove("SSL_CERT_DIR");
        if trusted {
            asking.env("SSL_CERT_FILE", &pem);
        }
        let output = asking.output().expect("it runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let safe = ask("localhost", true);
    assert!(safe.contains(r#"told: ["\"Safe.\"", "done"]"#), "{safe}");
    for (host, trusted, why) in [("localhost", false, "certificate"), ("127.0.0.1", true, "certificate")] {
        let told = ask(host, trusted);
        assert!(told.contains("failed: ") && told.contains(why), "{host} {trusted}: {told}");
    }
}
