// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

interface IChannelToken {
    function transfer(address to, uint256 value) external returns (bool);
    function transferFrom(address from, address to, uint256 value) external returns (bool);
    function receiveWithAuthorization(
        address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, bytes calldata signature
    ) external;
}

/// Payment channels of MPP, intent `session` of method `evm`: one deposit, cumulative vouchers, a settlement at any time.
///
/// Written from the draft for local chains; vouchers of contract wallets and Permit2 are left out. Tokens
/// that take a fee or call back are not meant to be used with it.
contract PaymentChannel {
    error ChannelAlreadyExists();
    error ChannelNotFound();
    error ChannelFinalized();
    error NotPayee();
    error NotPayer();
    error AmountNotIncreasing();
    error AmountExceedsDeposit();
    error InvalidSignature();
    error NonceMismatch();
    error NonceAlreadyUsed();
    error AuthorizationExpired();
    error CloseNotReady();
    error ZeroDeposit();
    error DepositOverflow();
    error TransferFailed();
    error SplitsNotSupported();
    error UnknownCall();

    event ChannelOpened(bytes32 indexed channelId, address indexed payer, address indexed payee, uint128 deposit);
    event Settled(bytes32 indexed channelId, uint128 cumulativeAmount, uint128 paid);
    event TopUp(bytes32 indexed channelId, uint128 additionalDeposit, uint128 deposit);
    event CloseRequested(bytes32 indexed channelId, uint64 since);
    event ChannelClosed(bytes32 indexed channelId, uint128 settled, uint128 refunded);

    /// What an opening by authorization says before its signature.
    struct Opening {
        address payee;
        address token;
        uint128 deposit;
        bytes32 salt;
        address authorizedSigner;
        address from;
        uint256 validAfter;
        uint256 validBefore;
        bytes32 nonce;
    }

    struct Channel {
        bool finalized;
        uint64 closeRequestedAt;
        address payer;
        address payee;
        address token;
        address authorizedSigner;
        uint128 deposit;
        uint128 settled;
    }

    /// Seconds from a request to close to the withdrawal.
    uint64 public constant CLOSE_GRACE_PERIOD = 900;
    bytes32 public constant VOUCHER_TYPEHASH = keccak256("Voucher(bytes32 channelId,uint128 cumulativeAmount)");
    bytes32 private constant SETTLE_TYPEHASH =
        keccak256("SettleAuthorization(bytes32 channelId,uint128 cumulativeAmount,uint256 nonce,uint256 deadline)");
    bytes32 private constant CLOSE_TYPEHASH =
        keccak256("CloseAuthorization(bytes32 channelId,uint128 cumulativeAmount,uint256 nonce,uint256 deadline)");
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes4 private constant OPEN_OF_OKX = 0xdacca080;
    /// Half of the order of secp256k1.
    uint256 private constant HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    mapping(bytes32 channelId => Channel) private channels;
    mapping(address payee => mapping(bytes32 channelId => mapping(uint256 nonce => bool))) private used;

    /// Opens a channel with the caller's tokens.
    function open(address payee, address token, uint128 deposit, bytes32 salt, address authorizedSigner)
        external
        returns (bytes32 channelId)
    {
        channelId = create(msg.sender, payee, token, deposit, salt, authorizedSigner);
        pull(token, msg.sender, deposit);
    }

    /// Opens a channel with what its payer has signed for it.
    function openWithAuthorization(
        address payee, address token, uint128 deposit, bytes32 salt, address authorizedSigner,
        address from, uint256 validAfter, uint256 validBefore, bytes32 nonce, bytes calldata signature
    ) external returns (bytes32 channelId) {
        require(nonce == keccak256(abi.encode(from, payee, token, salt, authorizedSigner)), NonceMismatch());
        channelId = create(from, payee, token, deposit, salt, authorizedSigner);
        IChannelToken(token).receiveWithAuthorization(from, address(this), deposit, validAfter, validBefore, nonce, signature);
    }

    /// The same as OKX's contract has it, whose nonce also covers who shares the payments, here no one:
    /// `openWithAuthorization(address,address,uint128,bytes32,address,address,uint256,uint256,bytes32,bytes,address[],uint16[])`.
    /// The compiler cannot take so many arguments apart, so that they are read here by their places.
    fallback() external {
        require(msg.sig == OPEN_OF_OKX, UnknownCall());
        Opening memory it = abi.decode(msg.data[4:292], (Opening));
        require(tail(10).length == 0 && tail(11).length == 0, SplitsNotSupported());
        bytes32 channelId = opened(it, tail(9));
        assembly {
            mstore(0, channelId)
            return(0, 32)
        }
    }

    /// Adds to a deposit; a request to close is withdrawn by it.
    function topUp(bytes32 channelId, uint128 additionalDeposit) external {
        Channel storage channel = living(channelId);
        require(msg.sender == channel.payer, NotPayer());
        add(channelId, channel, additionalDeposit);
        pull(channel.token, msg.sender, additionalDeposit);
    }

    /// The same with what its payer has signed for it.
    function topUpWithAuthorization(
        bytes32 channelId, uint128 additionalDeposit, address from, bytes32 topUpSalt,
        uint256 validAfter, uint256 validBefore, bytes32 nonce, bytes calldata signature
    ) external {
        Channel storage channel = living(channelId);
        require(from == channel.payer, NotPayer());
        require(nonce == keccak256(abi.encode(channelId, additionalDeposit, from, topUpSalt)), NonceMismatch());
        add(channelId, channel, additionalDeposit);
        IChannelToken(channel.token).receiveWithAuthorization(
            from, address(this), additionalDeposit, validAfter, validBefore, nonce, signature
        );
    }

    /// Pays the payee what a voucher is for.
    function settle(bytes32 channelId, uint128 cumulativeAmount, bytes calldata signature) external {
        Channel storage channel = living(channelId);
        require(msg.sender == channel.payee, NotPayee());
        settled(channelId, channel, cumulativeAmount, signature);
    }

    /// The same, sent by anyone with the payee's signature.
    function settleWithAuthorization(
        bytes32 channelId, uint128 cumulativeAmount, uint256 nonce, uint256 deadline,
        bytes calldata payeeSignature, bytes calldata voucherSignature
    ) external {
        Channel storage channel = living(channelId);
        authorized(SETTLE_TYPEHASH, channel.payee, channelId, cumulativeAmount, nonce, deadline, payeeSignature);
        settled(channelId, channel, cumulativeAmount, voucherSignature);
    }

    /// Pays the payee what a voucher is for, and the rest back; without a voucher, what was settled is all.
    function close(bytes32 channelId, uint128 cumulativeAmount, bytes calldata signature) external {
        Channel storage channel = living(channelId);
        require(msg.sender == channel.payee, NotPayee());
        closed(channelId, channel, cumulativeAmount, signature);
    }

    /// The same, sent by anyone with the payee's signature.
    function closeWithAuthorization(
        bytes32 channelId, uint128 cumulativeAmount, uint256 nonce, uint256 deadline,
        bytes calldata payeeSignature, bytes calldata voucherSignature
    ) external {
        Channel storage channel = living(channelId);
        authorized(CLOSE_TYPEHASH, channel.payee, channelId, cumulativeAmount, nonce, deadline, payeeSignature);
        closed(channelId, channel, cumulativeAmount, voucherSignature);
    }

    /// Begins a withdrawal.
    function requestClose(bytes32 channelId) external {
        Channel storage channel = living(channelId);
        require(msg.sender == channel.payer, NotPayer());
        if (channel.closeRequestedAt != 0) return;
        channel.closeRequestedAt = uint64(block.timestamp);
        emit CloseRequested(channelId, channel.closeRequestedAt);
    }

    /// Ends it: what was settled meanwhile stays.
    function withdraw(bytes32 channelId) external {
        Channel storage channel = living(channelId);
        require(msg.sender == channel.payer, NotPayer());
        uint64 since = channel.closeRequestedAt;
        require(since != 0 && block.timestamp >= uint256(since) + CLOSE_GRACE_PERIOD, CloseNotReady());
        end(channelId, channel);
    }

    function getChannel(bytes32 channelId) external view returns (Channel memory) {
        return channels[channelId];
    }

    function computeChannelId(address payer, address payee, address token, bytes32 salt, address authorizedSigner)
        public
        view
        returns (bytes32)
    {
        return keccak256(abi.encode(payer, payee, token, salt, authorizedSigner, address(this), block.chainid));
    }

    function getVoucherDigest(bytes32 channelId, uint128 cumulativeAmount) public view returns (bytes32) {
        return typed(keccak256(abi.encode(VOUCHER_TYPEHASH, channelId, cumulativeAmount)));
    }

    function domainSeparator() public view returns (bytes32) {
        return keccak256(
            abi.encode(DOMAIN_TYPEHASH, keccak256("EVM Payment Channel"), keccak256("1"), block.chainid, address(this))
        );
    }

    /// The argument in this place, which is as long as it says: bytes, or a list without members.
    function tail(uint256 place) private pure returns (bytes memory) {
        uint256 start = 4 + uint256(bytes32(msg.data[4 + 32 * place:36 + 32 * place]));
        uint256 length = uint256(bytes32(msg.data[start:start + 32]));
        return msg.data[start + 32:start + 32 + length];
    }

    function opened(Opening memory it, bytes memory signature) private returns (bytes32 channelId) {
        address[] memory recipients;
        uint16[] memory bps;
        bytes32 nonce =
            keccak256(abi.encode(it.from, it.payee, it.token, it.salt, it.authorizedSigner, recipients, bps));
        require(it.nonce == nonce, NonceMismatch());
        channelId = create(it.from, it.payee, it.token, it.deposit, it.salt, it.authorizedSigner);
        IChannelToken(it.token).receiveWithAuthorization(
            it.from, address(this), it.deposit, it.validAfter, it.validBefore, nonce, signature
        );
    }

    function create(address payer, address payee, address token, uint128 deposit, bytes32 salt, address authorizedSigner)
        private
        returns (bytes32 channelId)
    {
        require(deposit > 0, ZeroDeposit());
        channelId = computeChannelId(payer, payee, token, salt, authorizedSigner);
        require(channels[channelId].payer == address(0), ChannelAlreadyExists());
        channels[channelId] = Channel(false, 0, payer, payee, token, authorizedSigner, deposit, 0);
        emit ChannelOpened(channelId, payer, payee, deposit);
    }

    function add(bytes32 channelId, Channel storage channel, uint128 additional) private {
        require(additional > 0, ZeroDeposit());
        require(additional <= type(uint128).max - channel.deposit, DepositOverflow());
        channel.deposit += additional;
        channel.closeRequestedAt = 0;
        emit TopUp(channelId, additional, channel.deposit);
    }

    function settled(bytes32 channelId, Channel storage channel, uint128 cumulative, bytes calldata signature) private {
        require(cumulative > channel.settled, AmountNotIncreasing());
        require(cumulative <= channel.deposit, AmountExceedsDeposit());
        address signer = channel.authorizedSigner == address(0) ? channel.payer : channel.authorizedSigner;
        require(recover(getVoucherDigest(channelId, cumulative), signature) == signer, InvalidSignature());
        uint128 paid = cumulative - channel.settled;
        channel.settled = cumulative;
        pay(channel.token, channel.payee, paid);
        emit Settled(channelId, cumulative, paid);
    }

    function closed(bytes32 channelId, Channel storage channel, uint128 cumulative, bytes calldata signature) private {
        require(cumulative >= channel.settled, AmountNotIncreasing());
        if (cumulative > channel.settled) settled(channelId, channel, cumulative, signature);
        end(channelId, channel);
    }

    function end(bytes32 channelId, Channel storage channel) private {
        channel.finalized = true;
        uint128 rest = channel.deposit - channel.settled;
        if (rest > 0) pay(channel.token, channel.payer, rest);
        emit ChannelClosed(channelId, channel.settled, rest);
    }

    function authorized(
        bytes32 kind, address payee, bytes32 channelId, uint128 cumulative, uint256 nonce, uint256 deadline,
        bytes calldata signature
    ) private {
        require(block.timestamp <= deadline, AuthorizationExpired());
        require(!used[payee][channelId][nonce], NonceAlreadyUsed());
        used[payee][channelId][nonce] = true;
        bytes32 digest = typed(keccak256(abi.encode(kind, channelId, cumulative, nonce, deadline)));
        require(recover(digest, signature) == payee, InvalidSignature());
    }

    function living(bytes32 channelId) private view returns (Channel storage channel) {
        channel = channels[channelId];
        require(channel.payer != address(0), ChannelNotFound());
        require(!channel.finalized, ChannelFinalized());
    }

    function typed(bytes32 hash) private view returns (bytes32) {
        return keccak256(abi.encodePacked("\x19\x01", domainSeparator(), hash));
    }

    function recover(bytes32 digest, bytes calldata signature) private pure returns (address signer) {
        require(signature.length == 65, InvalidSignature());
        bytes32 s = bytes32(signature[32:64]);
        require(uint256(s) <= HALF_ORDER, InvalidSignature());
        signer = ecrecover(digest, uint8(signature[64]), bytes32(signature[0:32]), s);
        require(signer != address(0), InvalidSignature());
    }

    function pull(address token, address from, uint128 amount) private {
        require(IChannelToken(token).transferFrom(from, address(this), amount), TransferFailed());
    }

    function pay(address token, address to, uint128 amount) private {
        require(IChannelToken(token).transfer(to, amount), TransferFailed());
    }
}
