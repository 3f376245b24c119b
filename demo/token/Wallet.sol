// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// A wallet that is a contract: it says itself which signatures are its own (ERC-1271).
///
/// For local chains only: anybody may change its mood, which is how tests ask for wallets that misbehave.
contract Wallet {
    enum Mood { Honest, BurnsGas, Reverts, OnlyWhenNobodyPays }

    address public owner;
    Mood public mood;

    constructor(address owner_) {
        owner = owner_;
    }

    function setMood(Mood value) external {
        mood = value;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        if (mood == Mood.BurnsGas) while (true) {}
        if (mood == Mood.Reverts) revert("the wallet does not answer");
        // True in a simulation, false in the transaction that it was simulated for.
        if (mood == Mood.OnlyWhenNobodyPays && tx.gasprice != 0) return 0xffffffff;
        return signature.length == 65 && recover(digest, signature) == owner ? MAGIC : bytes4(0xffffffff);
    }

    function recover(bytes32 digest, bytes calldata signature) private pure returns (address) {
        return ecrecover(digest, uint8(signature[64]), bytes32(signature[:32]), bytes32(signature[32:64]));
    }

    /// `isValidSignature(bytes32,bytes)`, both its selector and its word for yes.
    bytes4 private constant MAGIC = 0x1626ba7e;
}
