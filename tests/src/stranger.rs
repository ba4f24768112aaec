//! Decides how a test comes to the port as nobody of ours would: any bytes, at any moment of a handshake or after it.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use countersign_core::id::{DeviceName, Fingerprint, Realm};
use countersign_core::invite::InviteLink;
use countersign_core::pki::SecretKey;
use countersign_core::time::Wall;
use countersign_core::tls::session::Opened;
use countersign_core::tls::{Credentials, Dial, Root, Session, TlsEnv, Trust};

use crate::DEADLINE;
use crate::server::Server;

/// A connection with nothing on top.
#[derive(Debug)]
pub struct Stranger {
    stream: TcpStream,
}

impl Stranger {
    /// Connects.
    pub fn dial(server: &Server) -> Self {
        Self::of(TcpStream::connect(server.address()).expect("the server listens"))
    }

    /// On a connection that is there.
    pub fn of(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(DEADLINE)).expect("the deadline is not zero");
        stream.set_write_timeout(Some(DEADLINE)).expect("the deadline is not zero");
        Self { stream }
    }

    /// As whom the server's log knows it.
    pub fn address(&self) -> SocketAddr {
        self.stream.local_addr().expect("a socket has an address")
    }

    /// Sends bytes. A server that has heard enough may have closed already.
    pub fn send(&mut self, bytes: &[u8]) {
        match self.stream.write_all(bytes) {
            Ok(()) => {}
            Err(error) if is_closed(error.kind()) => {}
            Err(error) => panic!("bytes can't be sent: {error}"),
        }
    }

    /// Says that nothing more comes.
    pub fn end(&mut self) {
        // A server that has closed already is as good.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Everything that the server says until it closes.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.stream.read_to_end(&mut bytes) {
            Ok(_) => {}
            Err(error) if is_closed(error.kind()) => {}
            Err(error) => panic!("the server does not close the connection: {error}"),
        }
        bytes
    }
}

fn is_closed(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted)
}

/// A connection whose handshake is over, and over which anything can be said.
#[derive(Debug)]
pub struct Secure {
    stranger: Stranger,
    session: Session,
    /// What came decrypted.
    pub plaintext: Vec<u8>,
}

impl Secure {
    /// Goes through the whole handshake.
    pub fn dial(server: &Server, dial: &Dial) -> Self {
        Self::over(Stranger::dial(server), dial).expect("the server lets the handshake come to its end")
    }

    /// The same over a connection that is there; `None` if the server closes before the handshake is over.
    pub fn over(stranger: Stranger, dial: &Dial) -> Option<Self> {
        let mut secure = Self { stranger, session: Session::connect(dial), plaintext: Vec::new() };
        secure.flush();
        while !secure.session.is_open() {
            if !secure.read() {
                return None;
            }
        }
        Some(secure)
    }

    /// As whom the server's log knows it.
    pub fn address(&self) -> SocketAddr {
        self.stranger.address()
    }

    /// Waits until the server has said something.
    pub fn hear(&mut self) {
        while self.plaintext.is_empty() {
            assert!(self.read(), "the server closes without a word");
        }
    }

    /// Says bytes, which need not be frames.
    pub fn say(&mut self, plaintext: &[u8]) {
        self.session.seal(plaintext);
        self.flush();
    }

    /// Reads until the server closes.
    pub fn rest(&mut self) {
        while self.read() {}
    }

    fn read(&mut self) -> bool {
        let mut buffer = [0; 4096];
        let n = match self.stranger.stream.read(&mut buffer) {
            Ok(n) => n,
            Err(error) if is_closed(error.kind()) => 0,
            Err(error) => panic!("the server neither speaks nor closes: {error}"),
        };
        let bytes = buffer.get(..n).unwrap_or_default();
        let mut opened = Opened::default();
        let received = self.session.received(bytes, &mut opened);
        received.unwrap_or_else(|reason| panic!("the server breaks TLS: {reason}"));
        self.plaintext.extend(opened.plaintext);
        self.flush();
        n > 0
    }

    fn flush(&mut self) {
        let mut bytes = Vec::new();
        self.session.take_ciphertext(&mut bytes);
        self.stranger.send(&bytes);
    }
}

/// The way of a newcomer who has a link.
pub fn newcomer(link: &str) -> Dial {
    let link = InviteLink::parse(link).expect("a link that the server printed");
    Dial::enrol(&env(), &link.realm, link.root)
}

/// The way of a member, from what `client cert export` wrote and the key that it never writes.
pub fn member(exported: &Path, key: &Path) -> Dial {
    let [leaf, issuing] = certificates(&exported.join("chain.pem")).try_into().expect("leaf and issuing CA");
    let [root] = certificates(&exported.join("root.pem")).try_into().expect("one root");
    let root = Root::parse(&root, now()).expect("the root is valid");
    let trust = Trust::new(Realm::default(), root);
    let credentials = Credentials { leaf: leaf.into(), issuing: issuing.into(), key: secret_key(key).into() };
    Dial::relay(&env(), &credentials, &trust)
}

/// The first bytes of a handshake.
pub fn hello(dial: &Dial) -> Vec<u8> {
    let mut bytes = Vec::new();
    Session::connect(dial).take_ciphertext(&mut bytes);
    bytes
}

/// A dial that pins no root that exists.
pub fn anybody() -> Dial {
    Dial::enrol(&env(), &Realm::default(), Fingerprint([0; 32]))
}

/// Reads a key's file.
pub fn secret_key(path: &Path) -> SecretKey {
    let pem = std::fs::read(path).expect("the key is there");
    let (_, der) = pem_rfc7468::decode_vec(&pem).expect("the key is PEM");
    SecretKey::from_pkcs8(&der).expect("the key is Ed25519")
}

/// Reads a name, `user` and `device`.
pub fn device_name(user: &str, device: &str) -> DeviceName {
    DeviceName {
        user: user.to_owned().try_into().expect("a name"),
        device: device.to_owned().try_into().expect("a name"),
    }
}

fn certificates(path: &Path) -> Vec<Vec<u8>> {
    const END: &str = "-----END CERTIFICATE-----\n";
    let text = std::fs::read_to_string(path).expect("the certificates are there");
    let one = |pem: &str| pem_rfc7468::decode_vec(pem.as_bytes()).expect("a certificate is PEM").1;
    text.split_inclusive(END).map(one).collect()
}

/// TLS as the programs have it, with the time of now.
pub fn env() -> TlsEnv {
    let env = TlsEnv::new(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    env.clock.set(now());
    env
}

/// The second that it is.
pub fn now() -> Wall {
    Wall(SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is later than 1970").as_secs())
}
