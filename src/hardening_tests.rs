use super::*;

const CHILD: &str = "EMBARGOD_TEST_PANICS";

/// Run again as a process of its own, since a hook is the whole process's.
#[test]
fn a_panic_says_where_it_was_and_not_what_it_met() {
    if std::env::var_os(CHILD).is_some() {
        keep_panics_quiet();
        let text = String::from("heap overflow, says è");
        let cut = std::panic::catch_unwind(|| text[..text.len() - 1].len());
        assert!(cut.is_err(), "it is cut in the middle of a letter");
        return;
    }
    let name = "hardening::tests::a_panic_says_where_it_was_and_not_what_it_met";
    let mut again = Command::new(std::env::current_exe().unwrap());
    let output = again.args([name, "--exact", "--nocapture"]).env(CHILD, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("a fault in the program at src/hardening_tests.rs:"), "{said}");
    assert!(!said.contains("overflow") && !said.contains("says"), "{said}");
}
