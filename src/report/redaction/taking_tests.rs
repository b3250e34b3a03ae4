use super::*;
use proptest::prelude::*;
use std::time::{Duration, Instant};

fn taken_out(text: &str) -> (String, Duration) {
    let mut identity = Identity::new();
    identity.add_name("Eve Mallory");
    identity.compile().unwrap();
    let begun = Instant::now();
    let taken = take_out(clean(text), &identity, &mut BTreeMap::new()).unwrap();
    (taken.to_string(), begun.elapsed())
}

#[test]
fn one_long_word_full_of_names_takes_no_longer_than_many_words() {
    let (words, many) = taken_out(&"Mallory ".repeat(10_000));
    let (word, one) = taken_out(&"Mallory-".repeat(10_000));
    assert!(!words.contains("Mallory") && !word.contains("Mallory"));
    assert!(one < many * 10 + Duration::from_secs(1), "one word took {one:?}, many took {many:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A link goes from the blank before it to the blank behind it, and what stands beside it stays.
    #[test]
    fn a_link_with_a_name_goes_as_a_whole(before in "[a-z]{1,9}", host in "[a-z]{3,9}", path in "[a-z/]{0,9}", after in "[a-z]{1,9}") {
        let (left, _) = taken_out(&format!("{before} https://{host}.example/mallory/{path} {after}\n"));
        let links = left.chars().filter(|c| is_private_use(*c)).count();
        prop_assert_eq!((left.split(' ').count(), links), (3, 1), "{}", left);
        prop_assert!(left.starts_with(&format!("{before} ")) && left.trim_end().ends_with(&format!(" {after}")), "{}", left);
        prop_assert!(!left.contains("example"), "{}", left);
    }
}
