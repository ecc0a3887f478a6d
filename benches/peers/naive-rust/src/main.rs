//! The naive Lambda function: EnableX's sample, translated line by line, with the defaults of every crate.

use aes::Aes256;
use aws_sdk_sqs::Client;
use cbc::{
    Decryptor,
    cipher::{BlockDecryptMut, KeyIvInit, block_padding::Pkcs7},
};
use lambda_http::{Body, Error, Request, Response, run, service_fn};
use md5::{Digest, Md5};
use serde_json::Value;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let config = aws_config::load_from_env().await;
    let client = Client::new(&config);
    let app_id = std::env::var("ENABLEX_APP_ID")?;
    let queue_url = std::env::var("QUEUE_URL")?;
    run(service_fn(|request| handle(&client, &app_id, &queue_url, request))).await
}

async fn handle(client: &Client, app_id: &str, queue_url: &str, request: Request) -> Result<Response<Body>, Error> {
    let body: Value = serde_json::from_slice(request.body().as_ref())?;
    let data = hex::decode(body["encrypted_data"].as_str().ok_or("encrypted_data is missing")?)?;
    let (key, iv) = key_and_iv(app_id);
    let text = Decryptor::<Aes256>::new_from_slices(&key, &iv)?
        .decrypt_padded_vec_mut::<Pkcs7>(&data)
        .map_err(|error| error.to_string())?;
    let event: Value = serde_json::from_slice(&text)?;
    println!("event {}", event["state"]);
    client
        .send_message()
        .queue_url(queue_url)
        .message_body(event.to_string())
        .message_group_id(event["voice_id"].as_str().unwrap_or("none"))
        .message_deduplication_id(hex::encode(Md5::digest(&text)))
        .send()
        .await?;
    Ok(Response::builder().status(200).header("content-type", "application/json").body("{}".into())?)
}

/// OpenSSL's `EVP_BytesToKey` with MD5, without salt.
fn key_and_iv(password: &str) -> (Vec<u8>, Vec<u8>) {
    let mut derived = Vec::new();
    let mut block = Vec::new();
    while derived.len() < 48 {
        let mut md5 = Md5::new();
        md5.update(&block);
        md5.update(password);
        block = md5.finalize().to_vec();
        derived.extend(&block);
    }
    let iv = derived.split_off(32);
    (derived, iv)
}
