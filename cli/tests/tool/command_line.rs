//! The command-line tool and the function's start, as a person or Lambda would run them.

use std::{
    io::Write as _,
    net::{TcpListener, TcpStream},
    process::{Command, Output, Stdio},
};

use serde_json::json;
use voicehook_test_support::aws_stub::{AwsStub, error};

use crate::tool::{Dev, given, printed, typing, voicehook};

#[test]
fn dev_once_plays_a_call_of_different_events_and_ends_with_0() {
    let output = voicehook().args(["dev", "--once", "--listen", "127.0.0.1:0"]).output().unwrap();
    let text = printed(&output);
    assert!(output.status.success(), "{text}");
    let events: Vec<&str> = text.lines().filter(|line| line.starts_with("queued")).collect();
    assert_eq!(events.len(), 9, "{text}");
    let types: std::collections::HashSet<&str> =
        events.iter().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(types.len(), 9, "{text}");
    assert!(events[0].contains("call.incomingcall") && events[8].contains("call.disconnected"), "{text}");
    assert!(text.contains("9 of 9 events reached the queue"), "{text}");
}

/// Runs `dev` against an SQS that has the queues, or does not, and takes no message.
async fn dev_on_a_queue(options: &[&str], has_queues: bool) -> Output {
    let sqs = AwsStub::start(move |operation, _| match operation {
        "GetQueueAttributes" if has_queues => (200, json!({"Attributes": {}})),
        "GetQueueAttributes" => error("AWS.SimpleQueueService.NonExistentQueue"),
        _ => error("InternalError"),
    });
    let sqs = sqs.await;
    let mut command = voicehook();
    command.args(["dev", "--once", "--listen", "0"]).args(options).env("PUBLISH_DEADLINE_MS", "100");
    tokio::task::block_in_place(|| sqs.point(&mut command).output().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_once_ends_with_1_where_events_do_not_reach_the_queue() {
    let output = dev_on_a_queue(&["--queue-url", "http://127.0.0.1:9/0/events.fifo"], true).await;
    let text = printed(&output);
    assert!(output.status.code() == Some(1) && text.contains("0 of 9 events reached the queue"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_says_at_once_that_a_queue_does_not_exist() {
    for option in ["--queue-url", "--quarantine"] {
        let output = dev_on_a_queue(&[&format!("{option}=http://127.0.0.1:9/0/events")], false).await;
        let text = printed(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(&format!("{option}: The queue does not exist")) && text.lines().count() == 1, "{text}");
    }
}

#[test]
fn missing_credentials_are_one_line_with_what_to_do_in_every_command() {
    let event = concat!(env!("CARGO_MANIFEST_DIR"), "/../events/queued-connected.json");
    let queue = "https://sqs.us-east-1.amazonaws.com/123456789012/events";
    let secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:voicehook-1a2b3c";
    for (arguments, needs_region) in [
        (&["listen", "--queue-url", queue][..], false),
        (&["dev", "--queue-url", queue], false),
        (&["redrive", "--from", "http://127.0.0.1:9/0/quarantine", "--to", queue], false),
        (&["trigger", "connected", "--app-id-secret", secret], false),
        (&["trigger", "connected", "--app-id-secret", "voicehook"], true),
        (&["decrypt", event], true),
        (&["doctor", "--stack", "voicehook"], true),
    ] {
        for region in ["us-east-1", ""] {
            let mut command = voicehook();
            command.args(arguments).env("HOME", "/nonexistent").env("AWS_EC2_METADATA_DISABLED", "true");
            if matches!(arguments[0], "redrive" | "decrypt") {
                command.env("ENABLEX_APP_ID_SECRET", "voicehook");
            }
            for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"] {
                command.env_remove(name);
            }
            if !region.is_empty() {
                command.env("AWS_REGION", region);
            }
            let output = command.output().unwrap();
            let text = printed(&output);
            let expected =
                if needs_region && region.is_empty() { "no AWS region found" } else { "no AWS credentials found" };
            assert!(
                output.status.code() == Some(1) && text.contains(expected) && text.contains("AWS_PROFILE"),
                "{text}"
            );
            let is_table = arguments[0] == "doctor";
            assert!(is_table || text.lines().count() == 1, "{arguments:?}: {text}");
        }
    }
}

#[test]
fn a_missing_queue_is_one_line_with_the_option_and_the_variable() {
    for (arguments, expected) in [
        (&["listen"][..], "give --queue-url URL, or set QUEUE_URL"),
        (&["redrive"], "give --from URL, or set QUARANTINE_QUEUE_URL"),
        (&["redrive", "--from", "http://127.0.0.1:9/0/quarantine"], "give --to URL, or set QUEUE_URL"),
    ] {
        for value in [None, Some(""), Some(" \n")] {
            let mut command = voicehook();
            value.map(|value| command.env("QUEUE_URL", value));
            let output = command.args(arguments).output().unwrap();
            let text = printed(&output);
            assert!(output.status.code() == Some(1) && text.contains(expected) && text.lines().count() == 1, "{text}");
        }
    }
}

#[test]
fn dev_listens_on_a_port_alone() {
    for address in ["0", ":0", "localhost:0", "[::1]:0"] {
        let output = voicehook().args(["dev", "--once", "--listen", address]).output().unwrap();
        let text = printed(&output);
        let host = if address.starts_with('[') { "[::1]" } else { "127.0.0.1" };
        assert!(output.status.success() && text.contains(&format!("http://{host}:")), "{text}");
    }
    for wrong in ["example.com:3000", "70000", "localhost"] {
        let output = voicehook().args(["dev", "--listen", wrong]).output().unwrap();
        let text = printed(&output);
        assert!(output.status.code() == Some(2) && text.contains("expected a port, such as 3000"), "{text}");
    }
}

#[test]
fn an_empty_variable_is_one_that_is_not_set_and_white_space_around_one_does_not_count() {
    let mut command = voicehook();
    for name in ["ENABLEX_APP_ID", "QUARANTINE_QUEUE_URL", "EVENT_FORMAT", "WEBHOOK_TOKEN", "VOICEHOOK_INSPECT_TOKEN"] {
        command.env(name, "");
    }
    let text = printed(&command.args(["dev", "--once", "--listen", "0"]).output().unwrap());
    assert!(text.contains("9 of 9 events reached the queue") && !text.contains("quarantine"), "{text}");
    let mut command = voicehook();
    command
        .env("ENABLEX_APP_ID", " my-app-id\n")
        .env("WEBHOOK_TOKEN", " 0123456789abcdef\n")
        .env("EVENT_FORMAT", " raw ");
    let text = printed(&command.args(["dev", "--once", "--listen", "0"]).output().unwrap());
    assert!(text.contains("9 of 9 events reached the queue"), "{text}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_dev_while_a_request_is_incomplete() {
    let dev = Dev::start();
    let address = dev.url.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
    let mut sender = TcpStream::connect(address).unwrap();
    sender.write_all(b"POST /webhook HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{").unwrap();
    // Answered later than the other one was accepted.
    assert!(voicehook().args(["trigger", "connected", "--url", &dev.url]).status().unwrap().success());
    assert_eq!(dev.interrupt().code(), Some(0));
}

#[test]
fn dev_once_ends_with_1_where_events_are_answered_with_200_but_are_in_quarantine() {
    let mut command = voicehook();
    command.args(["dev", "--once", "--quarantine", "--listen", "127.0.0.1:0"]).env("ALLOWED_ALGORITHMS", "aes-128-cbc");
    let output = command.output().unwrap();
    let text = printed(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("quarantine: in memory") && text.contains("0 of 9 events reached the queue"), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("quarantined  malformed")).count(), 9, "{text}");
}

#[test]
fn dev_answers_with_the_actions_of_the_variable_where_there_is_a_token() {
    let actions = r#"{"call.connected":{"play":{"text":"hello"}}}"#;
    for (token, answer) in [("", "{}"), ("0123456789abcdef", r#"{"play":{"text":"hello"},"voice_id":"v-1"}"#)] {
        let dev = Dev::start_with(voicehook().env("ACTIONS", actions).env("WEBHOOK_TOKEN", token));
        let mut trigger = voicehook();
        trigger.args(["trigger", "connected", "--voice-id", "v-1", "--json", "--url", &dev.url]);
        let output = trigger.output().unwrap();
        assert!(output.status.success(), "{}", printed(&output));
        let sent: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let expected: serde_json::Value = serde_json::from_str(answer).unwrap();
        assert_eq!((&sent["answer"], &sent["kept"]), (&expected, &true.into()), "{token}");
    }
}

#[test]
fn the_curl_line_that_dev_prints_and_trigger_both_reach_the_queue() {
    let dev = Dev::start();
    let curl = dev.lines.iter().find(|line| line.trim_start().starts_with("curl ")).unwrap();
    if Command::new("curl").arg("--version").output().is_ok() {
        let output = Command::new("sh").args(["-c", curl.trim()]).output().unwrap();
        assert!(printed(&output).starts_with("HTTP/1.1 200 OK"), "{}", printed(&output));
    }
    assert!(dev.lines.iter().any(|line| line.trim() == format!("voicehook trigger disconnected --url {}", dev.url)));
    for event in ["disconnected", "play.digitcollected"] {
        let output = voicehook().args(["trigger", event, "--url", &dev.url, "--format", "base64"]).output().unwrap();
        assert!(output.status.success() && printed(&output).contains("answered  200"), "{}", printed(&output));
    }
    let output = voicehook().args(["trigger", "hold", "--url", &dev.url, "--app-id", "another"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(printed(&output).contains("answered  400") && !printed(&output).contains("kept"), "{}", printed(&output));
}

#[test]
fn a_port_that_is_taken_is_named_with_the_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = voicehook().args(["dev", "--listen", &address]).output().unwrap();
    let text = printed(&output);
    assert!(!output.status.success() && text.contains(&address) && text.contains("--listen"), "{text}");
}

#[test]
fn trigger_names_the_events_that_there_are_and_says_when_nobody_listens() {
    let list = printed(&voicehook().args(["trigger", "--list"]).output().unwrap());
    let unknown = voicehook().args(["trigger", "conected"]).output().unwrap();
    assert!(!unknown.status.success());
    for event in list.lines().map(|line| line.split_whitespace().next().unwrap()) {
        assert!(printed(&unknown).contains(event), "{event}");
    }
    let nobody = voicehook().args(["trigger", "connected", "--url", "http://127.0.0.1:9/webhook"]).output().unwrap();
    assert!(!nobody.status.success() && printed(&nobody).contains("Is the receiver running"), "{}", printed(&nobody));
}

/// Every command, as the tool's own help lists them.
fn commands() -> Vec<String> {
    let help = printed(&voicehook().arg("--help").output().unwrap());
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let names =
        list.lines().take_while(|line| line.starts_with("  ")).filter_map(|line| line.split_whitespace().next());
    let names: Vec<String> = names.map(str::to_owned).filter(|name| name != "help").collect();
    assert!(names.len() >= 8, "{help}");
    names
}

#[test]
fn every_command_has_help_with_examples_that_call_it_by_its_name() {
    let own = printed(&voicehook().arg("--help").output().unwrap());
    for command in commands() {
        let output = voicehook().args([&command, "--help"]).output().unwrap();
        let help = printed(&output);
        assert!(output.status.success(), "{help}");
        let (_, examples) =
            help.split_once("Examples:\n").unwrap_or_else(|| panic!("{command} has no examples: {help}"));
        assert!(examples.contains(&format!("voicehook {command}")), "{command}: {examples}");
        let is_taught = command == "dev" || command == "completions" || command == "man";
        assert!(is_taught || own.contains(&format!("  voicehook {command} ")), "{command}: {own}");
    }
}

#[test]
fn the_completions_for_bash_complete_commands_and_options() {
    let script = voicehook().args(["completions", "bash"]).output().unwrap();
    assert!(script.status.success() && script.stderr.is_empty());
    let complete = |words: &str, last: usize| {
        let ask = format!(
            "source /dev/stdin && complete -p voicehook >&2 && COMP_WORDS=({words}) COMP_CWORD={last} && \
             _voicehook voicehook \"${{COMP_WORDS[{last}]}}\" \"${{COMP_WORDS[{last}-1]}}\" && echo \"${{COMPREPLY[@]}}\""
        );
        let output = given(Command::new("bash").args(["--norc", "-c", &ask]), &script.stdout);
        assert!(output.status.success(), "{}", printed(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(complete("voicehook de", 1).split_whitespace().any(|word| word == "decrypt"));
    assert!(complete("voicehook doctor --st", 2).contains("--stack"));
    assert!(complete("voicehook decrypt --as h", 3).contains("har"));
    for event in ["connected", "call.connected", "digitcollected", "play.digitcollected", "old.incomingcall"] {
        let words = complete(&format!("voicehook trigger {}", &event[..event.len() - 2]), 2);
        assert!(words.split_whitespace().any(|word| word == event), "{event}: {words}");
    }
}

#[test]
fn there_are_completions_for_each_shell_and_the_shells_that_are_here_take_them() {
    for (shell, check) in [
        ("bash", &["bash", "-n"][..]),
        ("zsh", &["zsh", "-n"]),
        ("fish", &["fish", "--no-execute"]),
        ("powershell", &[]),
        ("elvish", &["elvish", "-compileonly"]),
    ] {
        let script = voicehook().args(["completions", shell]).output().unwrap();
        assert!(script.status.success(), "{shell}");
        let text = String::from_utf8(script.stdout.clone()).unwrap();
        assert!(commands().iter().all(|command| text.contains(command)), "{shell}");
        let Some((program, arguments)) = check.split_first() else { continue };
        if Command::new(program).arg("--version").output().is_ok() {
            let file = format!("{}/completions-{}.{shell}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
            std::fs::write(&file, &script.stdout).unwrap();
            let output = Command::new(program).args(arguments).arg(&file).output().unwrap();
            std::fs::remove_file(file).unwrap();
            assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {}", printed(&output));
        }
    }
    let unknown = voicehook().args(["completions", "tcsh"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
    assert!(printed(&unknown).contains("bash"), "{}", printed(&unknown));
}

#[test]
fn there_is_a_manual_page_of_the_tool_and_of_each_command() {
    let has_man = Command::new("man").arg("--version").output().is_ok();
    for command in std::iter::once(None).chain(commands().into_iter().map(Some)) {
        let output = voicehook().arg("man").args(&command).output().unwrap();
        let page = String::from_utf8(output.stdout.clone()).unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{command:?}");
        let title = command.as_ref().map_or("voicehook".to_owned(), |name| format!("voicehook\\-{name}"));
        assert!(page.to_lowercase().contains(&format!(".sh name\n{title}")), "{command:?}: {page}");
        for section in [".TH", ".SH SYNOPSIS", ".SH DESCRIPTION", ".SH OPTIONS", "Examples:"] {
            assert!(page.contains(section), "{command:?} has no {section}: {page}");
        }
        if has_man {
            let output =
                given(Command::new("man").args(["--warnings", "-l", "-"]).env("MANPAGER", "cat"), &output.stdout);
            assert!(output.status.success() && output.stderr.is_empty(), "{command:?}: {}", printed(&output));
        }
    }
    let unknown = voicehook().args(["man", "decript"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(1));
    assert!(printed(&unknown).contains("there are: dev, trigger"), "{}", printed(&unknown));
}

#[test]
fn a_reader_that_has_gone_away_is_no_error() {
    for arguments in [
        &["--help"][..],
        &["decrypt", "--help"],
        &["completions", "bash"],
        &["man"],
        &["trigger", "--list"],
        &["trigger", "scenario", "--list"],
        &["decrypt", "events/queued-connected.json", "--app-id", "voicehook-dev"],
        &["decrypt", "events/queued-connected.json", "--app-id", "voicehook-dev", "--json"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = voicehook();
        command
            .args(arguments)
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .stdout(writer)
            .stderr(Stdio::piped());
        let output = command.spawn().unwrap().wait_with_output().unwrap();
        assert_eq!((output.status.code(), printed(&output).as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn ctrl_c_ends_the_receiver_on_its_terminal_without_an_error() {
    let mut command = voicehook();
    command.args(["dev", "--listen", "127.0.0.1:0"]);
    let Some(mut terminal) = typing(&command, 80, "Ctrl-C ends", "\\x03") else { return };
    let output = terminal.output().unwrap();
    let shown = printed(&output);
    assert_eq!(output.status.code(), Some(0), "{shown:?}");
    assert!(!shown.contains("panicked") && !shown.contains("voicehook: "), "{shown:?}");
}

#[test]
fn help_fits_the_terminal_and_examples_fit_a_line() {
    for command in commands() {
        let mut help = voicehook();
        help.args([&command, "--help"]).env("NO_COLOR", "1");
        let Some(mut terminal) = typing(&help, 80, "", "") else { return };
        let shown = printed(&terminal.output().unwrap());
        let shown = shown.replace('\r', "");
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
        let (_, examples) = shown.split_once("Examples:\n").unwrap();
        let examples: Vec<&str> = examples.lines().take_while(|line| !line.is_empty()).collect();
        assert!(examples.iter().all(|line| line.starts_with("  ")), "{examples:?}");
    }
}

#[test]
fn help_is_coloured_on_a_terminal_and_neither_in_a_pipe_nor_with_no_color() {
    let mut command = voicehook();
    command.args(["doctor", "--help"]);
    assert!(!printed(&command.output().unwrap()).contains('\u{1b}'));
    for (no_color, coloured) in [("", true), ("1", false)] {
        let Some(mut terminal) = typing(command.env("NO_COLOR", no_color), 80, "", "") else { return };
        let shown = printed(&terminal.output().unwrap());
        assert!(shown.contains("--stack") && shown.contains("\u{1b}[") == coloured, "{shown:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_an_error_and_a_reader_that_goes_away_is_not() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = voicehook().args(["trigger", "--list"]).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(printed(&output).contains("the output could not be written"), "{}", printed(&output));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = voicehook().args(["trigger", "--list"]).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success() && printed(&output).is_empty(), "{}", printed(&output));
}
