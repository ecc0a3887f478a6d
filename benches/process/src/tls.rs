//! A certificate authority for one run, and a certificate of it for `localhost`, as `openssl` makes them.

use std::{fs, path::Path, process::Command};

/// The authority's own certificate.
pub const AUTHORITY: &str = "authority.pem";
/// The certificate of the stub of SQS, and its key.
pub const CERTIFICATE: &str = "localhost.pem";
pub const KEY: &str = "localhost.key";
/// What a function trusts: the machine's authorities, as on Lambda, and the one above.
pub const TRUSTED: &str = "trusted.pem";

/// Where Linux distributions keep their authorities; the first one that is there counts.
const SYSTEM: [&str; 2] = ["/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt"];

/// Writes all of them to a directory.
pub fn create(directory: &Path) {
    let new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"];
    let authority = ["-subj", "/CN=voicehook bench", "-keyout", "authority.key", "-out", AUTHORITY];
    openssl(directory, &[&new[..], &authority].concat());
    let localhost = [
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
        "-addext",
        "basicConstraints=CA:FALSE",
        "-CA",
        AUTHORITY,
        "-CAkey",
        "authority.key",
        "-keyout",
        KEY,
        "-out",
        CERTIFICATE,
    ];
    openssl(directory, &[&new[..], &localhost].concat());
    let mut trusted = SYSTEM.iter().find_map(|path| fs::read(path).ok()).unwrap_or_default();
    trusted.extend(fs::read(directory.join(AUTHORITY)).expect("the authority"));
    fs::write(directory.join(TRUSTED), trusted).expect("a writable directory");
}

fn openssl(directory: &Path, arguments: &[&str]) {
    let output = Command::new("openssl").current_dir(directory).args(arguments).output().expect("openssl");
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
