//! The calls inside a transaction, as a node's `callTracer` shows them. Spec: Geth, "Built-in
//! tracers".

use alloc::vec::Vec;

use serde_json::Value;

use super::error::RpcError;
use super::field::{array, bytes, member};
use super::reply::Replies;
use crate::address::Address;

/// A call of a contract by another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InnerCall {
    /// The caller.
    pub from: Address,
    /// The data of the call.
    pub input: Vec<u8>,
}

impl Replies {
    /// The result of the call at position `index`, a trace: the calls of this contract that took
    /// effect, in order.
    ///
    /// A contract that runs the code of another one for itself does not call it.
    ///
    /// # Errors
    /// [`RpcError::Refused`], [`RpcError::Shape`].
    pub fn calls_of(&self, index: usize, contract: &Address) -> Result<Vec<InnerCall>, RpcError> {
        let mut calls = Vec::new();
        let mut waiting = Vec::from([self.result(index)?]);
        while let Some(frame) = waiting.pop() {
            let Value::Object(frame) = frame else { return Err(RpcError::Shape("frame")) };
            // What is reverted takes back all that it called.
            let is_reverted = frame.get("error").is_some_and(|error| !error.is_null());
            if is_reverted {
                continue;
            }
            match frame.get("calls") {
                None | Some(Value::Null) => {}
                Some(Value::Array(inner)) => waiting.extend(inner.iter().rev()),
                Some(_) => return Err(RpcError::Shape("calls")),
            }
            let kind = member(frame, "type")?.as_str().ok_or(RpcError::Shape("type"))?;
            if kind != "CALL" {
                continue;
            }
            let called = Address::from_bytes(array(member(frame, "to")?, "to")?);
            if called == *contract {
                calls.push(InnerCall {
                    from: Address::from_bytes(array(member(frame, "from")?, "from")?),
                    input: bytes(member(frame, "input")?, "input")?,
                });
            }
        }
        Ok(calls)
    }
}
