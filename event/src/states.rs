//! The names that EnableX gives to what happened: to a call (`state`, or `event`) and to a prompt (`playstate`, or
//! `event`). Names are compared in [one spelling](super::normalized); one that is not known is kept as it was written.

use std::fmt;

/// An enum of names, with one variant for every other name.
macro_rules! names {
    ($(#[$doc:meta])* $name:ident { $($(#[$of_variant:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$of_variant])* $variant,)*
            /// A name that this version does not know.
            Other(String),
        }

        impl $name {
            /// Every name that is known.
            pub const NAMES: &[&str] = &[$($text),*];

            /// The name, as EnableX writes it today; one that is not known as it was written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(name) => name,
                }
            }
        }

        impl From<String> for $name {
            fn from(name: String) -> Self {
                match super::normalized(&name).as_ref() {
                    $($text => Self::$variant,)*
                    _ => Self::Other(name),
                }
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                name.to_owned().into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        #[cfg(test)]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let known = Self::NAMES;
                schemars::json_schema!({
                    "anyOf": [{ "enum": known }, { "type": "string", "minLength": 1 }],
                })
            }
        }
    };
}

names! {
    /// What happened to a call: the field `state`.
    CallState {
        /// Somebody calls a number of the project.
        IncomingCall = "incomingcall",
        /// An outbound call was started.
        Initiated = "initiated",
        /// The other end rings.
        Ringing = "ringing",
        /// The other end answered.
        Connected = "connected",
        /// Another party is being called, to be bridged with this call.
        Bridging = "bridging",
        /// Both parties talk to each other.
        Bridged = "bridged",
        /// The other party has left; the call itself goes on.
        BridgeDisconnected = "bridge_disconnected",
        /// The call is on hold.
        Hold = "hold",
        /// The call has joined a room.
        Joined = "joined",
        /// A recording is ready at `recording_url`.
        RecordingComplete = "recording_complete",
        /// Speech of the call as `text`.
        Transcript = "transcript",
        /// Speech was recognized, as `text`.
        Recognized = "recognized",
        /// The caller pressed `digit` while bridged.
        DtmfCollected = "dtmfcollected",
        /// The audio of the call goes to a WebSocket.
        StreamStarted = "stream_started",
        /// It no longer does.
        StreamStopped = "stream_stopped",
        /// It could not, or broke off.
        StreamFailed = "stream_failed",
        /// The call is over.
        Disconnected = "disconnected",
        /// All calls of a broadcast are over; `broadcast_call_info` has the result of each, `resultSet` their numbers.
        BroadcastCallComplete = "broadcastcall_complete",
    }
}

names! {
    /// What happened to a prompt: the field `playstate`. Recognized speech comes as `asrtext`, or as `text`.
    PlayState {
        /// The prompt began.
        Initiated = "initiated",
        /// The prompt was played to its end.
        PlayFinished = "playfinished",
        /// The caller pressed `digit`.
        DigitCollected = "digitcollected",
        /// The caller pressed nothing in time.
        MenuTimeout = "menutimeout",
        /// The caller said `text`; `reason` says how the recognition ended.
        SpeechRecognized = "speech_recognized",
    }
}
