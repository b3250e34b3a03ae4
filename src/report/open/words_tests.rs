use super::*;

#[test]
fn neighbours_of_one_kind_are_joined_and_others_stay_apart() {
    assert_eq!(joined("=?utf-8?B?R3LD?= =?UTF-8?B?vMOfZQ==?="), "=?utf-8?B?R3LDvMOfZQ==?=");
    assert_eq!(joined("=?utf-8?Q?a=C3?=\r\n =?utf-8?Q?=BC?= b"), "=?utf-8?Q?a=C3=BC?= b");
    for apart in
        ["=?utf-8?Q?a?= and =?utf-8?Q?b?=", "=?utf-8?Q?a?= =?utf-8?B?Yg==?=", "=?x =? =?utf-8?Q?a?=", "=?", "=?a?b?="]
    {
        assert_eq!(joined(apart), apart);
    }
}

#[test]
fn a_field_of_nothing_but_words_takes_no_long_time() {
    let start = std::time::Instant::now();
    for many in ["=?utf-8?Q?a?= ".repeat(100_000), "=?".repeat(500_000), "=?a?q?".repeat(20_000)] {
        assert!(!joined(&many).is_empty());
    }
    assert!(start.elapsed() < std::time::Duration::from_secs(20));
}
