//! The seller's check: the market's signature, and the secret that it is made with.

use alloc::format;
use alloc::string::String;

use super::row::SkillRow;
use farebox_base::encoding::hex;
use farebox_base::hash;
use farebox_base::secret::Secret;

/// The secret that the market shares with the owner of a skill, for the origin of this URL. No other
/// skill has it, so that one that leaks opens no other.
pub(super) fn seller_secret(secret: &Secret<String>, skill: &SkillRow, call_url: &str) -> String {
    let rotation = format!("{}", skill.rotation);
    let [origin, owner, rotation] =
        [origin_of(call_url), &skill.owner, &rotation].map(str::as_bytes);
    let parts = if skill.since == 0 {
        hash::sha256(&[b"farebox seller 1".as_slice(), origin, owner, rotation])
    } else {
        let since = format!("{}", skill.since);
        let (id, since) = (skill.id.as_bytes(), since.as_bytes());
        hash::sha256(&[b"farebox seller 2".as_slice(), origin, owner, rotation, id, since])
    };
    format!("fbs_{}", hex::encode(&hash::mac(secret.expose().as_bytes(), &[&parts])))
}

/// Scheme, host and port of a URL.
pub(super) fn origin_of(url: &str) -> &str {
    let rest = url.find("://").map_or(0, |at| at.saturating_add(3));
    let end = url.get(rest..).and_then(|rest| rest.find(['/', '?', '#']));
    end.and_then(|end| url.get(..rest.saturating_add(end))).unwrap_or(url)
}

/// Path and query of a URL, as they go over the wire.
pub(super) fn target_of(url: &str) -> alloc::borrow::Cow<'_, str> {
    let target = url.get(origin_of(url).len()..).unwrap_or_default();
    if target.starts_with('/') { target.into() } else { format!("/{target}").into() }
}
