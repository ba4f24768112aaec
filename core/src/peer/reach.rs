//! Which addresses a device offers for direct connections, and which it dials when somebody else offers them.
//!
//! By default those of the machine's own interfaces, and loopback where the relay itself is on loopback (design 5);
//! the user's configuration narrows that. The relay has no say in it: addresses come from the other end alone, inside
//! the session. What it can make a device do is bounded: a handshake with each of a few addresses, once in a call.

use std::net::{IpAddr, SocketAddr};

use super::network::Network;
use crate::limits::DIRECT_ADDRESSES_MAX;
use crate::wire::peer::is_an_end;

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
    fn loopback_counts_only_where_the_relay_is_or_where_it_is_named() {
        let own = ips(&["127.0.0.1", "192.0.2.1", "::1"]);
        assert_eq!(Reach::default().offered(&own), ips(&["192.0.2.1"]));
        assert_eq!(Reach { loopback: true, ..Reach::default() }.offered(&own), own);
        let named = Reach { networks: Some(vec!["127.0.0.0/8".parse::<Network>().unwrap()]), ..Reach::default() };
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
        let narrow = Reach { networks: Some(vec!["192.0.2.0/24".parse::<Network>().unwrap()]), ..Reach::default() };
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
