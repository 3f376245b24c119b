//! The client of r402, as its documentation sets it up.

use std::sync::Arc;

use alloy_signer_local::PrivateKeySigner;
use farebox_interop::{key, show, url};
use r402::evm::Eip155ExactClient;
use r402::http::{WithPayments, X402Client};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let signer = Arc::new(key().parse::<PrivateKeySigner>().unwrap());
    let payments = X402Client::new().register(Eip155ExactClient::new(signer));
    let client = reqwest::Client::new().with_payments(payments);
    show(client.get(url()).send().await.unwrap()).await;
}
