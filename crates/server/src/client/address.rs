//! Where a server is.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

/// The address of a running server: `http://HOST[:PORT][/PREFIX]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl(Url);

/// Why a text is not the address of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadServerUrl {
    /// It is none at all.
    #[error("is not an address: write http://HOST:PORT")]
    NoUrl,
    /// Encrypted.
    #[error(
        "https is not spoken here: this client has no TLS. Use the server's own http address, on its machine or through a tunnel"
    )]
    Https,
    /// Something within the address that belongs elsewhere.
    #[error(
        "has a name, a password, a query or a fragment: write http://HOST:PORT, and the token into WAYBILL_TOKEN"
    )]
    MoreThanAnAddress,
}

impl FromStr for ServerUrl {
    type Err = BadServerUrl;

    fn from_str(text: &str) -> Result<Self, BadServerUrl> {
        let mut url = Url::parse(text).map_err(|_| BadServerUrl::NoUrl)?;
        match url.scheme() {
            "http" => {}
            "https" => return Err(BadServerUrl::Https),
            _ => return Err(BadServerUrl::NoUrl),
        }
        let plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !plain {
            return Err(BadServerUrl::MoreThanAnAddress);
        }
        let prefix = url.path().trim_end_matches('/').to_owned();
        url.set_path(&prefix);
        Ok(Self(url))
    }
}

impl ServerUrl {
    /// The address of a path on the server; the path begins with a slash.
    pub(super) fn at(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path, None),
        };
        url.set_query(query);
        url.set_path(&format!("{}{path}", self.0.path().trim_end_matches('/')));
        url
    }
}

impl fmt::Display for ServerUrl {
    /// Without a slash at the end: a path can be put behind it.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_plain_http_and_nothing_more() {
        let shown = |text: &str| text.parse::<ServerUrl>().map(|url| url.to_string());
        assert_eq!(
            shown("http://127.0.0.1:8080/"),
            Ok("http://127.0.0.1:8080".to_owned())
        );
        assert_eq!(
            shown("http://host/waybill/"),
            Ok("http://host/waybill".to_owned())
        );
        assert_eq!(shown("https://host"), Err(BadServerUrl::Https));
        for not_one in ["localhost:8080", "", "host", "ftp://host"] {
            assert_eq!(shown(not_one), Err(BadServerUrl::NoUrl), "{not_one}");
        }
        for more in [
            "http://me:secret@host",
            "http://me@host",
            "http://host?a=1",
            "http://host/#a",
        ] {
            assert_eq!(shown(more), Err(BadServerUrl::MoreThanAnAddress), "{more}");
        }
    }

    #[test]
    fn a_path_is_put_behind_the_prefix() {
        let at = |text: &str| text.parse::<ServerUrl>().unwrap().at("/auth/login").to_string();
        assert_eq!(at("http://host:1"), "http://host:1/auth/login");
        assert_eq!(at("http://host/way/"), "http://host/way/auth/login");
        let server: ServerUrl = "http://host/way".parse().unwrap();
        assert_eq!(
            server.at("/list?limit=2").to_string(),
            "http://host/way/list?limit=2"
        );
    }
}
