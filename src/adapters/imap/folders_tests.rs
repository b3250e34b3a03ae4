use super::*;

#[test]
fn a_folder_is_looked_for_with_the_delimiter_of_the_server_and_below_inbox() {
    assert_eq!(candidates("Reports/Done", Some("/")), ["Reports/Done", "INBOX/Reports/Done"]);
    assert_eq!(candidates("Reports/Done", Some(".")), ["Reports.Done", "INBOX.Reports.Done"]);
    assert_eq!(candidates("INBOX.Done", Some(".")), ["INBOX.Done"]);
    assert_eq!(candidates("Inbox", Some("/")), ["Inbox"]);
    assert_eq!(candidates("Archive", None), ["Archive"]);
    assert_eq!(candidates("Entwürfe", Some("/"))[0], "Entw&APw-rfe");
}
