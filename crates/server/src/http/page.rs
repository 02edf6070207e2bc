//! Cursors of lists, and the link to the next page.

use axum::http::{HeaderMap, Uri, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::query::Parameters;

/// Where a page begins: what stands behind the cursor is the text that the page before ended with.
pub(super) fn cursor_of(parameters: &mut Parameters) -> Option<String> {
    let text = parameters.text("cursor")?;
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    let place = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    if place.is_none() {
        not_of_this_list(parameters);
    }
    place
}

/// As [`cursor_of`], of a list that is numbered.
pub(super) fn numbered_cursor_of(parameters: &mut Parameters) -> Option<i64> {
    let place = cursor_of(parameters)?;
    let number = place.parse().ok();
    if number.is_none() {
        not_of_this_list(parameters);
    }
    number
}

/// Complains of a cursor that was not given here.
pub(super) fn not_of_this_list(parameters: &mut Parameters) {
    parameters.complain("cursor", "format", "is not one of this list");
}

/// The cursor that leads on from here.
pub(super) fn cursor_to(place: &str) -> String {
    URL_SAFE_NO_PAD.encode(place)
}

/// Cuts rows that were read with one more than wanted. The cursor to the rest, if there is one, by the `place` of the last row kept.
pub(super) fn cut<T>(rows: &mut Vec<T>, limit: u32, place: impl FnOnce(&T) -> String) -> Option<String> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let last = rows.last().filter(|_| more);
    last.map(|last| cursor_to(&place(last)))
}

/// `Link` to the next page: this request again with another cursor.
pub(super) fn link(uri: &Uri, next_cursor: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(cursor) = next_cursor {
        let query = uri.query().unwrap_or_default();
        let kept = query
            .split('&')
            .filter(|part| !part.is_empty() && !part.starts_with("cursor="));
        let cursor = format!("cursor={cursor}");
        let query: Vec<&str> = kept.chain([cursor.as_str()]).collect();
        let link = format!("<{}?{}>; rel=\"next\"", uri.path(), query.join("&"));
        headers.extend(link.parse().ok().map(|link| (header::LINK, link)));
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_keeps_what_was_asked_but_for_the_cursor() {
        let link_of = |uri: &str| {
            let headers = link(&uri.parse().unwrap(), Some("bmV4dA"));
            headers[header::LINK].to_str().unwrap().to_owned()
        };
        assert_eq!(link_of("/list"), "</list?cursor=bmV4dA>; rel=\"next\"");
        assert_eq!(
            link_of("/list?limit=2&cursor=b2xk&actor=a%26b"),
            "</list?limit=2&actor=a%26b&cursor=bmV4dA>; rel=\"next\""
        );
        assert!(link(&"/list".parse().unwrap(), None).is_empty());
    }
}
