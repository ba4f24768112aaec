//! Decides what an IP network is: an address and how many of its first bits count.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// An IPv4 or IPv6 network, `192.0.2.0/24` or `2001:db8::/32`; the bits beyond its length are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// The network of an address and a length, if the address has none of the bits beyond it.
    pub fn new(address: IpAddr, bits: u8) -> Result<Self, NetworkRefusal> {
        let width = width(address);
        if bits > width {
            return Err(NetworkRefusal::Length { width });
        }
        let begins = masked(address, bits);
        if begins != address {
            return Err(NetworkRefusal::Bits { network: Self { address: begins, bits } });
        }
        Ok(Self { address, bits })
    }

    /// Whether the address belongs to the network. An IPv4 address in the clothes of IPv6 (`::ffff:192.0.2.1`) counts as
    /// what it is, so that nobody gets past an IPv4 network in them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.bits) == self.address
    }
}

/// How many bits an address has.
fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address without all but its first bits.
fn masked(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}

impl FromStr for Network {
    type Err = NetworkRefusal;

    /// Reads `ADDRESS/LENGTH`, or an address alone, which is a network of one.
    fn from_str(text: &str) -> Result<Self, NetworkRefusal> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkRefusal::Form)?;
        if address.to_canonical() != address {
            return Err(NetworkRefusal::Mapped { address: address.to_canonical() });
        }
        let bits = match bits {
            Some(bits) if (1..=3).contains(&bits.len()) && bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                bits.parse().unwrap_or(u8::MAX)
            }
            Some(_) => return Err(NetworkRefusal::Form),
            None => width(address),
        };
        Self::new(address, bits)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// Why a text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkRefusal {
    /// It has another form.
    Form,
    /// Its length is beyond the address's.
    Length {
        /// How many bits the address has.
        width: u8,
    },
    /// The address has bits beyond the length.
    Bits {
        /// The network that was meant, perhaps.
        network: Network,
    },
    /// An IPv4 address written as IPv6.
    Mapped {
        /// What it is.
        address: IpAddr,
    },
}

impl fmt::Display for NetworkRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => f.write_str("a network is ADDRESS/LENGTH, for example 192.168.0.0/16 or fd00::/8"),
            Self::Length { width } => write!(f, "the address has only {width} bits"),
            Self::Bits { network } => write!(f, "the address has bits beyond the length; the network is {network}"),
            Self::Mapped { address } => write!(f, "it is IPv4 in the clothes of IPv6; write {address}"),
        }
    }
}

impl std::error::Error for NetworkRefusal {}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_its_addresses_and_no_others() {
        for (network, inside, outside) in [
            ("192.0.2.0/24", &["192.0.2.0", "192.0.2.255", "::ffff:192.0.2.7"][..], &["192.0.3.0", "192.0.1.255"][..]),
            ("10.0.0.0/8", &["10.255.0.1"], &["11.0.0.0", "::10.0.0.1"]),
            ("192.0.2.7", &["192.0.2.7"], &["192.0.2.6", "192.0.2.8"]),
            ("0.0.0.0/0", &["0.0.0.0", "255.255.255.255", "::ffff:1.2.3.4"], &["::", "::1"]),
            ("::/0", &["::", "ffff::1"], &["0.0.0.0", "::ffff:1.2.3.4"]),
            ("fe80::/10", &["fe80::1", "febf::1"], &["fec0::1", "fe7f::1"]),
            ("::1/128", &["::1"], &["::2", "127.0.0.1"]),
            ("2001:db8::/33", &["2001:db8:7fff::"], &["2001:db8:8000::"]),
        ] {
            let parsed: Network = network.parse().unwrap();
            for (addresses, expected) in [(inside, true), (outside, false)] {
                for address in addresses {
                    assert_eq!(parsed.contains(address.parse().unwrap()), expected, "{address} in {network}");
                }
            }
        }
    }

    #[test]
    fn a_network_is_written_as_it_is_read() {
        for text in ["192.0.2.0/24", "0.0.0.0/0", "192.0.2.7/32", "::/0", "fd00::/8", "::1/128"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
        assert_eq!("192.0.2.7".parse::<Network>().unwrap().to_string(), "192.0.2.7/32");
        assert_eq!("::1".parse::<Network>().unwrap().to_string(), "::1/128");
    }

    #[test]
    fn what_is_no_network_is_refused_for_its_own_reason() {
        for text in [
            "",
            "/",
            "192.0.2.0/",
            "/24",
            "192.0.2/24",
            "192.0.2.0/+8",
            "192.0.2.0/ 8",
            "192.0.2.0/0008",
            "a/8",
            "192.0.2.0/8/8",
            "fe80::1%1/128",
            "[::1]/128",
            "192.0.2.0/24 ",
            "192.0.02.0/24",
        ] {
            assert_eq!(text.parse::<Network>(), Err(NetworkRefusal::Form), "{text:?}");
        }
        assert_eq!("192.0.2.0/33".parse::<Network>(), Err(NetworkRefusal::Length { width: 32 }));
        assert_eq!("::/129".parse::<Network>(), Err(NetworkRefusal::Length { width: 128 }));
        assert_eq!("::/999".parse::<Network>(), Err(NetworkRefusal::Length { width: 128 }));
        let refusal = "192.0.2.1/24".parse::<Network>().unwrap_err();
        assert!(refusal.to_string().ends_with("the network is 192.0.2.0/24"), "{refusal}");
        let refusal = "::ffff:192.0.2.0/120".parse::<Network>().unwrap_err();
        assert!(refusal.to_string().ends_with("write 192.0.2.0"), "{refusal}");
    }
}
