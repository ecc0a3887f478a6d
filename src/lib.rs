//! The receiver of voicehook: takes the webhooks of the EnableX Voice API on AWS Lambda, decrypts each one, and puts the
//! voice event it carried on an SQS queue.
//!
//! # How a webhook is handled
//!
//! A webhook goes forward through these modules and never back:
//!
//! 1. [`lambda`]: an event of API Gateway, a Function URL or a load balancer becomes a request, and the response an answer.
//! 2. [`receiver`]: which app does the path name, is the token right, is it a probe, what is the answer? It calls the
//!    modules below, in this order.
//! 3. [`webhook`]: the envelope. Which cipher, format and text encoding do the headers name, and where in the body is
//!    `encrypted_data`?
//! 4. [`app_id`]: which AppID may open it. From the environment or from Secrets Manager, cached.
//! 5. [`decrypt`]: ciphertext, cipher, padding, text, as Node's `createDecipher` did it. The text is not trusted yet.
//! 6. [`event`]: the plaintext as a voice event: its text, and the few fields that it is routed by.
//! 7. [`queue`]: the SQS message, its attributes, group and deduplication id, and the queue's confirmation.
//!
//! Beside them: [`config`] reads the environment, [`aws`] is what the AWS clients share and how SQS is reached without the
//! SDK, [`telemetry`] writes the log, [`clock`] tells the time of day, and [`sender`] is the other side, EnableX's own, for
//! tests and tools.
//!
//! # What is promised
//!
//! 200 means that SQS has the message. A request that cannot be opened is told so, with the same answer whichever step
//! failed. AppIDs, keys and tokens are in types that cannot be printed.

pub mod app_id;
pub mod aws;
pub mod clock;
pub mod config;
pub mod decrypt;
pub mod event;
pub mod lambda;
mod names;
pub mod queue;
pub mod receiver;
mod scan;
pub mod sender;
pub mod telemetry;
pub mod webhook;
