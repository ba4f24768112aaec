//! What admits a new person: a secret token, and the link that carries it (design 4, protocol §4.1).
//!
//! ```text
//! countersign://HOST:PORT/REALM/ROOT/TOKEN      ROOT  base64url SHA-256 of the root certificate
//!                                               TOKEN base64url of 16 random bytes
//! ```
//!
//! The link pins the root, so the first contact is already authenticated. Nothing in it means anything to a shell.

use std::fmt;
use std::net::Ipv6Addr;

use base64ct::{Base64UrlUnpadded, Encoding};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use crate::id::{DeviceName, Fingerprint, KeyId, NameRefusal, Realm, UserName};
use crate::limits::HOST_BYTES_MAX;

/// The link's scheme with what separates it from the rest.
const SCHEME: &str = "countersign://";

/// An invite's secret. Whoever has it can become a member, so it is never shown by `Debug` and never stored by the
/// server, which keeps its [`TokenHash`] alone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token([u8; 16]);

impl Token {
    /// Draws a new one: 128 random bits, so that a plain hash of it can't be searched.
    pub fn draw(rng: &mut dyn CryptoRng) -> Self {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// What the server remembers of it.
    pub fn hash(&self) -> TokenHash {
        TokenHash(Fingerprint::of(&self.0).0)
    }

    fn to_text(&self) -> String {
        Base64UrlUnpadded::encode_string(&self.0)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        let decoded = Base64UrlUnpadded::decode(text, &mut bytes).ok()?.len();
        (decoded == 16).then_some(Self(bytes))
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(secret)")
    }
}

/// The SHA-256 of a token: the invite's name in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    /// The name of the invite that the operator's word for this key and name is. A token has 16 bytes, so nobody has one
    /// with this hash. The journal's rules know it.
    pub fn of_operators_word(key: KeyId, name: &DeviceName) -> Self {
        let mut word = b"countersign operator's word v1\0".to_vec();
        word.extend_from_slice(&key.0);
        word.extend_from_slice(format!("{}/{}", name.user, name.device).as_bytes());
        Self(Fingerprint::of(&word).0)
    }

    /// What stands in place of an invite where this user's password admits. A token has 16 bytes, so nobody has one with this
    /// hash. The journal's rules know it.
    pub fn of_password(user: &UserName) -> Self {
        let mut word = b"countersign password v1\0".to_vec();
        word.extend_from_slice(user.as_str().as_bytes());
        Self(Fingerprint::of(&word).0)
    }
}

/// Where a server is reached: a host name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    host: String,
    port: u16,
}

impl Endpoint {
    /// Reads `HOST:PORT`, the host a name, an IPv4 address, or an IPv6 address in brackets.
    pub fn parse(text: &str) -> Result<Self, LinkRefusal> {
        let (host, port) = text.rsplit_once(':').ok_or(LinkRefusal::Endpoint)?;
        // A number's own reader also takes a sign.
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse::<u16>().ok().filter(|port| digits && *port != 0).ok_or(LinkRefusal::Endpoint)?;
        let host = match host.strip_prefix('[') {
            Some(rest) => {
                let address = rest.strip_suffix(']').ok_or(LinkRefusal::Endpoint)?;
                address.parse::<Ipv6Addr>().map_err(|_| LinkRefusal::Endpoint)?.to_string()
            }
            // Without brackets nobody could say where an IPv6 address ends and the port begins.
            None if host.contains(':') => return Err(LinkRefusal::Endpoint),
            None => host.to_owned(),
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':');
        if host.is_empty() || host.len() > HOST_BYTES_MAX || !host.bytes().all(plain) {
            return Err(LinkRefusal::Endpoint);
        }
        Ok(Self { host, port })
    }

    /// The host, an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// An invite's link. Its text holds the secret: print it only where it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteLink {
    /// Where the server is.
    pub endpoint: Endpoint,
    /// Whose server.
    pub realm: Realm,
    /// The root that the server must prove to belong to.
    pub root: Fingerprint,
    /// The secret.
    pub token: Token,
}

