// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// Several calls in one: the part of Multicall3 with which a facilitator asks why a transfer would fail.
///
/// Without it the facilitator still refuses, but names no reason ("simulation failed").
contract Multicall {
    struct Call {
        address target;
        bytes callData;
    }

    struct Result {
        bool success;
        bytes returnData;
    }

    function tryAggregate(bool requireSuccess, Call[] calldata calls) external payable returns (Result[] memory results) {
        results = new Result[](calls.length);
        for (uint256 i = 0; i < calls.length; i++) {
            (results[i].success, results[i].returnData) = calls[i].target.call(calls[i].callData);
            require(!requireSuccess || results[i].success, "Multicall3: call failed");
        }
    }
}
