//! The web pages that may call from a browser.

use std::net::Ipv6Addr;

/// Origins (RFC 6454) that CORS opens for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorsOrigins {
    /// None.
    Closed,
    /// Every one.
    Any,
    /// These, as browsers write them: host in lower case, no port where it is the scheme's own.
    Listed(Vec<String>),
}

impl CorsOrigins {
    /// Reads a comma list of origins, `*`, or nothing.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim() {
            "" => Some(Self::Closed),
            "*" => Some(Self::Any),
            list => {
                let origins: Option<Vec<String>> = list.split(',').map(|item| origin(item.trim())).collect();
                origins.map(Self::Listed)
            }
        }
    }
}

fn origin(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let (scheme, authority) = lower.split_once("://")?;
    let own_port = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    // The colons of an IPv6 address are behind a bracket.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    if !is_host(host) {
        return None;
    }
    let Some(port) = port else {
        return Some(lower.clone());
    };
    let digits = port.bytes().all(|digit| digit.is_ascii_digit());
    let port = port.parse::<u16>().ok().filter(|port| digits && *port > 0)?;
    Some(if port == own_port {
        format!("{scheme}://{host}")
    } else {
        format!("{scheme}://{host}:{port}")
    })
}

fn is_host(host: &str) -> bool {
    let in_brackets = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Some(address) = in_brackets {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let symbols = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    !host.is_empty() && host.bytes().all(symbols)
}

#[cfg(test)]
mod tests {
    use super::CorsOrigins;

    #[test]
    fn origins_are_kept_as_browsers_write_them() {
        let listed =
            "http://localhost:3000, HTTPS://Shop.Example:443,http://[::1]:5173,http://[::1],http://a:80";
        let kept = [
            "http://localhost:3000",
            "https://shop.example",
            "http://[::1]:5173",
            "http://[::1]",
            "http://a",
        ];
        let kept = kept.map(str::to_owned).to_vec();
        assert_eq!(CorsOrigins::parse(listed), Some(CorsOrigins::Listed(kept)));
        assert_eq!(CorsOrigins::parse(""), Some(CorsOrigins::Closed));
        assert_eq!(CorsOrigins::parse("*"), Some(CorsOrigins::Any));
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in [
            "shop.example",
            "https://",
            "https://shop.example/",
            "https://shop.example/a",
            "ftp://shop.example",
            "https://a:0",
            "https://a:65536",
            "https://a:",
            "https://a:+1",
            "https://u@a",
            "https://a?b",
            "https://*.a",
            "https://a,*",
            "https://a,",
            "null",
            "https://[::1",
            "https://[1]",
            "https://:80",
            "https://a b",
        ] {
            assert_eq!(CorsOrigins::parse(text), None, "{text}");
        }
    }
}
