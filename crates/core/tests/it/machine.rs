//! What all machines share: the envelope of a command, and when an alarm moves.

use farebox_core::machine::{Alarm, Decision, Envelope, VERSION};

fn read(text: &str) -> Result<String, String> {
    let envelope = serde_json::from_str::<Envelope<String>>(text);
    envelope.map(|envelope| envelope.command).map_err(|error| error.to_string())
}

#[test]
fn a_command_is_read_as_it_was_sent() {
    let sent = serde_json::to_string(&Envelope::of("look".to_owned())).unwrap();
    assert_eq!(sent, r#"{"v":1,"command":"look"}"#);
    assert_eq!(read(&sent).unwrap(), "look");
    for name in ["instruction", "view"] {
        assert_eq!(read(&format!(r#"{{"v":1,"{name}":"look"}}"#)).unwrap(), "look");
    }
}

#[test]
fn a_message_of_another_version_is_refused() {
    for v in [0, VERSION + 1, 255] {
        let error = read(&format!(r#"{{"v":{v},"command":"look"}}"#)).unwrap_err();
        assert!(error.contains("a message of another version"), "{error}");
    }
    for text in [r#"{"command":"look"}"#, r#"{"v":1}"#, r#"{"v":256,"command":"look"}"#] {
        assert!(read(text).is_err(), "{text}");
    }
}

#[test]
fn a_reply_is_an_answer_without_writes() {
    let decision: Decision<String, u8> = Decision::reply("no");
    assert_eq!(decision, Decision { answer: "no".to_owned(), changes: Vec::new() });
}

#[test]
fn an_alarm_moves_only_earlier() {
    let mut alarm = Alarm::UNKNOWN;
    assert_eq!(alarm.advance(None, 1_000, 0), None);
    assert_eq!(alarm.advance(Some(9_000), 1_000, 0), Some(9_000));
    // It is set: for the same and for later there is nothing to do.
    assert_eq!(alarm.advance(Some(9_000), 1_000, 0), None);
    assert_eq!(alarm.advance(Some(9_001), 1_000, 0), None);
    assert_eq!(alarm.advance(Some(8_999), 1_000, 0), Some(8_999));
}

/// An alarm that this instance has not set.
fn unset() -> Alarm {
    Alarm::UNKNOWN
}

#[test]
fn what_is_due_already_waits_for_the_pause() {
    assert_eq!(unset().advance(Some(400), 1_000, 0), Some(1_000));
    assert_eq!(unset().advance(Some(1_000), 1_000, 500), Some(1_500));
    // What is due soon does not wait for it.
    assert_eq!(unset().advance(Some(1_001), 1_000, 500), Some(1_001));
}

#[test]
fn an_alarm_that_did_not_ring_is_set_again() {
    let mut alarm = Alarm::UNKNOWN;
    assert_eq!(alarm.advance(Some(5_000), 1_000, 0), Some(5_000));
    assert_eq!(alarm.advance(Some(5_000), 34_999, 0), None);
    assert_eq!(alarm.advance(Some(5_000), 35_000, 1_000), Some(36_000));
}
