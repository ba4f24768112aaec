//! Decides how OpenSSL is asked for its judgement, and makes with it what a stranger's authority would.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{Ended, Program};
use crate::server::Server;

/// Runs `openssl` to its end. Arguments are separated by spaces; `{name}` stands for a file of `folder`.
pub fn openssl(folder: &Path, args: &str) -> Ended {
    Ended::run(Command::new("openssl").args(filled(folder, args)))
}

/// A connection that `openssl s_client` makes to a server. What comes over it goes to the file `received` of `folder`,
/// since it is no text; what `s_client` itself has to say goes there, too.
pub fn connect(folder: &Path, server: &Server, args: &str) -> Program {
    let received = folder.join("received");
    // The shell only redirects: a program of ours gets pipes, whose lines are read as text.
    let mut command = Command::new("sh");
    command.args(["-c", r#"exec "$@" >"$0""#]).arg(&received);
    command.args(["openssl", "s_client", "-connect"]).arg(server.address().to_string());
    Program::start(command.args(filled(folder, args)))
}

/// What [`connect`] has received.
pub fn received(folder: &Path) -> Vec<u8> {
    fs::read(folder.join("received")).expect("s_client's output was redirected there")
}

/// An authority that is called as ours is, and a device's certificate under it, all of it well formed: in `folder`,
/// `device.pem`, `device.key`, `chain.pem` and `root.pem`.
pub fn foreign_authority(folder: &Path, device: &str, user: &str, realm: &str) {
    let extensions = |name: &str, text: &str| {
        fs::write(folder.join(name), text).expect("a file can be written");
    };
    extensions("root.ext", "basicConstraints=critical,CA:TRUE,pathlen:1\nkeyUsage=critical,keyCertSign,cRLSign\n");
    extensions(
        "issuing.ext",
        &format!(
            "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n\
             nameConstraints=critical,permitted;DNS:{realm}\n"
        ),
    );
    extensions(
        "device.ext",
        &format!(
            "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n\
             extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=DNS:{device}.{user}.{realm}\n"
        ),
    );
    for (name, subject, issuer) in
        [("root", "root", None), ("issuing", "issuing", Some("root")), ("device", user, Some("issuing"))]
    {
        let request = format!("req -new -newkey ed25519 -nodes -keyout {{{name}.key}} -out {{{name}.csr}}");
        let _: Ended = openssl(folder, &format!("{request} -subj /O={realm}/CN={subject}")).done();
        let signer = match issuer {
            None => format!("-key {{{name}.key}}"),
            Some(issuer) => format!("-CA {{{issuer}.pem}} -CAkey {{{issuer}.key}} -CAcreateserial"),
        };
        let sign =
            format!("x509 -req -in {{{name}.csr}} -out {{{name}.pem}} -days 30 -extfile {{{name}.ext}} {signer}");
        let _: Ended = openssl(folder, &sign).done();
    }
    let parts =
        ["device.pem", "issuing.pem"].map(|name| fs::read(folder.join(name)).expect("OpenSSL has just made it"));
    fs::write(folder.join("chain.pem"), parts.concat()).expect("a file can be written");
}

fn filled(folder: &Path, args: &str) -> Vec<PathBuf> {
    let fill = |arg: &str| match arg.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
        Some(name) => folder.join(name),
        None => PathBuf::from(arg),
    };
    args.split(' ').map(fill).collect()
}
