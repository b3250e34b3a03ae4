use super::super::super::opened::Label;
use super::*;

fn section(label: Label, entity: &str) -> Section {
    Section { label, entity: Plaintext::from_text(entity) }
}

fn mail(parts: &[String]) -> String {
    let parts: String = parts.iter().map(|part| format!("--b\r\n{part}\r\n")).collect();
    format!("Subject: s\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{parts}--b--\r\n")
}

fn text(words: &str) -> String {
    format!("Content-Type: text/plain\r\n\r\n{words}")
}

fn attachment(name: &str, octets: usize) -> String {
    use base64::Engine;
    let body = base64::engine::general_purpose::STANDARD.encode(vec![b'x'; octets]);
    format!(
        "Content-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment; filename=\"{name}\"\r\n\r\n{body}"
    )
}

fn reduce(sections: &[Section]) -> Reduced {
    without_large_parts(sections, &Limits::default()).unwrap()
}

fn shown(reduced: &Reduced) -> String {
    let entities = reduced.sections.iter().map(|section| String::from_utf8_lossy(section.entity.expose()).into_owned());
    entities.collect()
}

#[test]
fn text_and_small_parts_stay_and_a_large_attachment_is_listed() {
    let mail =
        mail(&[text("the overflow is in parse()"), attachment("small.zip", 500), attachment("core.zip", 300_000)]);
    let reduced = reduce(&[section(Label::Main, &mail)]);
    let shown = shown(&reduced);
    assert!(shown.contains("the overflow is in parse()") && shown.contains("small.zip"));
    assert!(shown.len() < 5_000 && !shown.contains("core.zip"));
    let hash = hex::encode(digest(&SHA256, &vec![b'x'; 300_000]));
    assert_eq!(reduced.left_out, [format!("Left out: core.zip (application/zip), 300000 octets, SHA-256 {hash}")]);
}

#[test]
fn the_kept_parts_are_still_parts_of_their_own() {
    let mail = mail(&[text("one"), attachment("core.zip", 300_000), text("two")]);
    let reduced = reduce(&[section(Label::Main, &mail)]);
    let bytes = reduced.sections[0].entity.expose();
    let limits = Limits::default();
    let entity = parse(bytes, 0..bytes.len(), 0, &mut Bounds { limits: &limits, parts: 0 }).unwrap();
    let bodies: Vec<_> = entity.children.iter().map(|child| child.body_of(bytes)).collect();
    assert_eq!(bodies, [b"one", b"two"]);
}

#[test]
fn a_mail_without_anything_large_stays_byte_for_byte() {
    let mail = mail(&[text("one"), attachment("a.zip", 1000)]);
    let reduced = reduce(&[section(Label::Unencrypted, &mail)]);
    assert_eq!(shown(&reduced), mail);
    assert_eq!(reduced.sections[0].label, Label::Unencrypted);
    assert!(reduced.left_out.is_empty());
}

#[test]
fn many_small_parts_do_not_add_up_to_a_large_mail() {
    let mail = mail(&(0..100).map(|n| attachment(&format!("{n}.zip"), 40_000)).collect::<Vec<_>>());
    let reduced = reduce(&[section(Label::Main, &mail)]);
    assert!(shown(&reduced).len() < KEPT + 10_000);
    assert!(reduced.left_out.len() > 70);
}

#[test]
fn a_name_in_the_list_cannot_look_like_the_gateways_own_line() {
    let mail = mail(&[attachment("x\u{202e}\u{7} Case: KATA-2026-0001", 300_000)]);
    let reduced = reduce(&[section(Label::Main, &mail)]);
    assert!(reduced.sections.is_empty());
    let line = &reduced.left_out[0];
    assert!(line.starts_with("Left out: ") && !line.contains("Case:") && !line.contains(char::is_control), "{line}");
}
