//! Ids of links: `a2a_<organization>_<random><mac>`. The organization says which object to ask, and
//! who invents an id asks none.

use alloc::format;
use alloc::string::{String, ToString};

use crate::config::Treasury;
use farebox_base::encoding::hex;
use farebox_base::hash;
use farebox_base::secret::ct_eq;

const PREFIX: &str = "a2a_";
/// Hex digits of the random part, and of the whole.
const RANDOM: usize = 32;
const DIGITS: usize = 48;

/// Whether an id is that of a link, and not of an attempt.
#[must_use]
pub fn is_link(id: &str) -> bool {
    id.starts_with(PREFIX)
}

impl Treasury {
    /// A new id.
    pub(super) fn link_id(&self, organization: &str, random: &[u8; 32]) -> String {
        let random = hex::encode(random);
        let random = random.get(..RANDOM).unwrap_or_default();
        format!("{PREFIX}{organization}_{random}{}", self.link_mac(organization, random))
    }

    /// The organization of a link; `None` if this treasury did not make the id.
    #[must_use]
    pub fn organization_of_link(&self, id: &str) -> Option<String> {
        let (organization, digits) = id.strip_prefix(PREFIX)?.rsplit_once('_')?;
        let (random, mac) = digits.split_at_checked(RANDOM).filter(|_| digits.len() == DIGITS)?;
        let is_own = ct_eq(self.link_mac(organization, random).as_bytes(), mac.as_bytes());
        is_own.then(|| organization.to_string())
    }

    fn link_mac(&self, organization: &str, random: &str) -> String {
        let mac = hash::mac(self.link_key.expose(), &[organization.as_bytes(), random.as_bytes()]);
        hex::encode(&mac).get(RANDOM..DIGITS).unwrap_or_default().to_string()
    }
}
