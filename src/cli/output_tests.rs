use super::*;

fn plain(write: impl FnOnce(&mut dyn Write)) -> String {
    let mut stream = anstream::StripStream::new(Vec::new());
    write(&mut stream);
    String::from_utf8(stream.into_inner()).unwrap()
}

#[test]
fn columns_are_aligned_and_the_last_one_has_no_trailing_spaces() {
    let mut table = Table::new(["NAME", "STATE"]);
    table.row(["Zoë", "ok"]);
    table.tinted_row([(None, "Alexandra".into()), (Some(Tone::Bad), "expired".into())]);
    let text = plain(|out| table.write(out).unwrap());
    assert_eq!(text, "NAME       STATE\nZoë        ok\nAlexandra  expired\n");
}

#[test]
fn an_empty_table_writes_nothing() {
    assert_eq!(plain(|out| Table::new(["NAME"]).write(out).unwrap()), "");
}

#[test]
fn an_escape_sequence_in_a_name_never_reaches_the_terminal() {
    let mut raw = Vec::new();
    let mut table = Table::new(["NAME"]);
    table.row(["\u{1b}[2Jgone\u{202E}"]);
    table.write(&mut raw).unwrap();
    let text = String::from_utf8(raw).unwrap();
    assert!(!text.contains("\u{1b}[2J") && !text.contains('\u{202E}') && text.contains("gone"), "{text:?}");
}

#[test]
fn a_json_document_ends_with_its_line() {
    let text = plain(|out| json(out, &serde_json::json!({ "ok": true })).unwrap());
    assert_eq!(text, "{\n  \"ok\": true\n}\n");
}
