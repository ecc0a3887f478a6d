//! `voicehook decrypt`, as a person runs it: a webhook in whatever form it was kept goes in, and out comes the event, or
//! what is wrong and what to try next.

use std::{fs, io::Write as _, path::Path, process::Output};

use crate::tool::{given, printed, typing, voicehook};
use cipher::{Array, BlockModeEncrypt as _, KeyIvInit as _};
use md5::{Digest as _, Md5};
use serde_json::{Value, json};
use sha2::Sha256;
use voicehook_lambda::{
    decrypt::{Algorithm, Encoding, Format, KeyAndIv, KeySize},
    event::Event,
    sender,
};
use voicehook_test_support::aws_stub::AwsStub;

const APP_ID: &str = "5f1e0a77-the-app-id-that-nobody-may-see";
/// Spelled so that whoever writes the JSON anew changes it.
const EVENT: &str = r#"{"voice_id": "call-1","state":"connected",  "n":1.50,"from":"+12025550123"}"#;

/// What it said: exit status, standard output, standard error.
struct Said {
    status: i32,
    event: String,
    explanation: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let said = Self {
            status: output.status.code().unwrap(),
            event: text(output.stdout),
            explanation: text(output.stderr),
        };
        for text in [&said.event, &said.explanation] {
            assert!(!text.contains(APP_ID), "the AppID is echoed: {text}");
        }
        said
    }
}

fn decrypt(input: impl AsRef<[u8]>, options: &[&str]) -> Said {
    let mut command = voicehook();
    command.arg("decrypt").args(options).env("ENABLEX_APP_ID", APP_ID);
    given(&mut command, input.as_ref()).into()
}

fn report(input: impl AsRef<[u8]>, options: &[&str]) -> Value {
    let said = decrypt(input, &[&["--json"], options].concat());
    serde_json::from_str(&said.event).unwrap_or_else(|error| panic!("{error}: {} {}", said.event, said.explanation))
}

fn named(algorithm: &str) -> Algorithm {
    Algorithm::named(algorithm).unwrap()
}

fn encrypted(text: &str, algorithm: &str, format: Format, encoding: Encoding) -> String {
    sender::encrypt(text, APP_ID, named(algorithm), format, encoding)
}

fn hex() -> String {
    encrypted(EVENT, "aes-256-cbc", Format::Hex, Encoding::Utf8)
}

fn base64() -> String {
    encrypted(EVENT, "aes-256-cbc", Format::Base64, Encoding::Utf8)
}

fn body(encrypted_data: &str) -> String {
    json!({"encrypted_data": encrypted_data}).to_string()
}

const HEADERS: [(&str, &str); 4] =
    [("content-type", "application/json"), ("x-algoritm", "aes-256-cbc"), ("x-format", "hex"), ("x-encoding", "utf8")];

/// A request as it goes over the wire, with the headers of EnableX or others in their place.
fn http(changed: &[(&str, &str)], body: &str) -> String {
    let replaced = |name: &str| changed.iter().any(|(other, _)| *other == name);
    let kept = HEADERS.iter().filter(|(name, _)| !replaced(name));
    let lines: String = kept
        .chain(changed)
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!("POST /webhook HTTP/1.1\r\nhost: example.com\r\n{lines}content-length: {}\r\n\r\n{body}", body.len())
}

