use super::*;

fn played(members: usize) -> (tempfile::TempDir, Folder, Vec<u8>) {
    let root = tempfile::tempdir().unwrap();
    let folder = Folder::make(Some(&root.path().join("demo")), members).unwrap();
    let mut out = Vec::new();
    tour(&mut Screen::new(&mut out), &folder).unwrap();
    (root, folder, out)
}

#[test]
fn one_member_is_a_team_too() {
    let (_root, _folder, out) = played(1);
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("Nobody else opens it: 1 attempt"), "{text}");
    assert!(text.contains("All steps went as they should."), "{text}");
}

#[test]
fn something_readable_in_the_state_or_in_a_draft_is_a_surprise() {
    let (_root, folder, _) = played(1);
    disk::search(&mut Screen::new(&mut Vec::new()), &folder).unwrap();
    for (place, leak) in [
        ("state/leak", letters::SIGNED.canary.to_owned()),
        ("state/spool/leak", hex::encode(letters::CLEAR.canary)),
        ("drafts/leak", "TO: RITA@REPORTER.EXAMPLE".to_owned()),
        ("drafts/leak", folder.reporter.cert.fingerprint().to_hex()),
    ] {
        let file = folder.path.join(place);
        std::fs::write(&file, leak).unwrap();
        let error = disk::search(&mut Screen::new(&mut Vec::new()), &folder).unwrap_err();
        assert!(error.to_string().starts_with("surprise: "), "{error}");
        std::fs::remove_file(file).unwrap();
    }
}

#[test]
fn a_copy_that_does_not_open_with_its_members_key_is_a_surprise() {
    let root = tempfile::tempdir().unwrap();
    let mut folder = Folder::make(Some(root.path()), 2).unwrap();
    // Bob's mail program has lost his key.
    folder.members[1].cert = Person::new("Bob", "bob@kestrel.example").unwrap().cert;
    let error = tour(&mut Screen::new(&mut Vec::new()), &folder).unwrap_err();
    assert!(error.to_string().starts_with("surprise: ") && error.to_string().contains("Bob"), "{error:#}");
}

#[test]
fn a_copy_that_was_not_signed_by_the_gateway_is_a_surprise() {
    let root = tempfile::tempdir().unwrap();
    let mut folder = Folder::make(Some(root.path()), 1).unwrap();
    for (index, letter) in reports::FIRST_ROUND.into_iter().enumerate() {
        folder.reporter_sends(index, letter, None).unwrap();
    }
    folder.run_gateway().unwrap();
    assert!(Copies::open(&folder, &folder.members[0]).is_ok());
    folder.gateway = Person::new("Somebody Else", "security@kestrel.example").unwrap().cert;
    let error = Copies::open(&folder, &folder.members[0]).err().unwrap();
    assert!(error.to_string().contains("signature"), "{error:#}");
}

#[test]
fn a_hundred_members_have_names_and_addresses_of_their_own() {
    let members: Vec<_> = (0..100).map(|index| Person::member(index).unwrap()).collect();
    let names: std::collections::BTreeSet<_> = members.iter().map(|member| &member.name).collect();
    let addresses: std::collections::BTreeSet<_> = members.iter().map(|member| &member.address).collect();
    assert_eq!((names.len(), addresses.len()), (100, 100));
}