/// A server's address with its realm and root: an invite's link without the token, and no secret.
///
/// It stands above the certificates of a key that was made elsewhere, so that who imports them needs nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerLink {
    /// Where the server is.
    pub endpoint: Endpoint,
    /// Whose server.
    pub realm: Realm,
    /// The root that the server must prove to belong to.
    pub root: Fingerprint,
}

impl ServerLink {
    /// Whether a line is one, sound or not.
    pub fn is_meant(line: &str) -> bool {
        line.trim_start().starts_with(SCHEME)
    }

    /// Reads a link as it was printed; white space around it is passed over. One with a token is none: whoever pastes it
    /// where this belongs gives a secret away.
    pub fn parse(text: &str) -> Result<Self, LinkRefusal> {
        Self::read(text.trim())
    }

    /// Reads a link that stands alone.
    fn read(text: &str) -> Result<Self, LinkRefusal> {
        let rest = text.strip_prefix(SCHEME).ok_or(LinkRefusal::Form)?;
        let mut parts = rest.split('/');
        let (Some(endpoint), Some(realm), Some(root), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(LinkRefusal::Form);
        };
        let endpoint = Endpoint::parse(endpoint)?;
        let realm = Realm::parse(realm).map_err(LinkRefusal::Realm)?;
        let mut bytes = [0; 32];
        let decoded = Base64UrlUnpadded::decode(root, &mut bytes).map_err(|_| LinkRefusal::Root)?.len();
        if decoded != bytes.len() {
            return Err(LinkRefusal::Root);
        }
        Ok(Self { endpoint, realm, root: Fingerprint(bytes) })
    }
}

impl fmt::Display for ServerLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = Base64UrlUnpadded::encode_string(&self.root.0);
        write!(f, "{SCHEME}{}/{}/{root}", self.endpoint, self.realm)
    }
}

/// Why a link is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkRefusal {
    /// Not `countersign://` and four parts.
    Form,
    /// The host and port can't be read.
    Endpoint,
    /// The realm is no realm.
    Realm(NameRefusal),
    /// The root's fingerprint can't be read.
    Root,
    /// The token can't be read.
    Token,
}

impl fmt::Display for LinkRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => {
                f.write_str("this is not an invite link: it should read countersign://host:port/realm/root/token")
            }
            Self::Endpoint => f.write_str("the link's host and port can't be read: they should read host:port"),
            Self::Realm(refusal) => write!(f, "the link's realm can't be read: {refusal}"),
            Self::Root => f.write_str("the link's root fingerprint is damaged: copy the whole link"),
            Self::Token => f.write_str("the link's token is damaged: copy the whole link"),
        }
    }
}

impl std::error::Error for LinkRefusal {}

impl InviteLink {
    /// Reads a link as it was printed; white space around it is passed over.
    pub fn parse(text: &str) -> Result<Self, LinkRefusal> {
        let text = text.trim();
        let (server, token) = text.rsplit_once('/').ok_or(LinkRefusal::Form)?;
        let ServerLink { endpoint, realm, root } = ServerLink::read(server)?;
        let token = Token::parse(token).ok_or(LinkRefusal::Token)?;
        Ok(Self { endpoint, realm, root, token })
    }

    /// The link as text, secret included.
    pub fn to_text(&self) -> String {
        format!("{}/{}", self.server(), self.token.to_text())
    }

