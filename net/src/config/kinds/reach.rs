//! Decides which networks and ports direct connections may use.

use std::ops::RangeInclusive;

use super::super::given::Given;
use super::super::key::{Kind, Literal, Wrong};
use countersign_core::peer::network::Network;

/// Networks in one list, those that words stand for not counted.
pub const NETWORKS_MAX: usize = 64;
/// The word for what is local to the machine: which addresses these are is seen when a call comes about.
const LOCAL: &str = "local";
/// Words that stand for networks.
const WORDS: [(&str, &[&str]); 3] = [
    ("any", &["0.0.0.0/0", "::/0"]),
    ("loopback", &["127.0.0.0/8", "::1/128"]),
    // RFC 1918, RFC 6598, RFC 3927; RFC 4193, RFC 4291 §2.5.6.
    (
        "private",
        &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10"],
    ),
];

/// A list of networks, as it is written and as it is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// As written.
    pub words: Vec<String>,
    /// The networks; `None` stands for what is local to the machine.
    pub networks: Option<Vec<Network>>,
}

impl Reach {
    /// What is local to the machine.
    pub fn local() -> Self {
        Self { words: vec![LOCAL.to_owned()], networks: None }
    }
}

/// Networks, each as a prefix or by a word.
#[derive(Clone, Copy, Debug)]
pub struct Networks;

impl Kind for Networks {
    type Value = Reach;

    fn read(&self, given: &Given) -> Result<Reach, Wrong> {
        let none = matches!(given, Given::Words(words) if words == "none");
        let texts = if none { Vec::new() } else { given.texts().ok_or(Wrong::Kind)? };
        if texts.len() > NETWORKS_MAX {
            return Err(Wrong::because(format_args!("there may be {NETWORKS_MAX}")));
        }
        let words: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        if texts.as_slice() == [LOCAL] {
            return Ok(Reach { words, networks: None });
        }
        let mut networks = Vec::new();
        for text in texts {
            if text == LOCAL {
                return Err(Wrong::because("local stands alone"));
            }
            let known = WORDS.iter().find(|(word, _)| *word == text);
            for network in known.map_or(&[text][..], |(_, networks)| networks) {
                networks.push(network.parse().map_err(|why| Wrong::because(format_args!("{text:?}: {why}")))?);
            }
        }
        Ok(Reach { words, networks: Some(networks) })
    }

    fn write(&self, value: &Reach) -> Literal {
        Literal::List(value.words.clone())
    }

    fn allowed(&self) -> String {
        "[\"local\"], or a list of networks like \"192.168.0.0/16\" and of the words \"private\", \"loopback\" and \"any\", or [] \
         for none (in a variable: none)"
            .to_owned()
    }
}

/// A port or a range of ports, or nothing.
#[derive(Clone, Copy, Debug)]
pub struct Ports;

impl Kind for Ports {
    type Value = Option<RangeInclusive<u16>>;

    fn read(&self, given: &Given) -> Result<Option<RangeInclusive<u16>>, Wrong> {
        if let Some(whole) = given.whole() {
            return u16::try_from(whole)
                .ok()
                .filter(|port| *port != 0)
                .map(|port| Some(port..=port))
                .ok_or(Wrong::Kind);
        }
        let text = given.text().ok_or(Wrong::Kind)?;
        if text.is_empty() {
            return Ok(None);
        }
        let port = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u16>().ok().filter(|port| *port != 0 && digits).ok_or(Wrong::Kind)
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (port(first)?, port(last)?);
        if first > last {
            return Err(Wrong::because(format_args!("{first} comes after {last}")));
        }
        Ok(Some(first..=last))
    }

    fn write(&self, value: &Option<RangeInclusive<u16>>) -> Literal {
        Literal::Text(match value {
            None => String::new(),
            Some(ports) if ports.start() == ports.end() => ports.start().to_string(),
            Some(ports) => format!("{}-{}", ports.start(), ports.end()),
        })
    }

    fn allowed(&self) -> String {
        "a port or a range like \"50000-50100\", from 1 to 65535, or \"\" for any".to_owned()
    }
}
