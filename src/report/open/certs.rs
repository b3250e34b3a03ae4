//! Certificates: those a signature may have been made by, and those that a mail brings along.
//!
//! Security: a certificate out of a mail proves nothing about who wrote it. It is used to say that a signature is
//! consistent, marked as first seen, and never takes the place of a configured one, not even to renew it. Number and size
//! are bounded, since certificates can be flooded with signatures. A secret key in a mail is recognised and dropped.

use super::super::keyring::Keyring;
use super::super::opened::Enclosed;
use super::super::verdict::KeyOrigin;
use sequoia_openpgp as openpgp;

use openpgp::Cert;
use openpgp::cert::CertParser;
use openpgp::parse::Parse;

/// Octets of one key attachment; larger ones are left as attachments.
const MAX_KEY_DATA: usize = 1024 * 1024;

/// A certificate that a signature may have been made by.
pub(super) struct Candidate<'c> {
    pub cert: &'c Cert,
    pub origin: KeyOrigin,
    /// [`super::super::keyring::Member::id`], if it is a current member's.
    pub member: Option<String>,
}

/// All candidates, the configured ones first.
pub(super) fn candidates<'c>(
    keyring: &'c Keyring,
    case_key: Option<&'c Cert>,
    enclosed: &'c [Enclosed],
) -> Vec<Candidate<'c>> {
    let of = |origin| move |cert| Candidate { cert, origin, member: None };
    let configured = |cert: &Cert| {
        let print = cert.fingerprint();
        keyring.members.iter().any(|member| member.cert.fingerprint() == print)
            || keyring.is_gateway(&print)
            || keyring.known.iter().chain(case_key).any(|known| known.fingerprint() == print)
    };
    let members = keyring.members.iter().map(|member| Candidate {
        cert: &member.cert,
        origin: KeyOrigin::Configured,
        member: Some(member.id()),
    });
    members
        .chain(keyring.gateway.iter().map(|key| &key.cert).map(of(KeyOrigin::Configured)))
        .chain(keyring.known.iter().map(of(KeyOrigin::Configured)))
        .chain(case_key.iter().copied().map(of(KeyOrigin::Case)))
        // A copy that came by mail must not renew a configured certificate that has expired.
        .chain(
            enclosed
                .iter()
                .map(|enclosed| &enclosed.cert)
                .filter(move |cert| !configured(cert))
                .map(of(KeyOrigin::FirstSeen)),
        )
        .collect()
}

/// What key data in a mail holds.
#[derive(Default)]
pub(super) struct KeyData {
    pub certs: Vec<Cert>,
    /// Whether there is a secret key in it.
    pub secret: bool,
}

/// Reads certificates, armored or binary, at most `max`; secret parts are dropped.
pub(super) fn read_keys(data: &[u8], max: usize) -> KeyData {
    let mut found = KeyData::default();
    if data.len() > MAX_KEY_DATA {
        return found;
    }
    let Ok(parser) = CertParser::from_bytes(data) else { return found };
    for cert in parser.take(max).flatten() {
        found.secret |= cert.is_tsk();
        found.certs.push(cert.strip_secret_key_material());
    }
    found
}

/// The certificate of an Autocrypt header's value (Autocrypt 1.1 section 2.1).
pub(super) fn read_autocrypt(value: &str) -> Option<Cert> {
    if value.len() > MAX_KEY_DATA {
        return None;
    }
    let unfolded: String = value.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let headers =
        sequoia_autocrypt::AutocryptHeaders::from_bytes(format!("Autocrypt: {}\n\n", unfolded.trim()).as_bytes())
            .ok()?;
    headers.headers.into_iter().next()?.key.map(|cert| cert.strip_secret_key_material())
}

/// Lower-cased addresses of a certificate's user IDs that are not revoked by their owner.
pub(super) fn addresses(cert: &Cert) -> Vec<String> {
    cert.userids()
        .filter(|id| id.self_revocations().next().is_none())
        .filter_map(|id| id.userid().email().ok().flatten().map(str::to_lowercase))
        .collect()
}

/// Whether a certificate from a mail claims an address of somebody whose certificate is already known to be another one.
pub(super) fn replaces_known(cert: &Cert, keyring: &Keyring, case_key: Option<&Cert>) -> bool {
    let print = cert.fingerprint();
    let known = keyring
        .members
        .iter()
        .map(|member| (&member.cert, Some(member.id())))
        .chain(keyring.known.iter().chain(case_key).map(|cert| (cert, None)))
        .collect::<Vec<_>>();
    if known.iter().any(|(other, _)| other.fingerprint() == print) {
        return false;
    }
    let claimed = addresses(cert);
    known.iter().any(|(other, address)| {
        addresses(other).into_iter().chain(address.clone()).any(|known| claimed.contains(&known))
    })
}