    /// The link without its secret.
    pub fn server(&self) -> ServerLink {
        ServerLink { endpoint: self.endpoint.clone(), realm: self.realm.clone(), root: self.root }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample(endpoint: &str) -> InviteLink {
        InviteLink {
            endpoint: Endpoint::parse(endpoint).unwrap(),
            realm: Realm::default(),
            root: Fingerprint([0xfb; 32]),
            token: Token([0xff; 16]),
        }
    }

    #[test]
    fn a_link_reads_back_with_names_and_both_kinds_of_address() {
        for endpoint in ["127.0.0.1:7443", "chat.example.org:1", "[::1]:7443"] {
            let link = sample(endpoint);
            assert_eq!(InviteLink::parse(&link.to_text()), Ok(link.clone()));
            assert_eq!(InviteLink::parse(&format!("  {}\n", link.to_text())), Ok(link));
        }
    }

    #[test]
    fn a_link_has_nothing_that_a_shell_would_interpret() {
        let text = sample("127.0.0.1:7443").to_text();
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b":/.-_[]".contains(&b)), "{text}");
    }

    #[test]
    fn wrong_links_are_refused_each_for_its_own_reason() {
        let good = sample("127.0.0.1:7443").to_text();
        let cut = |n: usize| good.get(..good.len() - n).unwrap().to_owned();
        assert_eq!(InviteLink::parse("hello"), Err(LinkRefusal::Form));
        assert_eq!(InviteLink::parse(&good.replace("countersign", "https")), Err(LinkRefusal::Form));
        assert_eq!(InviteLink::parse(&format!("{good}/more")), Err(LinkRefusal::Form));
        assert_eq!(InviteLink::parse(&cut(1)), Err(LinkRefusal::Token));
        assert_eq!(InviteLink::parse(&good.replace(":7443", "")), Err(LinkRefusal::Endpoint));
        assert_eq!(InviteLink::parse(&good.replace(":7443", ":0")), Err(LinkRefusal::Endpoint));
        assert_eq!(InviteLink::parse(&good.replace("127.0.0.1", "a b")), Err(LinkRefusal::Endpoint));
        assert_eq!(InviteLink::parse(&good.replace("127.0.0.1", "[::zz]")), Err(LinkRefusal::Endpoint));
        let upper = good.replace("chat.internal", "Chat.internal");
        assert_eq!(InviteLink::parse(&upper), Err(LinkRefusal::Realm(NameRefusal::UpperCase)));
        assert_eq!(InviteLink::parse(&good.replace("-_", "_")), Err(LinkRefusal::Root));
    }

    #[test]
    fn a_servers_link_is_an_invites_without_the_token_and_neither_is_taken_for_the_other() {
        for endpoint in ["127.0.0.1:7443", "[::1]:7443"] {
            let invite = sample(endpoint);
            let server = invite.server();
            let text = server.to_string();
            assert_eq!(invite.to_text().strip_prefix(&text).map(str::len), Some(1 + 22));
            assert_eq!(ServerLink::parse(&format!(" {text}\n")), Ok(server));
            assert_eq!(ServerLink::parse(&invite.to_text()), Err(LinkRefusal::Form));
            assert!(InviteLink::parse(&text).is_err());
            assert!(ServerLink::is_meant(&text) && !ServerLink::is_meant("https://host"));
        }
    }

    #[test]
    fn white_space_within_a_link_is_no_part_of_it() {
        let text = sample("127.0.0.1:7443").to_text();
        let (server, token) = text.rsplit_once('/').unwrap();
        assert_eq!(InviteLink::parse(&format!("{server}\r/{token}")), Err(LinkRefusal::Root));
        assert!(InviteLink::parse(&format!(" {server}/{token}\r\n")).is_ok());
    }

    #[test]
    fn a_port_is_digits_alone() {
        assert_eq!(Endpoint::parse("ad:+79"), Err(LinkRefusal::Endpoint));
        assert_eq!(Endpoint::parse("ad:79").unwrap().port(), 79);
    }

    #[test]
    fn an_ipv6_address_without_brackets_is_refused() {
        assert_eq!(Endpoint::parse("ade::de1:8080"), Err(LinkRefusal::Endpoint));
        assert_eq!(Endpoint::parse("[ade::de1]:8080").unwrap().host(), "ade::de1");
    }

    #[test]
    fn a_token_never_shows_itself() {
        assert_eq!(format!("{:?}", Token([1; 16])), "Token(secret)");
        assert!(!format!("{:?}", sample("h:1")).contains("____"));
    }

    proptest! {
        #[test]
        fn any_text_gives_a_link_that_prints_the_same_or_a_refusal(text in "(countersign://)?[a-z0-9:/._\\[\\]-]{0,120}") {
            if let Ok(link) = InviteLink::parse(&text) {
                prop_assert_eq!(InviteLink::parse(&link.to_text()), Ok(link));
            }
        }
    }
}
