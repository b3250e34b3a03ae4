use super::*;

fn vault() -> Vault {
    Vault::new(&StoreKey::generate().unwrap()).unwrap()
}

#[test]
fn a_value_opens_only_in_its_own_row_and_for_its_own_purpose() {
    let vault = vault();
    let sealed = vault.seal(Purpose::Contact, "KATA-2026-0001", &Plaintext::from_text("eve@example.org")).unwrap();
    assert!(!sealed.as_bytes().windows(3).any(|w| w == b"eve"));
    let open = |purpose, row| vault.unseal(purpose, row, sealed.clone()).map(|p| p.expose().to_vec());
    assert_eq!(open(Purpose::Contact, "KATA-2026-0001").unwrap(), b"eve@example.org");
    assert!(matches!(open(Purpose::Contact, "KATA-2026-0002"), Err(VaultError::DoesNotOpen)));
    assert!(matches!(open(Purpose::Subject, "KATA-2026-0001"), Err(VaultError::DoesNotOpen)));
}

#[test]
fn a_value_does_not_open_with_another_store_key_or_a_changed_bit() {
    let vault = vault();
    let sealed = vault.seal(Purpose::Mail, "m", &Plaintext::from_text("text")).unwrap();
    assert!(self::vault().unseal(Purpose::Mail, "m", sealed.clone()).is_err());
    for position in 0..sealed.as_bytes().len() {
        let mut bytes = sealed.as_bytes().to_vec();
        bytes[position] ^= 1;
        assert!(vault.unseal(Purpose::Mail, "m", AtRest::from_store(bytes)).is_err(), "bit in octet {position}");
    }
    assert!(vault.unseal(Purpose::Mail, "m", AtRest::from_store(Vec::new())).is_err());
}

#[test]
fn digests_of_lists_cannot_be_confused_and_differ_between_stores() {
    let vault = vault();
    assert_ne!(vault.digest(Lookup::Content, &[b"ab", b"c"]), vault.digest(Lookup::Content, &[b"a", b"bc"]));
    assert_ne!(vault.digest(Lookup::Content, &[b"a"]), vault.digest(Lookup::Payload, &[b"a"]));
    assert_eq!(vault.address_digest("Eve@Example.org"), vault.address_digest("eve@example.org "));
    assert_ne!(vault.address_digest("eve@example.org"), self::vault().address_digest("eve@example.org"));
}

#[test]
fn a_message_id_is_the_same_for_a_repeated_delivery_and_another_for_each_generation() {
    let vault = vault();
    let (case, mail) = ("KATA-2026-0001", MailId::from_random([7; 16]));
    let first = vault.message_id(case, &mail, "copy", 0, "example.org");
    assert_eq!(first, vault.message_id(case, &mail, "copy", 0, "example.org"));
    assert_ne!(first, vault.message_id(case, &mail, "copy", 1, "example.org"));
    assert!(!first.as_str().contains("2026"));
}
