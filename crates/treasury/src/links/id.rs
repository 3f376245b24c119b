//! Ids of links: `a2a_<organization>_<random><mac>`. The organization says which object to ask, and
//! who invents an id asks none.

use alloc::format;
use alloc::string::{String, ToString};

use farebox_base::encoding::hex;
use farebox_base::hash;
use farebox_base::secret::{Secret, ct_eq};

const PREFIX: &str = "a2a_";
/// Hex digits of the random part, and of the whole.
const RANDOM: usize = 32;
const DIGITS: usize = 48;

/// Whether an id is that of a link, and not of an attempt.
#[must_use]
pub fn is_link(id: &str) -> bool {
    id.starts_with(PREFIX)
}

/// Ids of the links of a treasury.
#[derive(Debug)]
pub(crate) struct LinkIds {
    /// Makes them.
    pub key: Secret<[u8; 32]>,
}

impl LinkIds {
    /// A new id.
    pub fn draw(&self, organization: &str, random: &[u8; 32]) -> String {
        let random = hex::encode(random);
        let random = random.get(..RANDOM).unwrap_or_default();
        format!("{PREFIX}{organization}_{random}{}", self.mac(organization, random))
    }

    /// The organization of a link; `None` if this treasury did not make the id.
    pub fn organization_of(&self, id: &str) -> Option<String> {
        let (organization, digits) = id.strip_prefix(PREFIX)?.rsplit_once('_')?;
        let (random, mac) = digits.split_at_checked(RANDOM).filter(|_| digits.len() == DIGITS)?;
        let is_own = ct_eq(self.mac(organization, random).as_bytes(), mac.as_bytes());
        is_own.then(|| organization.to_string())
    }

    fn mac(&self, organization: &str, random: &str) -> String {
        let mac = hash::mac(self.key.expose(), &[organization.as_bytes(), random.as_bytes()]);
        hex::encode(&mac).get(RANDOM..DIGITS).unwrap_or_default().to_string()
    }
}
