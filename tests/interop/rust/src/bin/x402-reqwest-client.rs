//! The client of x402-rs, as its documentation sets it up, with both versions.

use std::sync::Arc;

use alloy_signer_local::PrivateKeySigner;
use farebox_interop::{key, show, url};
use x402_chain_eip155::{V1Eip155ExactClient, V2Eip155ExactClient};
use x402_reqwest::{ReqwestWithPayments, ReqwestWithPaymentsBuild, X402Client};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let signer: Arc<PrivateKeySigner> = Arc::new(key().parse().unwrap());
    let payments = X402Client::new()
        .register(V1Eip155ExactClient::new(signer.clone()))
        .register(V2Eip155ExactClient::new(signer));
    let client = reqwest::Client::new().with_payments(payments).build();
    show(client.get(url()).send().await.unwrap()).await;
}
