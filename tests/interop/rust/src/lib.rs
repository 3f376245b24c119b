//! What every client here takes and gives: a URL and a key, and the last answer as one line of JSON.

use std::env;

/// The URL to pay, from the command line.
pub fn url() -> String {
    env::args().nth(1).expect("a URL")
}

/// The payer's key, from the environment.
pub fn key() -> String {
    env::var("PAYER_KEY").expect("PAYER_KEY")
}

/// Prints the answer.
pub async fn show(response: reqwest::Response) {
    let status = response.status().as_u16();
    let fields = response.headers().iter();
    let headers: serde_json::Map<_, _> = fields
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().into()))
        .collect();
    let text = response.text().await.unwrap_or_default();
    println!("{}", serde_json::json!({ "status": status, "headers": headers, "text": text }));
}
