// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

interface IToken {
    function transfer(address to, uint256 value) external returns (bool);
    function balanceOf(address account) external view returns (uint256);
}

interface ICollector {
    function collect(address payer, address token, uint256 amount, bytes32 channelId, bytes calldata data) external;
}

interface ISigner {
    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4);
}

/// Payment channels of x402 `batch-settlement`: one deposit, cumulative vouchers, claims in batches.
///
/// Written from the scheme's specification for local chains. There is no constructor and no
/// immutable, so the runtime code can be placed at the canonical address. Tokens that take a fee or
/// call back are not meant to be used with it.
contract BatchSettlement {
    struct ChannelConfig {
        address payer;
        address payerAuthorizer;
        address receiver;
        address receiverAuthorizer;
        address token;
        uint40 withdrawDelay;
        bytes32 salt;
    }

    struct Voucher {
        ChannelConfig channel;
        uint128 maxClaimableAmount;
    }

    struct VoucherClaim {
        Voucher voucher;
        bytes signature;
        uint128 totalClaimed;
    }

    struct Channel {
        uint128 balance;
        uint128 totalClaimed;
    }

    struct Withdrawal {
        uint128 amount;
        uint40 initiatedAt;
    }

    struct Receiver {
        uint128 totalClaimed;
        uint128 totalSettled;
    }

    bytes32 public constant CHANNEL_CONFIG_TYPEHASH = keccak256(
        "ChannelConfig(address payer,address payerAuthorizer,address receiver,address receiverAuthorizer,address token,uint40 withdrawDelay,bytes32 salt)"
    );
    bytes32 public constant VOUCHER_TYPEHASH = keccak256("Voucher(bytes32 channelId,uint128 maxClaimableAmount)");
    bytes32 public constant REFUND_TYPEHASH = keccak256("Refund(bytes32 channelId,uint256 nonce,uint128 amount)");
    bytes32 public constant CLAIM_BATCH_TYPEHASH = keccak256(
        "ClaimBatch(ClaimEntry[] claims)ClaimEntry(bytes32 channelId,uint128 maxClaimableAmount,uint128 totalClaimed)"
    );
    bytes32 public constant CLAIM_ENTRY_TYPEHASH =
        keccak256("ClaimEntry(bytes32 channelId,uint128 maxClaimableAmount,uint128 totalClaimed)");

    uint40 public constant MIN_WITHDRAW_DELAY = 900;
    uint40 public constant MAX_WITHDRAW_DELAY = 2_592_000;

    mapping(bytes32 => Channel) public channels;
    mapping(bytes32 => Withdrawal) public pendingWithdrawals;
    mapping(bytes32 => uint256) public refundNonce;
    mapping(address => mapping(address => Receiver)) public receivers;
    /// Whether a deposit is being collected: one within it would count the same tokens again.
    bool private collecting;

    event ChannelCreated(bytes32 indexed channelId, ChannelConfig config);
    event ChannelClosed(bytes32 indexed channelId, ChannelConfig config);
    event Deposited(bytes32 indexed channelId, address indexed sender, uint128 amount, uint128 balance);
    event Claimed(bytes32 indexed channelId, address indexed sender, uint128 amount, uint128 totalClaimed);
    event Settled(address indexed receiver, address indexed token, address indexed sender, uint128 amount);
    event WithdrawInitiated(bytes32 indexed channelId, uint128 amount, uint40 finalizeAfter);
    event WithdrawFinalized(bytes32 indexed channelId, uint128 amount);
    event Refunded(bytes32 indexed channelId, address indexed sender, uint128 amount);

    /// Several calls in one transaction; the first that fails undoes all.
    function multicall(bytes[] calldata data) external returns (bytes[] memory results) {
        results = new bytes[](data.length);
        for (uint256 i = 0; i < data.length; i++) {
            (bool done, bytes memory result) = address(this).delegatecall(data[i]);
            if (!done) {
                assembly {
                    revert(add(result, 32), mload(result))
                }
            }
            results[i] = result;
        }
    }

    /// Adds to a channel what a collector brings; the first deposit creates it.
    function deposit(ChannelConfig calldata config, uint128 amount, address collector, bytes calldata collectorData)
        external
    {
        require(amount > 0, "ZeroDeposit");
        require(config.payer != address(0) && config.receiver != address(0), "ZeroAddress");
        require(config.receiverAuthorizer != address(0) && config.token != address(0), "ZeroAddress");
        require(
            config.withdrawDelay >= MIN_WITHDRAW_DELAY && config.withdrawDelay <= MAX_WITHDRAW_DELAY,
            "WithdrawDelayOutOfRange"
        );
        bytes32 id = getChannelId(config);
        Channel storage channel = channels[id];
        bool isNew = channel.balance == 0 && channel.totalClaimed == 0;
        channel.balance += amount;
        require(!collecting, "Reentered");
        collecting = true;
        uint256 before = IToken(config.token).balanceOf(address(this));
        ICollector(collector).collect(config.payer, config.token, amount, id, collectorData);
        require(IToken(config.token).balanceOf(address(this)) == before + amount, "NotCollected");
        collecting = false;
        if (isNew) emit ChannelCreated(id, config);
        emit Deposited(id, msg.sender, amount, channel.balance);
    }

    /// Counts what vouchers prove, for their receivers; sent by receiver or authorizer of each.
    function claim(VoucherClaim[] calldata claims) external {
        for (uint256 i = 0; i < claims.length; i++) {
            ChannelConfig calldata config = claims[i].voucher.channel;
            require(msg.sender == config.receiver || msg.sender == config.receiverAuthorizer, "NotAuthorized");
            count(claims[i]);
        }
    }

    /// The same, sent by anyone with the signature of the one authorizer of all.
    function claimWithSignature(VoucherClaim[] calldata claims, bytes calldata authorizerSignature) external {
        require(claims.length > 0, "NoClaims");
        address authorizer = claims[0].voucher.channel.receiverAuthorizer;
        requireSigned(authorizer, getClaimBatchDigest(claims), authorizerSignature);
        for (uint256 i = 0; i < claims.length; i++) {
            require(claims[i].voucher.channel.receiverAuthorizer == authorizer, "AuthorizersDiffer");
            count(claims[i]);
        }
    }

    /// Pays a receiver everything that was claimed.
    function settle(address receiver, address token) external {
        Receiver storage account = receivers[receiver][token];
        uint128 amount = account.totalClaimed - account.totalSettled;
        if (amount == 0) return;
        account.totalSettled = account.totalClaimed;
        pay(token, receiver, amount);
        emit Settled(receiver, token, msg.sender, amount);
    }

    /// Begins a withdrawal by the payer's side.
    function initiateWithdraw(ChannelConfig calldata config, uint128 amount) external {
        require(msg.sender == config.payer || msg.sender == config.payerAuthorizer, "NotPayer");
        bytes32 id = getChannelId(config);
        require(pendingWithdrawals[id].initiatedAt == 0, "WithdrawPending");
        require(amount > 0 && amount <= channels[id].balance - channels[id].totalClaimed, "AmountExceedsBalance");
        pendingWithdrawals[id] = Withdrawal(amount, uint40(block.timestamp));
        emit WithdrawInitiated(id, amount, uint40(block.timestamp) + config.withdrawDelay);
    }

    /// Ends it once the delay is over: what was claimed meanwhile stays.
    function finalizeWithdraw(ChannelConfig calldata config) external {
        require(msg.sender == config.payer || msg.sender == config.payerAuthorizer, "NotPayer");
        bytes32 id = getChannelId(config);
        Withdrawal memory pending = pendingWithdrawals[id];
        require(pending.initiatedAt != 0, "NoWithdrawal");
        require(block.timestamp >= uint256(pending.initiatedAt) + config.withdrawDelay, "TooEarly");
        delete pendingWithdrawals[id];
        uint128 paid = payBack(id, config, pending.amount);
        emit WithdrawFinalized(id, paid);
    }

    function refund(ChannelConfig calldata config, uint128 amount) external {
        require(msg.sender == config.receiver || msg.sender == config.receiverAuthorizer, "NotAuthorized");
        refunded(config, amount);
    }

    function refundWithSignature(
        ChannelConfig calldata config,
        uint128 amount,
        uint256 nonce,
        bytes calldata receiverAuthorizerSignature
    ) external {
        bytes32 id = getChannelId(config);
        require(nonce == refundNonce[id], "NonceMismatch");
        requireSigned(config.receiverAuthorizer, getRefundDigest(id, nonce, amount), receiverAuthorizerSignature);
        refunded(config, amount);
    }

    function getChannelId(ChannelConfig calldata config) public view returns (bytes32) {
        return typed(
            keccak256(
                abi.encode(
                    CHANNEL_CONFIG_TYPEHASH,
                    config.payer,
                    config.payerAuthorizer,
                    config.receiver,
                    config.receiverAuthorizer,
                    config.token,
                    config.withdrawDelay,
                    config.salt
                )
            )
        );
    }

    function getVoucherDigest(bytes32 channelId, uint128 maxClaimableAmount) public view returns (bytes32) {
        return typed(keccak256(abi.encode(VOUCHER_TYPEHASH, channelId, maxClaimableAmount)));
    }

    function getRefundDigest(bytes32 channelId, uint256 nonce, uint128 amount) public view returns (bytes32) {
        return typed(keccak256(abi.encode(REFUND_TYPEHASH, channelId, nonce, amount)));
    }

    function getClaimBatchDigest(VoucherClaim[] calldata claims) public view returns (bytes32) {
        bytes32[] memory entries = new bytes32[](claims.length);
        for (uint256 i = 0; i < claims.length; i++) {
            bytes32 id = getChannelId(claims[i].voucher.channel);
            uint128 most = claims[i].voucher.maxClaimableAmount;
            entries[i] = keccak256(abi.encode(CLAIM_ENTRY_TYPEHASH, id, most, claims[i].totalClaimed));
        }
        return typed(keccak256(abi.encode(CLAIM_BATCH_TYPEHASH, keccak256(abi.encodePacked(entries)))));
    }

    function count(VoucherClaim calldata entry) private {
        ChannelConfig calldata config = entry.voucher.channel;
        bytes32 id = getChannelId(config);
        Channel storage channel = channels[id];
        require(entry.totalClaimed <= entry.voucher.maxClaimableAmount, "AboveVoucher");
        require(entry.totalClaimed <= channel.balance, "AboveBalance");
        // A claim that was counted before is no error: whoever sends it may not have seen that.
        if (entry.totalClaimed <= channel.totalClaimed) return;
        bytes32 digest = getVoucherDigest(id, entry.voucher.maxClaimableAmount);
        if (config.payerAuthorizer == address(0)) requireSigned(config.payer, digest, entry.signature);
        else require(recover(digest, entry.signature) == config.payerAuthorizer, "InvalidSignature");
        uint128 amount = entry.totalClaimed - channel.totalClaimed;
        channel.totalClaimed = entry.totalClaimed;
        receivers[config.receiver][config.token].totalClaimed += amount;
        emit Claimed(id, msg.sender, amount, entry.totalClaimed);
    }

    function refunded(ChannelConfig calldata config, uint128 amount) private {
        require(amount > 0, "ZeroRefund");
        bytes32 id = getChannelId(config);
        refundNonce[id] += 1;
        Withdrawal storage pending = pendingWithdrawals[id];
        uint128 paid = payBack(id, config, amount);
        if (pending.initiatedAt != 0) {
            if (paid >= pending.amount) delete pendingWithdrawals[id];
            else pending.amount -= paid;
        }
        if (paid > 0) emit Refunded(id, msg.sender, paid);
    }

    /// Pays the payer this amount, or what is left.
    function payBack(bytes32 id, ChannelConfig calldata config, uint128 amount) private returns (uint128 paid) {
        Channel storage channel = channels[id];
        uint128 rest = channel.balance - channel.totalClaimed;
        paid = amount < rest ? amount : rest;
        if (paid == 0) return 0;
        channel.balance -= paid;
        pay(config.token, config.payer, paid);
        if (channel.balance == 0) emit ChannelClosed(id, config);
    }

    function pay(address token, address to, uint128 amount) private {
        require(IToken(token).transfer(to, amount), "TransferFailed");
    }

    function typed(bytes32 hash) private view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("x402 Batch Settlement"),
                keccak256("1"),
                block.chainid,
                address(this)
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, hash));
    }

    function requireSigned(address signer, bytes32 digest, bytes calldata signature) private view {
        if (signer.code.length == 0) {
            require(recover(digest, signature) == signer, "InvalidSignature");
        } else {
            require(ISigner(signer).isValidSignature(digest, signature) == 0x1626ba7e, "InvalidSignature");
        }
    }

    /// The signer of 65 bytes with a low s; never zero.
    function recover(bytes32 digest, bytes calldata signature) private pure returns (address signer) {
        require(signature.length == 65, "InvalidSignature");
        bytes32 r = bytes32(signature[:32]);
        bytes32 s = bytes32(signature[32:64]);
        uint8 v = uint8(signature[64]);
        require(
            uint256(s) <= 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0, "InvalidSignature"
        );
        signer = ecrecover(digest, v, r, s);
        require(signer != address(0), "InvalidSignature");
    }
}
