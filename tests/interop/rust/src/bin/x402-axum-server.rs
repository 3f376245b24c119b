//! The middleware of x402-rs, as its documentation sets it up; prints its port.

use std::env;

use alloy_primitives::Address;
use axum::{Json, Router, routing::get};
use x402_axum::X402Middleware;
use x402_chain_eip155::{KnownNetworkEip155, V1Eip155Exact, V2Eip155Exact};
use x402_types::networks::USDC;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let pay_to: Address = env::var("PAY_TO").unwrap().parse().unwrap();
    let amount = USDC::base_sepolia().parse("0.01").unwrap();
    let x402 = X402Middleware::new(&env::var("FACILITATOR_URL").unwrap());
    let report = || async { Json(serde_json::json!({ "report": "Rainfall, Tuesday" })) };
    let handler = match env::args().nth(1).as_deref() {
        Some("v2") => get(report).layer(x402.with_price_tag(V2Eip155Exact::price_tag(pay_to, amount))),
        _ => get(report).layer(x402.with_price_tag(V1Eip155Exact::price_tag(pay_to, amount))),
    };
    let app = Router::new().route("/report", handler);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    axum::serve(listener, app).await.unwrap();
}
