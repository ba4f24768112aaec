//! Decides which addresses this machine has, as far as a direct connection may care: one of each kind before a second.

use std::collections::VecDeque;
use std::net::IpAddr;

/// The addresses of this machine's interfaces that are up. None if the system does not say.
pub fn own() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    in_turn(interfaces.iter().filter(|interface| interface.is_oper_up()).map(if_addrs::Interface::ip))
}

/// A machine may have many addresses of one family, by bridges or by privacy extensions, and only a few are offered: so
/// the families and loopback take turns.
fn in_turn(addresses: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut kinds: [VecDeque<IpAddr>; 4] = Default::default();
    for ip in addresses {
        let [loopback_v4, loopback_v6, v4, v6] = &mut kinds;
        match (ip.is_loopback(), ip.is_ipv4()) {
            (true, true) => loopback_v4.push_back(ip),
            (true, false) => loopback_v6.push_back(ip),
            (false, true) => v4.push_back(ip),
            (false, false) => v6.push_back(ip),
        }
    }
    let mut all = Vec::new();
    while kinds.iter().any(|kind| !kind.is_empty()) {
        all.extend(kinds.iter_mut().filter_map(VecDeque::pop_front));
    }
    all
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    #[test]
    fn no_family_takes_all_the_places() {
        let ips = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        let many = ips(&["127.0.0.1", "172.17.0.1", "172.18.0.1", "192.0.2.1", "::1", "2001:db8::1"]);
        let turns = ips(&["127.0.0.1", "::1", "172.17.0.1", "2001:db8::1", "172.18.0.1", "192.0.2.1"]);
        assert_eq!(in_turn(many.into_iter()), turns);
    }

    #[test]
    fn this_machine_has_a_loopback_address() {
        assert!(own().iter().any(IpAddr::is_loopback), "{:?}", own());
    }
}
