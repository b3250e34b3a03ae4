//! What tests of the store need: keys, mails, cases and rows.

use embargod::report::*;
use embargod::store::*;
use jiff::Timestamp;

pub(crate) fn gateway_key() -> NewKey {
    generate_key("Kata Containers VMT <vmt@katacontainers.example>", None, None).unwrap()
}

/// The first key is active, the others decrypt.
pub(crate) fn keyring(keys: &[&NewKey]) -> Keyring {
    let until = jiff::civil::date(2999, 12, 31);
    let keys = keys.iter().enumerate().map(|(index, key)| {
        let usage = if index == 0 { KeyUse::Active } else { KeyUse::DecryptOnly { until } };
        GatewayKey::read(&Plaintext::new(key.secret.to_vec()), None, usage).unwrap().remove(0)
    });
    Keyring::new(keys.collect(), Vec::new(), Vec::new()).map_err(|(_, error)| error).unwrap()
}

pub(crate) fn vault() -> Vault {
    Vault::new(&StoreKey::generate().unwrap()).unwrap()
}

pub(crate) fn new_mail_id(vault: &Vault) -> MailId {
    MailId::from_random(vault.random().unwrap())
}

pub(crate) fn owner(vault: &Vault) -> Owner {
    Owner::from_random(vault.random().unwrap())
}

pub(crate) fn later(now: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_millisecond(now.as_millisecond() + seconds * 1000).unwrap()
}

pub(crate) fn sealed(vault: &Vault, purpose: Purpose, row: &str, text: &[u8]) -> AtRest {
    vault.seal(purpose, row, &Plaintext::new(text.to_vec())).unwrap()
}

/// A mail found at a place named after its own id.
pub(crate) fn arrived(vault: &Vault, id: &MailId, text: &[u8], received: Timestamp) -> NewMail {
    arrived_at(vault, id, id.as_str(), text, received)
}

pub(crate) fn arrived_at(vault: &Vault, id: &MailId, place: &str, text: &[u8], received: Timestamp) -> NewMail {
    NewMail {
        id: id.clone(),
        source: vault.digest(Lookup::Source, &[place.as_bytes()]),
        content: vault.digest(Lookup::Content, &[text]),
        received,
        size: text.len() as u64,
        sealed: sealed(vault, Purpose::Mail, id.as_str(), text),
        origin: Origin::Intake,
    }
}

/// Stores a mail and opens it, without a case.
pub(crate) async fn opened_mail(store: &Store, vault: &Vault) -> MailId {
    let now = store.now().await.unwrap();
    let id = new_mail_id(vault);
    store.take_in(&[arrived(vault, &id, id.as_str().as_bytes(), now)]).await.unwrap();
    let handed = store.begin_opening(1, u64::MAX).await.unwrap().remove(0);
    assert_eq!(handed.id, id);
    let mut tx = store.begin().await.unwrap();
    tx.settle_mail(&opened(vault, &handed, None)).await.unwrap();
    tx.commit().await.unwrap();
    id
}

pub(crate) fn opened<'a>(vault: &Vault, mail: &'a StoredMail, case: Option<&'a CaseId>) -> Settlement<'a> {
    Settlement {
        mail: &mail.id,
        fence: mail.fence,
        class: Class::Report,
        case,
        facts: Some(sealed(vault, Purpose::Facts, mail.id.as_str(), b"{}")),
        state: MailState::Opened,
    }
}

pub(crate) fn new_case(vault: &Vault, case: &CaseId, opened: Timestamp) -> NewCase {
    let id = case.to_string();
    NewCase {
        id: case.clone(),
        opened,
        contact: Some(sealed(vault, Purpose::Contact, &id, b"eve@example.net\nEve")),
        contact_digest: Some(vault.address_digest("eve@example.net")),
        answer_key: None,
        answer_key_confirmed: false,
        answers_held: false,
        subject: sealed(vault, Purpose::Subject, &id, b"heap overflow"),
        encryption: Encryption::Complete,
    }
}

pub(crate) fn row(vault: &Vault, mail: &MailId, kind: RowKind, recipient: Option<Digest>, due: Timestamp) -> NewRow {
    NewRow {
        id: RowId::from_random(vault.random().unwrap()),
        mail: mail.clone(),
        case: None,
        kind,
        generation: 0,
        recipient,
        state: RowState::Pending,
        why: None,
        due,
    }
}

/// Puts one row into the outbox, due now, and returns its name.
pub(crate) async fn enqueued(store: &Store, vault: &Vault, mail: &MailId, kind: RowKind, to: &str) -> RowId {
    let now = store.now().await.unwrap();
    let row = row(vault, mail, kind, Some(vault.address_digest(to)), now);
    let mut tx = store.begin().await.unwrap();
    assert!(tx.enqueue(&row, now).await.unwrap());
    tx.commit().await.unwrap();
    row.id
}
