// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

interface IAuthorizedToken {
    function transfer(address to, uint256 value) external returns (bool);
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes memory signature
    ) external;
}

/// Brings deposits of x402 `batch-settlement` by EIP-3009: the payer's authorization names this
/// contract, and its nonce the channel.
contract DepositCollector {
    address public constant SETTLEMENT = 0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003;

    function collect(address payer, address token, uint256 amount, bytes32 channelId, bytes calldata data) external {
        require(msg.sender == SETTLEMENT, "NotSettlement");
        (uint256 validAfter, uint256 validBefore, uint256 salt, bytes memory signature) =
            abi.decode(data, (uint256, uint256, uint256, bytes));
        bytes32 nonce = keccak256(abi.encode(channelId, salt));
        IAuthorizedToken authorized = IAuthorizedToken(token);
        authorized.receiveWithAuthorization(payer, address(this), amount, validAfter, validBefore, nonce, signature);
        require(authorized.transfer(SETTLEMENT, amount), "TransferFailed");
    }
}
