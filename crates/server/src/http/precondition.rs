//! `If-Match`: a change is made only on the version that the caller has seen (RFC 9110, 13.1.1).

use axum::http::{HeaderMap, header};
use model::ids::Version;

use super::problem::{Kind, Problem};

/// The version that the header demands, if it demands one. `W/` and a coding's suffix are ignored, as proxies add them. Of several tags the change can be
/// made on one only: a list is refused.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Option<Version>, Problem> {
    let mut values = headers.get_all(header::IF_MATCH).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    if values.next().is_some() || text.contains(',') {
        return Err(Problem::field("If-Match", "format", "must be one entity tag"));
    }
    let tag = text.strip_prefix("W/").unwrap_or(text);
    let tag = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
    let tag = tag.ok_or_else(|| {
        Problem::field(
            "If-Match",
            "format",
            "must be an entity tag as ETag shows it, such as \"3\"",
        )
    })?;
    let number = tag.split_once('-').map_or(tag, |(number, _)| number);
    // A tag that was never one of ours matches nothing.
    let version = number.parse().map_err(|_| {
        Problem::new(
            Kind::PreconditionFailed,
            format!("no version is called \"{tag}\""),
        )
    })?;
    Ok(Some(Version::new(version)))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn read(value: &str) -> Result<Option<Version>, Kind> {
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_MATCH, HeaderValue::from_str(value).unwrap());
        if_match(&headers).map_err(|problem| problem.kind)
    }

    #[test]
    fn weak_marks_and_codings_are_ignored() {
        for text in ["\"3\"", "W/\"3\"", "\"3-gzip\"", "W/\"3-br\""] {
            assert_eq!(read(text), Ok(Some(Version::new(3))), "{text}");
        }
        assert_eq!(read("*"), Ok(None));
    }

    #[test]
    fn what_is_no_tag_is_refused_and_a_strange_tag_matches_nothing() {
        assert_eq!(read("3"), Err(Kind::ValidationFailed));
        assert_eq!(read("\"3\", \"4\""), Err(Kind::ValidationFailed));
        assert_eq!(read("\"abc\""), Err(Kind::PreconditionFailed));
    }
}
