//! Which addresses a device offers for direct connections, and which it dials when somebody else offers them.
//!
//! By default those of the machine's own interfaces, and loopback where the relay itself is on loopback (design 5);
//! the user's configuration narrows that. The relay has no say in it: addresses come from the other end alone, inside
//! the session. What it can make a device do is bounded: a handshake with each of a few addresses, once in a call.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::limits::DIRECT_ADDRESSES_MAX;
use crate::wire::peer::is_an_end;

/// A part of the address space: an address and how many of its leading bits count (RFC 4632 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    ip: IpAddr,
    prefix: u8,
}

/// Why something is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkRefusal {
    /// It has no address in front.
    Address,
    /// Its prefix is no number, or longer than its address.
    Prefix,
    /// Bits of its address are set beyond its prefix: what was meant is not clear.
    HostBits,
}

impl fmt::Display for NetworkRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "a network begins with an address: for example 192.168.0.0/16 or fd00::/8",
            Self::Prefix => "after the slash comes how many bits count: at most 32, or 128 with IPv6",
            Self::HostBits => "the address has bits beyond its prefix: write 192.168.0.0/16, not 192.168.0.7/16",
        })
    }
}

impl std::error::Error for NetworkRefusal {}

impl Network {
    /// Reads `ADDRESS/BITS`, or an address alone.
    pub fn parse(text: &str) -> Result<Self, NetworkRefusal> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let ip: IpAddr = address.parse().map_err(|_| NetworkRefusal::Address)?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            // `parse` would take a sign as well.
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                bits.parse().ok().filter(|bits| *bits <= most).ok_or(NetworkRefusal::Prefix)?
            }
            Some(_) => return Err(NetworkRefusal::Prefix),
            None => most,
        };
        let network = Self { ip, prefix };
        if network.first() == bits(ip) { Ok(network) } else { Err(NetworkRefusal::HostBits) }
    }

    /// Whether an address lies in it.
    pub fn contains(&self, ip: IpAddr) -> bool {
        ip.is_ipv4() == self.ip.is_ipv4() && Self { ip, prefix: self.prefix }.first() == self.first()
    }

    /// The bits of its first address.
    fn first(&self) -> u128 {
        let length = if self.ip.is_ipv4() { 32 } else { 128 };
        let beyond = u32::from(length - self.prefix);
        bits(self.ip).checked_shr(beyond).and_then(|kept| kept.checked_shl(beyond)).unwrap_or(0)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix)
    }
}

fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// How far a device goes for a direct connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Whether there are direct connections at all.
    pub direct: bool,
    /// The networks that count, if the configuration names any.
    pub networks: Option<Vec<Network>>,
    /// Whether loopback counts where the configuration names no networks: the relay is there, too.
    pub loopback: bool,
}

impl Default for Reach {
    fn default() -> Self {
        Self { direct: true, networks: None, loopback: false }
    }
}

impl Reach {
    /// Everything through the relay.
    pub fn tunnel_only() -> Self {
        Self { direct: false, ..Self::default() }
    }

    /// Those of the machine's addresses that may be offered, each once, as many as a message takes.
    pub(super) fn offered(&self, own: &[IpAddr]) -> Vec<IpAddr> {
        let mut offered: Vec<IpAddr> = Vec::new();
        for ip in own.iter().copied().filter(|ip| self.allows(*ip)) {
            if offered.len() < DIRECT_ADDRESSES_MAX && !offered.contains(&ip) {
                offered.push(ip);
            }
        }
        offered
    }

    /// Those of our addresses at which somebody who comes from `theirs` could arrive: of the same family, and loopback
    /// only for whoever has one to come from.
    pub(super) fn offered_to(&self, own: &[IpAddr], theirs: &[IpAddr]) -> Vec<IpAddr> {
        let kind = |ip: IpAddr| (ip.is_ipv4(), ip.is_loopback());
        let of_use: Vec<IpAddr> =
            own.iter().copied().filter(|ip| theirs.iter().any(|their| kind(*their) == kind(*ip))).collect();
        self.offered(&of_use)
    }

