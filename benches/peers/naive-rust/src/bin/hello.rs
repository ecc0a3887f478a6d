//! The least that a Lambda function behind HTTP can be: it answers, and sends nothing, on one thread.

use lambda_http::{Body, Error, Request, Response, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(|_: Request| async { Ok::<_, Error>(Response::new(Body::from("{}"))) })).await
}
