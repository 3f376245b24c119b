//! The operator, whom one token opens both halves of the market to.

use alloc::string::String;

use crate::text::bearer;
use farebox_base::secret::{Secret, ct_eq};

/// Whether text is the value of `Authorization` that the operator shows.
pub fn is_operator(operator: &Secret<String>, authorization: &str) -> bool {
    ct_eq(bearer(authorization).as_bytes(), operator.expose().as_bytes())
}
