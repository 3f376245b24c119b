// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

interface Balances {
    function balanceOf(address account) external view returns (uint256);
}

/// Holds what buyers paid for jobs until the gateway says that a job is done or is not.
///
/// A payment is a transfer to this contract, registered afterwards by the gateway. It leaves once, to
/// the seller or back to the buyer. What is registered is covered at every instant:
/// `paymentToken.balanceOf(this) >= totalLiabilities`; only what is above that can be recovered.
///
/// The token may return nothing or a bool, and may call back. If it takes a fee of what it moves, a
/// payment can be registered with what arrived; a transfer that would cost this contract more than
/// its amount is refused, for the difference would be the money of others.
contract ComputeEscrow {
    error InvalidGateway();
    error InvalidPaymentToken();
    error InvalidBuyer();
    error InvalidSeller();
    error InvalidRecipient();
    error InvalidAmount();
    error InvalidSettlementTxHash();
    error PaymentAlreadyExists();
    error PaymentNotFunded();
    error SettlementAlreadyRegistered();
    error EscrowBalanceInsufficient();
    error NotGateway();
    error Reentrancy();
    error NativeTransferRejected();
    error NativeTransferFailed();
    error CannotRecoverPaymentToken();
    error TokenTransferFailed();

    event FacilitatorPaymentRegistered(
        bytes32 indexed paymentId, address indexed buyer, address indexed seller, uint256 amount, bytes32 settlementTxHash
    );
    event PaymentReleased(bytes32 indexed paymentId, address indexed seller, uint256 amount);
    event PaymentRefunded(bytes32 indexed paymentId, address indexed buyer, uint256 amount);
    event NativeSwept(address indexed recipient, uint256 amount);
    event UnsupportedTokenRecovered(address indexed token, address indexed recipient, uint256 amount);
    event ExcessPaymentTokenRecovered(address indexed recipient, uint256 amount);

    enum State {
        None,
        Funded,
        Released,
        Refunded
    }

    struct Payment {
        address buyer;
        address seller;
        uint256 amount;
        bytes32 settlementTxHash;
        State state;
    }

    address public immutable gateway;
    address public immutable paymentToken;

    mapping(bytes32 paymentId => Payment) public payments;
    mapping(bytes32 settlementTxHash => bool) public usedSettlementTxHashes;
    /// The sum of all payments that are funded.
    uint256 public totalLiabilities;
    bool private entered;

    /// Lets in the gateway alone, and no call while another one runs.
    modifier guarded() {
        require(msg.sender == gateway, NotGateway());
        require(!entered, Reentrancy());
        entered = true;
        _;
        entered = false;
    }

    constructor(address gateway_, address paymentToken_) {
        require(gateway_ != address(0), InvalidGateway());
        require(paymentToken_.code.length > 0, InvalidPaymentToken());
        gateway = gateway_;
        paymentToken = paymentToken_;
    }

    /// Notes whose money a settled transfer is. The gateway has read that transfer on the chain.
    function registerFacilitatorPayment(
        bytes32 paymentId, address buyer, address seller, uint256 amount, bytes32 settlementTxHash
    ) external guarded {
        require(isPayable(buyer), InvalidBuyer());
        require(isPayable(seller), InvalidSeller());
        require(amount > 0, InvalidAmount());
        require(settlementTxHash != 0, InvalidSettlementTxHash());
        require(payments[paymentId].state == State.None, PaymentAlreadyExists());
        require(!usedSettlementTxHashes[settlementTxHash], SettlementAlreadyRegistered());
        require(amount <= excess(), EscrowBalanceInsufficient());
        usedSettlementTxHashes[settlementTxHash] = true;
        totalLiabilities += amount;
        payments[paymentId] = Payment(buyer, seller, amount, settlementTxHash, State.Funded);
        emit FacilitatorPaymentRegistered(paymentId, buyer, seller, amount, settlementTxHash);
    }

    /// Pays the seller.
    function release(bytes32 paymentId) external guarded {
        Payment storage payment = end(paymentId, State.Released);
        (address seller, uint256 amount) = (payment.seller, payment.amount);
        pay(seller, amount);
        emit PaymentReleased(paymentId, seller, amount);
    }

    /// Pays the buyer back.
    function refund(bytes32 paymentId) external guarded {
        Payment storage payment = end(paymentId, State.Refunded);
        (address buyer, uint256 amount) = (payment.buyer, payment.amount);
        pay(buyer, amount);
        emit PaymentRefunded(paymentId, buyer, amount);
    }

    /// Takes out ether that was forced in.
    function sweepNative(address payable recipient, uint256 amount) external guarded {
        requireRecipient(recipient, amount);
        (bool done,) = recipient.call{value: amount}("");
        require(done, NativeTransferFailed());
        emit NativeSwept(recipient, amount);
    }

    /// Takes out a token that does not belong here.
    function recoverUnsupportedToken(address token, address recipient, uint256 amount) external guarded {
        require(token != address(0), InvalidPaymentToken());
        require(token != paymentToken, CannotRecoverPaymentToken());
        requireRecipient(recipient, amount);
        uint256 before = balance();
        transfer(token, recipient, amount);
        // Some tokens have a second address, which moves the same money.
        require(balance() >= before, CannotRecoverPaymentToken());
        emit UnsupportedTokenRecovered(token, recipient, amount);
    }

    /// Takes out what is here of the payment token and is not registered.
    function recoverExcessPaymentToken(address recipient, uint256 amount) external guarded {
        requireRecipient(recipient, amount);
        require(amount <= excess(), EscrowBalanceInsufficient());
        pay(recipient, amount);
        emit ExcessPaymentTokenRecovered(recipient, amount);
    }

    receive() external payable {
        revert NativeTransferRejected();
    }

    fallback() external payable {
        revert NativeTransferRejected();
    }

    /// Ends a funded payment, before anything is called.
    function end(bytes32 paymentId, State state) private returns (Payment storage payment) {
        payment = payments[paymentId];
        require(payment.state == State.Funded, PaymentNotFunded());
        payment.state = state;
        totalLiabilities -= payment.amount;
    }

    /// Moves the payment token, at the cost of exactly its amount.
    function pay(address to, uint256 amount) private {
        uint256 before = balance();
        transfer(paymentToken, to, amount);
        require(balance() + amount == before, TokenTransferFailed());
    }

    function transfer(address token, address to, uint256 amount) private {
        (bool done, bytes memory answer) = token.call(abi.encodeWithSelector(TRANSFER, to, amount));
        bool agreed = answer.length == 0 ? token.code.length > 0 : bytes32(answer) == bytes32(uint256(1));
        require(done && agreed, TokenTransferFailed());
    }

    /// What is here of the payment token and is not registered.
    function excess() private view returns (uint256) {
        uint256 held = balance();
        return held > totalLiabilities ? held - totalLiabilities : 0;
    }

    function balance() private view returns (uint256) {
        return Balances(paymentToken).balanceOf(address(this));
    }

    function isPayable(address account) private view returns (bool) {
        return account != address(0) && account != address(this);
    }

    function requireRecipient(address recipient, uint256 amount) private view {
        require(isPayable(recipient), InvalidRecipient());
        require(amount > 0, InvalidAmount());
    }

    /// `transfer(address,uint256)`
    bytes4 private constant TRANSFER = 0xa9059cbb;
}
