// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// A token whose transfers go wrong as it is told; also a gateway, so that it can call back.
contract OddToken {
    enum Manner {
        Honest,
        ReturnsNothing,
        ReturnsFalse,
        ReturnsTwo,
        Reverts,
        MovesNothing,
        TakesFromPayee,
        TakesFromPayer,
        CallsBack
    }

    mapping(address account => uint256) public balanceOf;
    Manner public manner;
    address private target;
    bytes private inner;
    /// What the call back was answered.
    bytes public answer;

    function mint(address to, uint256 value) external {
        balanceOf[to] += value;
    }

    function behave(Manner how) external {
        manner = how;
    }

    function callBack(address to, bytes calldata data) external {
        (target, inner, manner) = (to, data, Manner.CallsBack);
    }

    /// Calls in its own name.
    function act(address to, bytes calldata data) external {
        (bool done, bytes memory why) = to.call(data);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(why, 0x20), mload(why))
            }
        }
    }

    function transfer(address to, uint256 value) external {
        move(msg.sender, to, value);
        if (manner == Manner.ReturnsNothing) return;
        uint256 said = manner == Manner.ReturnsFalse ? 0 : manner == Manner.ReturnsTwo ? 2 : 1;
        assembly ("memory-safe") {
            mstore(0, said)
            return(0, 0x20)
        }
    }

    function move(address from, address to, uint256 value) public {
        require(manner != Manner.Reverts, "reverts");
        if (manner == Manner.MovesNothing) return;
        uint256 fee = value / 10;
        if (manner == Manner.CallsBack) (, answer) = target.call(inner);
        balanceOf[from] -= manner == Manner.TakesFromPayer ? value + fee : value;
        balanceOf[to] += manner == Manner.TakesFromPayee ? value - fee : value;
    }
}

/// A second address of a token.
contract Alias {
    OddToken private immutable token;

    constructor(OddToken token_) {
        token = token_;
    }

    function transfer(address to, uint256 value) external returns (bool) {
        token.move(msg.sender, to, value);
        return true;
    }
}
