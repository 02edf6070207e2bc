//! Blocks of IP addresses, as proxies that are trusted are named.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address, or all that begin with the same bits (CIDR, RFC 4632 and RFC 4291 §2.3). An IPv4 address that is written as an
/// IPv6 one (`::ffff:10.0.0.1`, as a socket for both shows it) counts as the IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpBlock {
    network: IpAddr,
    prefix_bits: u8,
}

impl IpBlock {
    /// Reads `10.0.0.0/8`, `fd00::/8` or a single address. Bits behind the prefix do not count.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) if bits.bytes().all(|digit| digit.is_ascii_digit()) => {
                (address.parse::<IpAddr>().ok()?, Some(bits.parse::<u8>().ok()?))
            }
            Some(_) => return None,
            None => (text.parse::<IpAddr>().ok()?, None),
        };
        let width = width_bits(address);
        let bits = bits.unwrap_or(width);
        if bits > width {
            return None;
        }
        // A block of IPv4 addresses in the dress of IPv6 ones.
        let mapped_bits = MAPPED_PREFIX_BITS..=width;
        let (address, prefix_bits) = match address.to_canonical() {
            mapped @ IpAddr::V4(_) if address.is_ipv6() && mapped_bits.contains(&bits) => {
                (mapped, bits - MAPPED_PREFIX_BITS)
            }
            _ => (address, bits),
        };
        Some(Self {
            network: network(address, prefix_bits),
            prefix_bits,
        })
    }

    /// Whether the address is in the block.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.network.is_ipv4() && network(address, self.prefix_bits) == self.network
    }
}

/// Bits before the IPv4 address in `::ffff:0:0/96`.
const MAPPED_PREFIX_BITS: u8 = 96;

const fn width_bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The address without the bits behind its prefix.
fn network(address: IpAddr, prefix_bits: u8) -> IpAddr {
    let behind = u32::from(width_bits(address) - prefix_bits);
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(behind).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(behind).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::IpBlock;

    fn contains(block: &str, address: &str) -> bool {
        IpBlock::parse(block).unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_block_ends_where_its_prefix_says() {
        for (block, inside, outside) in [
            (
                "10.0.0.0/8",
                ["10.0.0.0", "10.255.255.255"],
                ["9.255.255.255", "11.0.0.0"],
            ),
            (
                "192.0.2.5",
                ["192.0.2.5", "192.0.2.5"],
                ["192.0.2.4", "192.0.2.6"],
            ),
            (
                "192.0.2.5/32",
                ["192.0.2.5", "192.0.2.5"],
                ["192.0.2.4", "192.0.2.6"],
            ),
            (
                "192.0.2.4/31",
                ["192.0.2.4", "192.0.2.5"],
                ["192.0.2.3", "192.0.2.6"],
            ),
            (
                "0.0.0.0/1",
                ["0.0.0.0", "127.255.255.255"],
                ["128.0.0.0", "255.255.255.255"],
            ),
            ("0.0.0.0/0", ["0.0.0.0", "255.255.255.255"], ["::", "::1"]),
            ("::/0", ["::", "ffff::"], ["0.0.0.0", "::ffff:1.2.3.4"]),
            ("fd00::/8", ["fd00::", "fdff:ffff::1"], ["fcff::", "fe00::"]),
            ("::1", ["::1", "::1"], ["::", "::2"]),
            (
                "2001:db8::/127",
                ["2001:db8::", "2001:db8::1"],
                ["2001:db8::2", "2001:db7::"],
            ),
        ] {
            for address in inside {
                assert!(contains(block, address), "{address} is in {block}");
            }
            for address in outside {
                assert!(!contains(block, address), "{address} is not in {block}");
            }
        }
    }

    #[test]
    fn a_mapped_address_is_the_ipv4_address_on_both_sides() {
        assert!(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(!contains("10.0.0.0/8", "::ffff:11.0.0.0"));
        assert!(contains("::ffff:10.0.0.0/104", "10.255.255.255"));
        assert!(!contains("::ffff:10.0.0.0/104", "11.0.0.0"));
        assert!(contains("::ffff:10.0.0.1", "10.0.0.1"));
        assert!(contains("::ffff:0:0/96", "255.255.255.255"));
        assert!(!contains("::ffff:0:0/96", "::1"));
    }

    #[test]
    fn bits_behind_the_prefix_do_not_count() {
        assert_eq!(IpBlock::parse("10.1.2.3/8"), IpBlock::parse("10.0.0.0/8"));
    }

    #[test]
    fn what_is_no_block_is_refused() {
        for text in [
            "",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/-1",
            "10.0.0/8",
            "/8",
            "10.0.0.0/8/8",
            "10.0.0.0/256",
            "proxy.example",
            "10.0.0.1:80",
            " 10.0.0.1",
        ] {
            assert_eq!(IpBlock::parse(text), None, "{text}");
        }
    }
}
