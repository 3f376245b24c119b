//! The faults of a node's reply.

use core::fmt;

use farebox_base::encoding::json::JsonError;

/// Error of a node's reply, or of its answer to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RpcError {
    /// Not one bounded JSON document.
    Json(JsonError),
    /// The node answered with an error of this number, which says nothing of the call.
    Refused(i64),
    /// The call itself fails: a contract reverts, or the gas is not enough.
    Reverted,
    /// The named part is missing or violates the specification.
    Shape(&'static str),
}

impl RpcError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Json(error) => error.code(),
            Self::Refused(_) => "rpc_refused",
            Self::Reverted => "rpc_reverted",
            Self::Shape(_) => "rpc_shape",
        }
    }
}

impl fmt::Display for RpcError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(formatter, "the node's reply cannot be read: {error}"),
            Self::Refused(number) => {
                write!(
                    formatter,
                    "the node answered with error {number}; check what its plan allows"
                )
            }
            Self::Reverted => formatter.write_str("the node says that the call reverts"),
            Self::Shape(part) => {
                write!(
                    formatter,
                    "the node's reply has a missing or invalid \"{part}\"; try another node"
                )
            }
        }
    }
}

impl core::error::Error for RpcError {}