    /// Those of another's addresses that are dialled, each once.
    pub(super) fn dialled(&self, theirs: &[SocketAddr]) -> Vec<SocketAddr> {
        let mut dialled: Vec<SocketAddr> = Vec::new();
        for address in theirs.iter().copied().filter(|address| self.allows(address.ip())) {
            if !dialled.contains(&address) {
                dialled.push(address);
            }
        }
        dialled
    }

    fn allows(&self, ip: IpAddr) -> bool {
        self.direct
            && is_an_end(ip)
            && match &self.networks {
                Some(networks) => networks.iter().any(|network| network.contains(ip)),
                None => self.loopback || !ip.is_loopback(),
            }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_network_is_an_address_and_the_bits_that_count() {
        for (text, inside, outside) in [
            ("192.168.0.0/16", "192.168.255.1", "192.169.0.1"),
            ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
            ("fd00::/8", "fd12::1", "fe00::1"),
            ("0.0.0.0/0", "203.0.113.9", "::1"),
            ("::/0", "2001:db8::1", "127.0.0.1"),
        ] {
            let network = Network::parse(text).unwrap();
            assert!(network.contains(inside.parse().unwrap()), "{text} has {inside}");
            assert!(!network.contains(outside.parse().unwrap()), "{text} has not {outside}");
        }
        assert_eq!(Network::parse("10.0.0.0/8").unwrap().to_string(), "10.0.0.0/8");
        for (text, refusal) in [
            ("", NetworkRefusal::Address),
            ("example.com/8", NetworkRefusal::Address),
            ("10.0.0.0/", NetworkRefusal::Prefix),
            ("10.0.0.0/33", NetworkRefusal::Prefix),
            ("10.0.0.0/+8", NetworkRefusal::Prefix),
            ("fd00::/129", NetworkRefusal::Prefix),
            ("10.0.0.1/8", NetworkRefusal::HostBits),
            ("fd00::1/8", NetworkRefusal::HostBits),
        ] {
            assert_eq!(Network::parse(text), Err(refusal), "{text}");
        }
    }

    #[test]
    fn loopback_counts_only_where_the_relay_is_or_where_it_is_named() {
        let own = ips(&["127.0.0.1", "192.0.2.1", "::1"]);
        assert_eq!(Reach::default().offered(&own), ips(&["192.0.2.1"]));
        assert_eq!(Reach { loopback: true, ..Reach::default() }.offered(&own), own);
        let named = Reach { networks: Some(vec![Network::parse("127.0.0.0/8").unwrap()]), ..Reach::default() };
        assert_eq!(named.offered(&own), ips(&["127.0.0.1"]));
        assert_eq!(Reach { networks: Some(Vec::new()), ..Reach::default() }.offered(&own), ips(&[]));
        assert_eq!(Reach::tunnel_only().offered(&own), ips(&[]));
    }

    #[test]
    fn what_somebody_else_offers_is_dialled_only_where_we_would_go() {
        let theirs: Vec<SocketAddr> = ["127.0.0.1:22", "192.0.2.1:7443", "192.0.2.1:7443", "198.51.100.1:25"]
            .map(|text| text.parse().unwrap())
            .into();
        assert_eq!(Reach::default().dialled(&theirs), [theirs[1], theirs[3]]);
        let narrow = Reach { networks: Some(vec![Network::parse("192.0.2.0/24").unwrap()]), ..Reach::default() };
        assert_eq!(narrow.dialled(&theirs), [theirs[1]]);
        assert!(Reach::tunnel_only().dialled(&theirs).is_empty());
    }

    #[test]
    fn only_what_the_other_can_reach_is_offered_and_never_too_much() {
        let own = ips(&["127.0.0.1", "::1", "192.0.2.1", "2001:db8::1", "192.0.2.1", "169.254.0.1", "fe80::1"]);
        let reach = Reach { loopback: true, ..Reach::default() };
        assert_eq!(reach.offered_to(&own, &ips(&["198.51.100.1"])), ips(&["192.0.2.1"]));
        assert_eq!(reach.offered_to(&own, &ips(&["::1", "2001:db8::2"])), ips(&["::1", "2001:db8::1"]));
        assert_eq!(reach.offered_to(&own, &[]), ips(&[]));
        let many: Vec<IpAddr> = (1..=20).map(|n| IpAddr::from([10, 0, 0, n])).collect();
        assert_eq!(reach.offered(&many).len(), DIRECT_ADDRESSES_MAX);
    }
}
