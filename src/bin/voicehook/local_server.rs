//! The receiver behind a local HTTP server, in the place of API Gateway and Lambda.

use std::{
    future::Future,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Router, body, extract};
use lambda_http::{Body, Context, RequestExt as _, Response};
use tokio::net::TcpListener;
use voicehook::{
    app_id::AppIdSource,
    gateway::{MAX_BODY_BYTES, Outcome, Receiver},
    queue::Queue,
};

/// Serves until `shutdown` is there, then finishes what is in flight.
pub(crate) async fn serve<S: AppIdSource, Q: Queue>(
    listener: TcpListener,
    receiver: Receiver<S, Q>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let receiver = Arc::new(receiver);
    let count = Arc::new(AtomicUsize::new(0));
    let handler = move |request: extract::Request| {
        let receiver = Arc::clone(&receiver);
        let request_id = format!("local-{}", 1 + count.fetch_add(1, Ordering::Relaxed));
        async move { respond(&receiver, request, request_id).await.map(to_axum) }
    };
    axum::serve(listener, Router::new().fallback(handler)).with_graceful_shutdown(shutdown).await
}

async fn respond<S: AppIdSource, Q: Queue>(
    receiver: &Receiver<S, Q>,
    request: extract::Request,
    request_id: String,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = body::to_bytes(body, MAX_BODY_BYTES).await else {
        return Outcome::BodyTooLarge.response();
    };
    let request = lambda_http::Request::from_parts(parts, Body::Binary(body.into()));
    let mut context = Context::default();
    context.request_id = request_id;
    receiver.respond(request.with_lambda_context(context)).await
}

fn to_axum(body: Body) -> body::Body {
    match body {
        Body::Text(text) => text.into(),
        Body::Binary(bytes) => bytes.into(),
        _ => body::Body::empty(),
    }
}