fn headers() -> Value {
    HEADERS
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Value::from(*value)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn har_entry(body: &str) -> Value {
    let headers: Vec<Value> = HEADERS.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    let post_data = json!({"mimeType": "application/json", "text": body});
    json!({"request": {"method": "POST", "url": "https://a.example/webhook", "headers": headers, "postData": post_data}})
}

fn quarantined(id: &str, part: usize, parts: usize, body: &str) -> Value {
    let body = base64_simd::STANDARD.encode_to_string(body);
    json!({
        "version": 1, "id": id, "part": part, "parts": parts, "reason": "undecryptable", "app": "default",
        "received_at": "2026-01-01T00:00:00Z", "request_id": "r", "headers": headers(), "body_base64": body,
    })
}

fn messages(records: &[Value]) -> String {
    let messages: Vec<Value> = records
        .iter()
        .map(|record| json!({"MessageId": "m", "ReceiptHandle": "r", "Body": record.to_string()}))
        .collect();
    json!({"Messages": messages}).to_string()
}

fn chunked(body: &str) -> String {
    let (first, second) = body.split_at(10);
    let chunks = format!("a\r\n{first}\r\n{:x};name=value\r\n{second}\r\n0\r\n\r\n", second.len());
    http(&[("transfer-encoding", "chunked")], "").replace("content-length: 0\r\n", "") + &chunks
}

/// The same webhook in every form in which a person may have it.
fn every_form() -> Vec<(&'static str, Vec<u8>)> {
    let (hex, body) = (hex(), body(&hex()));
    let wire = http(&[], &body);
    let payload_2 = json!({
        "version": "2.0", "rawPath": "/webhook", "rawQueryString": "", "headers": headers(), "body": body,
        "isBase64Encoded": false, "requestContext": {"http": {"method": "POST", "path": "/webhook"}, "stage": "$default"},
    });
    let payload_1 = json!({
        "resource": "/webhook", "path": "/webhook", "httpMethod": "POST", "headers": headers(), "isBase64Encoded": true,
        "multiValueHeaders": HEADERS.iter().map(|(name, value)| ((*name).to_owned(), json!([value]))).collect::<serde_json::Map<_, _>>(),
        "body": base64_simd::STANDARD.encode_to_string(&body), "requestContext": {"stage": "prod", "path": "/prod/webhook"},
    });
    let options: String = HEADERS.iter().map(|(name, value)| format!(" -H '{name}: {value}'")).collect();
    let record = quarantined("a", 1, 1, &body);
    let something_else = json!({"request": {"method": "POST", "url": "/", "headers": [], "postData": {"text": "a=b"}}});
    let forms: Vec<(&str, String)> = vec![
        ("payload 2.0", payload_2.to_string()),
        ("payload 1.0 in base64", payload_1.to_string()),
        ("HTTP", wire.clone()),
        ("HTTP with line feeds alone, and blank lines around it", format!("\n\n{}\n\n", wire.replace('\r', ""))),
        ("HTTP in chunks", chunked(&body)),
        ("headers without a request line", wire.split_once("\r\n").unwrap().1.to_owned()),
        ("HTTP/2 as a browser shows it", wire.replace("POST /webhook HTTP/1.1", ":method: POST\r\n:path: /webhook")),
        ("HTTP as curl -v shows it", {
            let (head, body) = wire.split_once("\r\n\r\n").unwrap();
            head.lines().map(|line| format!("> {line}\n")).collect::<String>() + ">\n" + body
        }),
        ("curl", format!("curl -i https://a.example/webhook{options} -d '{body}'")),
        (
            "curl on several lines, in a browser's quotes",
            format!("$ curl \"https://a.example/webhook\" \\\n {options} \\\n --compressed -sS --data-raw $'{body}'"),
        ),
        ("curl with the URL at the end, piped on", {
            format!(
                "curl -XPOST{options} --data-binary \"{}\" https://a.example/webhook | jq .",
                body.replace('"', "\\\"")
            )
        }),
        ("curl as Chrome writes it for cmd.exe", {
            let options: String =
                HEADERS.iter().map(|(name, value)| format!("  -H ^\"{name}: {value}^\" ^\r\n")).collect();
            let data = body.replace('"', "^\\^\"").replace('{', "^{").replace('}', "^}");
            format!("curl ^\"https://a.example/webhook^\" ^\r\n{options}  --data-raw ^\"{data}^\"\r\n")
        }),
        ("curl as Firefox writes it for Windows", {
            let options = options.replace('\'', "\"");
            format!(
                "curl.exe \"https://a.example/webhook\" --compressed -X POST{options} --data-raw \"{}\"",
                body.replace('"', "\"\"")
            )
        }),
        ("curl in PowerShell", {
            let options = options.replace(" -H", " `\r\n  -H");
            format!(
                "PS C:\\Users\\me> curl.exe 'https://a.example/webhook'{options} `\r\n  -d '{body}' | ConvertFrom-Json"
            )
        }),
        ("curl with a comment, a prompt, sudo and what follows it", {
            format!("# the webhook\n\n% sudo curl https://a.example/webhook{options} -d '{body}'; echo done # end\n")
        }),
        ("curl into a file", {
            format!(
                "[me@host ~]$ /usr/bin/curl{options} -d '{body}' 'https://a.example/webhook' 2>/dev/null > 'a file'"
            )
        }),
        ("HTTP/2 as curl -v shows it", {
            let wire = wire.replace("HTTP/1.1", "HTTP/2");
            let (head, body) = wire.split_once("\r\n\r\n").unwrap();
            let head = head.lines().map(|line| format!("> {line}\n")).collect::<String>();
            format!("* Connected to a.example\n{head}> \n}} [237 bytes data]\n{body}\n< HTTP/2 200 \n< \n")
        }),
        ("a HAR entry", har_entry(&body).to_string()),
        ("a HAR entry with its body in base64", {
            let mut entry = har_entry(&base64_simd::STANDARD.encode_to_string(&body));
            entry["request"]["postData"]["encoding"] = "base64".into();
            entry.to_string()
        }),
        ("a HAR file", json!({"log": {"entries": [something_else, har_entry(&body)]}}).to_string()),
        ("a quarantined webhook", record.to_string()),
        ("what aws sqs receive-message prints", messages(std::slice::from_ref(&record))),
        (
            "what a function that reads the quarantine gets",
            json!({"Records": [{"body": record.to_string()}]}).to_string(),
        ),
        ("a body", format!("  {body}\n")),
        ("a form", format!("encrypted_data={hex}&more=1")),
        ("a ciphertext", hex.clone()),
        ("a ciphertext in quotes", format!("\"{hex}\"\n")),
        ("a ciphertext as xxd -p prints it", {
            let lines = hex.as_bytes().chunks(60).map(|line| String::from_utf8_lossy(line).into_owned() + "\n");
            lines.collect()
        }),
        ("a body with a byte order mark", format!("\u{feff}{body}")),
    ];
    let utf_16 = [0xff, 0xfe].into_iter().chain(body.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let big_endian = [0xfe, 0xff].into_iter().chain(wire.encode_utf16().flat_map(u16::to_be_bytes)).collect();
    let mut forms: Vec<_> = forms.into_iter().map(|(name, text)| (name, text.into_bytes())).collect();
    forms.push(("a body as PowerShell writes it into a file", utf_16));
    forms.push(("HTTP in UTF-16, big-endian", big_endian));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(json!({"log": {"entries": [har_entry(&body)]}}).to_string().as_bytes()).unwrap();
    forms.push(("a HAR file that is compressed", gzip.finish().unwrap()));
    forms
}

#[test]
fn every_form_of_a_webhook_gives_the_event_byte_for_byte_and_nothing_else() {
    for (form, input) in every_form() {
        let said = decrypt(&input, &[]);
        assert_eq!((said.status, said.explanation.as_str()), (0, ""), "{form}");
        assert_eq!(said.event, format!("{EVENT}\n"), "{form}");
    }
}

#[test]
fn a_ciphertext_alone_is_read_as_the_options_say() {
    for (algorithm, format, name) in [
        ("aes-256-cbc", Format::Base64, "base64"),
        ("aes192", Format::Base64, "base64url"),
        ("AES-128-CTR", Format::Hex, "HEX"),
        ("aes-256-cfb8", Format::Latin1, "binary"),
    ] {
        let data = encrypted(EVENT, algorithm, format, Encoding::Utf16le);
        let said = decrypt(data, &["--algorithm", algorithm, "--format", name, "--encoding", "utf16le"]);
        assert_eq!((said.status, said.event), (0, format!("{EVENT}\n")), "{algorithm}: {}", said.explanation);
    }
    let bytes = sender::ciphertext(EVENT, &KeyAndIv::derive(APP_ID), named("aes256"), Encoding::Utf8);
    // White space at either end belongs to a ciphertext: look for one that has it.
    let spaced = (0..100_000).map(|n| format!(r#"{{"n":{n}}}"#)).find(|text| {
        let id = KeyAndIv::derive(APP_ID);
        let bytes = sender::ciphertext(text, &id, named("aes256"), Encoding::Utf8);
        bytes[0].is_ascii_whitespace() && std::str::from_utf8(&bytes).is_err()
    });
    let spaced = spaced.unwrap();
    let of_spaced = sender::ciphertext(&spaced, &KeyAndIv::derive(APP_ID), named("aes256"), Encoding::Utf8);
    for (bytes, event) in [(bytes, EVENT), (of_spaced, &spaced)] {
        let said = decrypt(bytes, &["--format", "latin1"]);
        assert_eq!((said.status, said.event), (0, format!("{event}\n")), "{}", said.explanation);
    }
}

#[test]
fn the_ready_made_lambda_events_open_where_the_function_would_queue_them_and_else_do_not() {
    let mut opened = 0;
    for file in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../events")).unwrap() {
        let file = file.unwrap().path();
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        if file.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let output = voicehook().arg("decrypt").arg(&file).env("ENABLEX_APP_ID", "voicehook-dev").output().unwrap();
        let (event, explanation) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        if name.starts_with("queued-") {
            assert_eq!((output.status.code(), explanation.as_str()), (Some(0), ""), "{name}");
            assert_ne!(Event::from_json(event).unwrap().event_type(), "unknown", "{name}");
            opened += 1;
        } else {
            assert_eq!((output.status.code(), event.as_str()), (Some(1), ""), "{name}");
            assert!(
                explanation.contains("cannot be decrypted") && explanation.contains("Next: "),
                "{name}: {explanation}"
            );
        }
    }
    assert!(opened > 20);
}

#[test]
fn who_gives_an_app_id_need_not_name_the_app_but_a_path_that_is_no_webhooks_is_named_all_the_same() {
    let with_app_id = |file: &str, options: &[&str]| -> Said {
        let mut command = voicehook();
        command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../events")).args(["decrypt", file]);
        command.args(["--app-id", "voicehook-dev"]).args(options).output().unwrap().into()
    };
    assert_eq!(with_app_id("not_found-unknown-app.json", &[]).status, 0);
    let elsewhere = with_app_id("not_found-unknown-path.json", &[]);
    assert_eq!((elsewhere.status, elsewhere.event.as_str()), (1, ""));
    assert!(elsewhere.explanation.contains("not that of a webhook"), "{}", elsewhere.explanation);
    assert_eq!(with_app_id("not_found-unknown-path.json", &["--app", "default"]).status, 0);
}

#[test]
fn a_form_that_is_not_recognized_can_be_named_and_one_that_it_is_not_is_refused_with_what_it_lacks() {
    let said = decrypt(hex(), &["--as", "ciphertext"]);
    assert_eq!(said.status, 0, "{}", said.explanation);
    for (form, says) in [
        ("event", "not an event of a Lambda function"),
        ("http", "POST /webhook HTTP/1.1"),
        ("har", "not a HAR file"),
        ("quarantine", "not a message from the quarantine"),
    ] {
        let said = decrypt("hello", &["--as", form]);
        assert_eq!((said.status, said.event.as_str()), (1, ""), "{form}");
        assert!(said.explanation.contains(says), "{form}: {}", said.explanation);
    }
    let of_the_event_queue = decrypt(json!({"Messages": [{"Body": EVENT}]}).to_string(), &[]);
    assert!(of_the_event_queue.explanation.contains("already decrypted"), "{}", of_the_event_queue.explanation);
    let unclosed = decrypt("curl -d '{\"encrypted_data\":\"00", &[]);
    assert!(unclosed.explanation.contains("not closed"), "{}", unclosed.explanation);
    let without_posts = decrypt(json!({"log": {"entries": []}}).to_string(), &[]);
    assert!(without_posts.explanation.contains("no POST request"), "{}", without_posts.explanation);
    let nothing = decrypt(" \n", &[]);
    assert!(nothing.explanation.contains("the input is empty"), "{}", nothing.explanation);
}

#[test]
fn an_error_quotes_the_ends_of_what_it_is_about_and_not_a_whole_file() {
    let long = "x".repeat(6000);
    for (form, input) in [
        ("curl", format!("curl https://example.com -X '{long} {long}'")),
        ("curl", format!("curl https://example.com -d @{long}")),
        ("quarantine", json!({"version": long}).to_string()),
    ] {
        let said = decrypt(&input, &["--as", form]);
        assert_eq!(said.status, 1, "{form}: {}", said.explanation);
        assert!(said.explanation.contains("x…") && said.explanation.len() < 1000, "{form}: {}", said.explanation);
    }
}

#[test]
fn the_parts_of_a_large_webhook_are_joined_also_from_several_answers_of_sqs() {
    let body = body(&hex());
    let (first, rest) = body.split_at(30);
    let (second, third) = rest.split_at(30);
    let parts = [quarantined("big", 3, 3, third), quarantined("big", 1, 3, first), quarantined("big", 2, 3, second)];
    let small =
        quarantined("a", 1, 1, &self::body(&encrypted(r#"{"state":"hold"}"#, "aes256", Format::Hex, Encoding::Utf8)));
    let answers = messages(&parts[..2]) + "\n" + &messages(&[small, parts[2].clone(), parts[1].clone()]);
    let said = decrypt(&answers, &[]);
    assert_eq!(said.status, 0, "{}", said.explanation);
    assert_eq!(said.event, format!("{EVENT}\n{{\"state\":\"hold\"}}\n"), "in the order of their first parts");
    let said = decrypt(messages(&parts[..2]), &[]);
    assert_eq!(said.status, 1);
    assert!(said.explanation.contains("2 of the 3 parts"), "{}", said.explanation);
}

#[test]
fn a_file_and_standard_input_are_read_alike() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("webhook-{}.txt", std::process::id()));
    fs::write(&file, http(&[], &body(&hex()))).unwrap();
    let from_file = decrypt("", &[file.to_str().unwrap()]);
    assert_eq!((from_file.status, from_file.event), (0, format!("{EVENT}\n")), "{}", from_file.explanation);
    let dash = decrypt(fs::read(&file).unwrap(), &["-"]);
    assert_eq!((dash.status, dash.event), (0, format!("{EVENT}\n")), "{}", dash.explanation);
    let by_curl = format!(
        "curl https://a.example/webhook -H 'x-algoritm: aes-256-cbc' -H 'x-format: hex' -H 'x-encoding: utf8' \
                           -H 'content-type: application/json' -d @{}",
        file.display()
    );
    fs::write(&file, body(&hex())).unwrap();
    assert_eq!(decrypt(by_curl, &[]).event, format!("{EVENT}\n"));
    fs::remove_file(&file).unwrap();
    let missing = decrypt("", &[file.to_str().unwrap()]);
    assert_eq!(missing.status, 1);
    assert!(missing.explanation.contains("cannot be read") && missing.explanation.contains("webhook-"));
}

/// Under AES-256 in CBC mode, with another key, another IV, or something in front.
fn foreign(key: &[u8], iv: &[u8], front: &[u8]) -> String {
    let mut bytes = EVENT.as_bytes().to_vec();
    let padding = 16 - bytes.len() % 16;
    bytes.resize(bytes.len() + padding, padding as u8);
    let mut cipher = cbc::Encryptor::<aes::Aes256>::new_from_slices(key, iv).unwrap();
    cipher.encrypt_blocks(Array::slice_as_chunks_mut(&mut bytes).0);
    hex_simd::encode_to_string([front, &bytes].concat(), hex_simd::AsciiCase::Lower)
}

fn openssl_key<D: md5::Digest>(salt: &[u8]) -> Vec<u8> {
    let mut material: Vec<u8> = Vec::new();
    let mut last = Vec::new();
    while material.len() < 48 {
        last = D::new().chain_update(&last).chain_update(APP_ID).chain_update(salt).finalize().to_vec();
        material.extend(&last);
    }
    material
}

/// Webhooks that were not encrypted as EnableX does it, and what is said of each.
fn foreign_schemes() -> Vec<(String, &'static str)> {
    let iv = [7; 16];
    let salt = *b"\x01\x02salty!";
    let salted = [b"Salted__", &salt[..]].concat();
    let sha_256 = Sha256::digest(APP_ID);
    let hex_of = |bytes: &[u8]| hex_simd::encode_to_string(bytes, hex_simd::AsciiCase::Lower);
    let enablex = KeyAndIv::derive(APP_ID);
    let (enablex, _) = enablex.split(KeySize::Aes256);
    let of_sha_256 = openssl_key::<Sha256>(&[]);
    let (salted_md5, salted_sha_256) = (openssl_key::<Md5>(&salt), openssl_key::<Sha256>(&salt));
    let mut stretched = [0; 48];
    pbkdf2::pbkdf2_hmac::<Sha256>(APP_ID.as_bytes(), &salt, 10_000, &mut stretched);
    let as_salted = |material: &[u8]| foreign(&material[..32], &material[32..48], &salted);
    vec![
        (foreign(&sha_256, &iv, &iv), "the SHA-256 of the AppID as the key, and the first 16 bytes as IV"),
        (foreign(&APP_ID.as_bytes()[..32], &iv, &iv), "the AppID itself as the key, and the first 16 bytes as IV"),
        (foreign(enablex, &iv, &iv), "EnableX's key, and the first 16 bytes as IV"),
        (foreign(&APP_ID.as_bytes()[..32], &[0; 16], &[]), "the AppID itself as the key, and an IV of zeros"),
        (
            foreign(hex_of(&Md5::digest(APP_ID)).as_bytes(), &APP_ID.as_bytes()[..16], &[]),
            "the MD5 of the AppID, in hex, as the key, and the first 16 bytes of the AppID as IV",
        ),
        (foreign(&of_sha_256[..32], &of_sha_256[32..48], &[]), "OpenSSL's key derivation with SHA-256 instead of MD5"),
        (as_salted(&salted_md5), "a random salt (openssl enc -md md5, or CryptoJS)"),
        (as_salted(&salted_sha_256), "a random salt, and SHA-256"),
        (as_salted(&stretched), "a random salt, and PBKDF2"),
    ]
}

#[test]
fn another_way_of_encryption_is_recognized_and_named() {
    for (data, scheme) in foreign_schemes() {
        let said = decrypt(body(&data), &[]);
        assert_eq!((said.status, said.event.as_str()), (1, ""), "{scheme}");
        for part in [scheme, "EVP_BytesToKey with MD5", "event call.connected of call call-1"] {
            assert!(said.explanation.contains(part), "{part}: {}", said.explanation);
        }
        let anyway = decrypt(body(&data), &["--anyway"]);
        assert_eq!((anyway.status, anyway.event), (1, format!("{EVENT}\n")), "{scheme}");
    }
}

/// An input, the options, and what is said: what is wrong, and what to do.
type Mistake = (String, Vec<&'static str>, &'static str, &'static str);

fn readable_mistakes() -> Vec<Mistake> {
    let cbc = |text: &str| encrypted(text, "aes-256-cbc", Format::Hex, Encoding::Utf8);
    let wire = |changed: &[(&str, &str)]| http(changed, &body(&hex()));
    let long = EVENT.replace("call-1", &"call-1".repeat(20));
    let with_plus = encrypted(&long, "aes-256-cbc", Format::Base64, Encoding::Utf8);
    assert!(with_plus.contains('+'));
    let base64_form = |data: &str| {
        let form = [("content-type", "application/x-www-form-urlencoded"), ("x-format", "base64")];
        http(&form, &format!("encrypted_data={data}"))
    };
    let in_base64 = base64_simd::STANDARD.encode_to_string(EVENT);
    let utf_16 = encrypted(EVENT, "aes-256-cbc", Format::Hex, Encoding::Utf16le);
    let ctr = encrypted(EVENT, "aes-128-ctr", Format::Hex, Encoding::Utf8);
    let double = |format: &str, data: &str| http(&[("x-format", format)], &body(data));
    let hex_of_base64 = hex_simd::encode_to_string(base64(), hex_simd::AsciiCase::Lower);
    vec![
        (http(&[], &body(&base64())), vec![], "written in base64", "Send the header x-format: base64"),
        (wire(&[("x-format", "base64")]), vec![], "written in hex", "Send the header x-format: hex"),
        (wire(&[("x-format", "rot13")]), vec![], "\"rot13\" is not supported", "Send the header x-format: hex"),
        (wire(&[("x-format", "")]), vec![], "header x-format is missing", "drops headers that begin with x-"),
        (http(&[], &body(&ctr)), vec![], "encrypted with aes-128-ctr", "Send the header x-algoritm: aes-128-ctr"),
        (wire(&[("x-algoritm", "AES-256")]), vec![], "\"AES-256\" is not supported", "x-algoritm: aes-256-cbc"),
        (wire(&[("x-algoritm", "")]), vec![], "header x-algoritm is missing", "x-algoritm: aes-256-cbc"),
        (
            wire(&[("x-algoritm", ""), ("x-algorythm", "aes-256-cbc")]),
            vec![],
            "there is a header x-algorythm",
            "Send it as x-algoritm",
        ),
        (
            wire(&[("x-algoritm", "aes-128-cbc"), ("X-Algoritm", "aes-256-cbc")]),
            vec![],
            "more than once",
            "which proxy adds",
        ),
        (http(&[], &body(&utf_16)), vec![], "written in utf16le", "Send the header x-encoding: utf16le"),
        (wire(&[("x-encoding", "utf-7")]), vec![], "\"utf-7\" is not supported", "Send the header x-encoding: utf8"),
        (
            double("base64", &base64_simd::STANDARD.encode_to_string(hex())),
            vec![],
            "as hex, and then as base64",
            "once",
        ),
        (double("hex", &hex_of_base64), vec![], "encoded twice: as base64, and then as hex", "once"),
        (
            http(&[], &json!(body(&hex())).to_string()),
            vec![],
            "a JSON string that contains JSON",
            "Send the object itself",
        ),
        (body(&cbc(&json!(EVENT).to_string())), vec![], "encoded as JSON twice", "JSON.stringify"),
        (body(&cbc(&in_base64)), vec![], "the event in base64", "x-format is for the ciphertext"),
        (body(&cbc(&format!("\u{feff}{EVENT}"))), vec![], "byte order mark", "without it"),
        (base64_form(&with_plus), vec![], "spaces where base64 has plus signs", "%2B"),
        (http(&[], &body(&format!("0x{}", hex()))), vec![], "around or between its digits", "only the digits"),
        (json!({"encryptedData": hex()}).to_string(), vec![], "a field encryptedData", "Name the field encrypted_data"),
        (json!({"data": {"encrypted_data": hex()}}).to_string(), vec![], "but of its field data", "the whole body"),
        // Without headers there is nobody to send other ones.
        (base64(), vec![], "written in base64", "Give --format base64"),
        (ctr, vec![], "encrypted with aes-128-ctr", "Give --algorithm aes-128-ctr"),
        (utf_16, vec![], "written in utf16le", "Give --encoding utf16le"),
        (hex(), vec!["--algorithm", "des3"], "\"des3\" is not supported", "Give --algorithm aes-256-cbc"),
    ]
}

#[test]
fn a_mistake_behind_which_the_event_can_be_read_is_named_with_the_next_step_and_the_event_printed_only_with_anyway() {
    for (input, options, problem, next) in readable_mistakes() {
        let said = decrypt(&input, &options);
        assert_eq!((said.status, said.event.as_str()), (1, ""), "{problem}");
        for part in [problem, next, "event call.connected of call call-1", "--anyway"] {
            assert!(said.explanation.contains(part), "{part}: {input}\n{}", said.explanation);
        }
        let anyway = decrypt(&input, &[options.as_slice(), &["--anyway"]].concat());
        assert_eq!(anyway.status, 1, "{problem}");
        assert!(anyway.event.contains(r#""n":1.50,"from":"+12025550123"}"#), "{problem}: {}", anyway.event);
    }
}

#[test]
fn a_webhook_of_which_no_event_can_be_read_is_explained_and_a_wrong_app_id_told_from_damage() {
    let of_another = body(&sender::encrypt(EVENT, "another", named("aes256"), Format::Hex, Encoding::Utf8));
    let hex = hex();
    let long = EVENT.replace("call-1", &"call-1".repeat(20));
    let mut damaged = encrypted(&long, "aes256", Format::Hex, Encoding::Utf8);
    damaged.replace_range(64..96, &"0".repeat(32));
    let wire = http(&[], &body(&hex));
    let unknown_salt = [b"Salted__", &[1; 40][..]].concat();
    let unknown_salt = hex_simd::encode_to_string(unknown_salt, hex_simd::AsciiCase::Lower);
    let right = "the AppID is the right one";
    let cases = [
        (
            of_another,
            vec![
                "the usual cause is that it was encrypted with a different AppID",
                "Copy the AppID from the EnableX portal",
            ],
        ),
        (hex[..hex.len() - 6].to_owned(), vec!["at least 3 bytes are missing", "cut off on the way", right]),
        (hex[..hex.len() - 5].to_owned(), vec!["an odd number, so at least one is missing", right]),
        (hex[..hex.len() - 32].to_owned(), vec![right, "its end", "capture it again, complete"]),
        (damaged, vec![right, "something was changed", "Find what changed it"]),
        (wire[..wire.len() - 40].to_owned(), vec!["Content-Length is", "it was cut off"]),
        (body(&format!("{}…", &hex[..60])), vec!["character 61 of encrypted_data is '…'", "complete and unchanged"]),
        (body(&encrypted("[1,2]", "aes256", Format::Hex, Encoding::Utf8)), vec![right, "not one JSON object"]),
        (body(&unknown_salt), vec!["begins with Salted__", "without a salt"]),
        (EVENT.to_owned(), vec!["the event itself, in plaintext", "ALLOW_PLAINTEXT"]),
        (body(EVENT), vec!["encrypted_data is not encrypted", "Encrypt it before it is encoded"]),
        (
            body(&hex_simd::encode_to_string(EVENT, hex_simd::AsciiCase::Lower)),
            vec!["only encoded", "Encrypt it before it is encoded"],
        ),
        (body(""), vec!["encrypted_data is empty"]),
        (http(&[("content-type", "text/plain")], &hex), vec!["text/plain", "content-type: application/json"]),
        (r#"{"a": 1}"#.to_owned(), vec!["no field encrypted_data", "what EnableX sends"]),
        ("GET /webhook HTTP/1.1\nhost: a\n\n".to_owned(), vec!["this is a GET request"]),
        (http(&[], ""), vec!["a probe of the URL"]),
        (wire.replace("/webhook", "/webhook/sales"), vec!["to app sales", "the apps are: default", "--app NAME"]),
    ];
    for (input, says) in cases {
        for options in [&[][..], &["--anyway"]] {
            let said = decrypt(&input, options);
            assert_eq!((said.status, said.event.as_str()), (1, ""), "{says:?}");
            for part in &says {
                assert!(said.explanation.contains(part), "{part}: {}", said.explanation);
            }
        }
    }
}

#[test]
fn a_cipher_that_is_not_supported_is_named_and_says_nothing_against_the_app_id() {
    let data = body(&hex_simd::encode_to_string([0xa7; 61], hex_simd::AsciiCase::Lower));
    for (algorithm, what) in [
        ("aes-256-gcm", "AES-GCM"),
        ("AES-128-CCM", "AES-CCM"),
        ("des-ede3-cbc", "Triple DES"),
        ("camellia-256-cbc", "Camellia"),
        ("chacha20-poly1305", "ChaCha20"),
        ("aes-256-cfb1", "AES-CFB1"),
    ] {
        let said = decrypt(http(&[("x-algoritm", algorithm)], &data), &[]);
        for part in [what, "whether the AppID is right cannot be told", "leave the AppID as it is"] {
            assert!(said.explanation.contains(part), "{part}: {}", said.explanation);
        }
        assert!(!said.explanation.contains("different AppID"), "{}", said.explanation);
    }
}

#[test]
fn an_empty_plaintext_and_the_sample_app_id_are_recognized() {
    let empty = decrypt(body(&encrypted("", "aes-256-cbc", Format::Hex, Encoding::Utf8)), &[]);
    for part in ["the AppID is the right one", "the plaintext is empty"] {
        assert!(empty.explanation.contains(part), "{}", empty.explanation);
    }
    let sample = sender::encrypt(EVENT, "voicehook-dev", named("aes256"), Format::Hex, Encoding::Utf8);
    let sample = decrypt(body(&sample), &[]);
    assert!(sample.explanation.contains("voicehook's sample AppID"), "{}", sample.explanation);
}

#[test]
fn a_typo_in_the_app_id_is_found_without_showing_it() {
    for (given, says) in [
        (format!("\"{APP_ID}\""), "without the quotes around it"),
        (format!("ENABLEX_APP_ID={APP_ID}"), "without the prefix before its ="),
        (APP_ID.to_uppercase(), "in lower case"),
    ] {
        let said = decrypt(body(&hex()), &["--app-id", &given]);
        assert_eq!(said.status, 1);
        assert!(said.explanation.contains(says) && !said.explanation.contains(&given), "{}", said.explanation);
    }
}

#[test]
fn a_large_webhook_with_a_wrong_app_id_is_explained_too() {
    // It took minutes, while every wrong key cost the whole text.
    let large = format!(r#"{{"state":"connected","note":"{}"}}"#, "x".repeat(700_000));
    let said = decrypt(encrypted(&large, "aes256", Format::Hex, Encoding::Utf8), &["--app-id", "another"]);
    assert!(
        said.explanation.contains("the usual cause is that it was encrypted with a different AppID"),
        "{}",
        said.explanation
    );
}

#[test]
fn json_is_one_report_for_each_webhook_and_pretty_changes_white_space_alone() {
    let both = messages(&[quarantined("b", 1, 1, &body(&hex())), quarantined("a", 1, 1, &body(&base64()))]);
    let said = decrypt(&both, &["--json"]);
    assert_eq!((said.status, said.explanation.as_str()), (1, ""));
    let reports: Vec<Value> = said.event.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [opened, failed] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!((&opened["opened"], &opened["event"]), (&true.into(), &EVENT.into()));
    assert_eq!((&opened["event_type"], &opened["voice_id"]), (&"call.connected".into(), &"call-1".into()));
    assert_eq!((&opened["input"], &opened["app"]), (&"a quarantined webhook".into(), &"default".into()));
    assert_eq!(
        (&failed["opened"], &failed["reason"], &failed["event"]),
        (&false.into(), &"undecryptable".into(), &EVENT.into())
    );
    assert!(failed["findings"][0]["next"].as_str().unwrap().contains("x-format: base64"), "{failed}");
    for (input, reason) in [("{}", "malformed"), ("GET / HTTP/1.1\n\n", "not_found")] {
        assert_eq!(report(input, &[])["reason"], reason);
    }
    let pretty = decrypt(hex(), &["--pretty"]);
    assert_eq!(
        pretty.event,
        "{\n  \"voice_id\": \"call-1\",\n  \"state\": \"connected\",\n  \"n\": 1.50,\n  \"from\": \"+12025550123\"\n}\n"
    );
}

#[test]
fn the_variables_of_the_function_count_as_for_the_function() {
    let with = |variable: &str, value: &str, input: &str| -> Said {
        let mut command = voicehook();
        command.arg("decrypt").env("ENABLEX_APP_ID", APP_ID).env(variable, value);
        given(&mut command, input.as_bytes()).into()
    };
    let ctr = encrypted(EVENT, "aes-256-ctr", Format::Hex, Encoding::Utf8);
    let not_allowed = with("ALLOWED_ALGORITHMS", "aes-256-cbc", &http(&[("x-algoritm", "aes-256-ctr")], &body(&ctr)));
    assert_eq!(not_allowed.status, 1);
    assert!(not_allowed.explanation.contains("Add it to ALLOWED_ALGORITHMS"), "{}", not_allowed.explanation);
    let plain = with("ALLOW_PLAINTEXT", "true", &http(&[("x-algoritm", "")], EVENT));
    assert_eq!((plain.status, plain.event), (0, format!("{EVENT}\n")), "{}", plain.explanation);
    let wrong = with("ALLOW_PLAINTEXT", "perhaps", EVENT);
    assert!(wrong.status == 1 && wrong.explanation.contains("ALLOW_PLAINTEXT must be true or false"));
}

#[test]
fn a_wrong_command_line_ends_with_2_and_a_missing_app_id_says_where_to_put_it() {
    for options in [&["--json", "--pretty"][..], &["--as", "letter"], &["--nonsense"]] {
        let said = decrypt("", options);
        assert_eq!(said.status, 2, "{}", said.explanation);
        assert!(said.explanation.contains("--help"), "{}", said.explanation);
    }
    let missing = Said::from(given(voicehook().arg("decrypt"), hex().as_bytes()));
    assert_eq!(missing.status, 1);
    for part in ["ENABLEX_APP_ID", "ENABLEX_APP_ID_SECRET", "--app-id"] {
        assert!(missing.explanation.contains(part), "{}", missing.explanation);
    }
}

#[test]
fn what_a_stranger_sent_does_not_steer_the_terminal() {
    let event = r#"{"voice_id":"\u001b]0;title\u0007\u009b31m\u202e","state":"connected"}"#;
    let said = decrypt(encrypted(event, "aes-128-cbc", Format::Hex, Encoding::Utf8), &[]);
    assert!(said.explanation.contains("call.connected"), "{}", said.explanation);
    let steers = |character: char| (character.is_control() && character != '\n') || character == '\u{202e}';
    assert!(!said.explanation.contains(steers), "{:?}", said.explanation);
}

#[test]
fn an_error_and_a_report_do_not_steer_the_terminal_and_the_report_means_the_same() {
    let error = decrypt("curl -d @/\u{1b}]0;x\u{7}\u{202e} https://a.example", &[]);
    assert!(!error.explanation.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{:?}", error.explanation);
    let event = "{\"voice_id\":\"\u{202e}\u{9b}31m\",\"state\":\"connected\"}";
    let data = encrypted(event, "aes-256-cbc", Format::Hex, Encoding::Utf8);
    let report = decrypt(&data, &["--json"]).event;
    assert!(!report.contains(['\u{202e}', '\u{9b}']), "{report:?}");
    assert_eq!(serde_json::from_str::<Value>(&report).unwrap()["event"], event);
    assert_eq!(decrypt(&data, &[]).event, format!("{event}\n"), "a pipe gets it byte for byte");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_decides_by_app_and_a_webhook_of_another_app_or_of_the_previous_app_id_is_recognized() {
    let secret = json!({"apps": {"sales": APP_ID, "support": "of-support"}});
    let previous = json!({"apps": {"sales": "before-the-rotation"}});
    let aws = AwsStub::start(move |_, request| match request["VersionStage"].as_str() {
        Some("AWSPREVIOUS") => (200, json!({"SecretString": previous.to_string()})),
        _ => (200, json!({"SecretString": secret.to_string()})),
    })
    .await;
    let decrypt = |path: &str, app_id: &str, options: &[&str]| -> Said {
        let data = sender::encrypt(EVENT, app_id, named("aes256"), Format::Hex, Encoding::Utf8);
        let mut command = voicehook();
        aws.point(&mut command).env("ENABLEX_APP_ID_SECRET", "enablex").arg("decrypt").args(options);
        let request = http(&[], &body(&data)).replace("/webhook", path);
        given(&mut command, request.as_bytes()).into()
    };
    for (path, app_id, options) in [
        ("/webhook/sales", APP_ID, &[][..]),
        ("/prod/webhook/support/0123456789abcdef", "of-support", &[]),
        ("/webhook/sales", "before-the-rotation", &[]),
        ("/webhook", APP_ID, &["--app", "sales"]),
    ] {
        let said = decrypt(path, app_id, options);
        assert_eq!((said.status, said.event), (0, format!("{EVENT}\n")), "{path}: {}", said.explanation);
    }
    let swapped = decrypt("/webhook/support/0123456789abcdef", APP_ID, &[]);
    assert_eq!(swapped.status, 1);
    let says = ["sent to app support", "the current AppID of app sales", "Enter the URL of app sales"];
    assert!(says.iter().all(|part| swapped.explanation.contains(part)), "{}", swapped.explanation);
    assert!(!swapped.explanation.contains("0123456789abcdef"), "the token is echoed: {}", swapped.explanation);
    let unnamed = decrypt("/webhook", APP_ID, &[]);
    assert!(unnamed.explanation.contains("the apps are: sales, support"), "{}", unnamed.explanation);
}

#[test]
fn on_a_terminal_it_says_how_the_input_ends() {
    let mut command = voicehook();
    command.arg("decrypt").env("ENABLEX_APP_ID", APP_ID);
    let Some(mut terminal) = typing(&command, 80, "Ctrl-D ends it", &format!("{}\\n\\x04", hex())) else { return };
    let output = terminal.output().unwrap();
    let shown = printed(&output);
    assert!(output.status.success() && shown.contains("reading the webhook from the terminal"), "{shown:?}");
    assert!(shown.contains(EVENT), "{shown:?}");
}
