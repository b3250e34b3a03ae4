//! What a reporter gets at once: that the mail arrived, under which case number, and what happens to it; or how to encrypt.
//!
//! Security: nothing here depends on anything but the arguments, and none of them holds what only the secret key can know.
//! No word of the report goes in, not even its subject; the reporter's Message-ID does, if it is harmless. It goes to one
//! address with the null return path, so that it answers no robot twice and never loops (RFC 3834).

use super::armor::{Armor, ArmorWriter};
use super::case::{CaseId, OurMessageId};
use super::compose::{boundary, one_line, safe_message_id};
use super::keyring::Keyring;
use super::outgoing::OutgoingMail;
use super::pgp_mime::{
    HeaderPlan, Headers, SealError, Target, TeamIdentity, encrypted_mail, refused, require_address,
    require_delivery_id, sign_detached, sign_inline, signing_key,
};
use super::secret::ReporterContact;
use jiff::Timestamp;
use mail_builder::encoders::QuotedPrintableEncoder;
use sequoia_openpgp as openpgp;

use openpgp::Cert;
use openpgp::serialize::Serialize;
use std::io::{self, Write};
use zeroize::Zeroizing;

/// Which answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum AckKind {
    /// A case was opened.
    Received,
    /// The mail came in clear, where the team takes encrypted mail only.
    HowToEncrypt,
}

/// What a draft advisory will hold, as configured; told to the reporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum Disclosure {
    /// No drafts are opened.
    NoDraft,
    /// Case number and checked template fields.
    Stub,
    /// The redacted text as well.
    Report,
}

/// What an acknowledgement is made from. All of it comes from the unencrypted bytes of the mail and the configuration.
pub(in crate::report) struct AckRequest<'a> {
    pub kind: AckKind,
    pub identity: &'a TeamIdentity,
    pub keyring: &'a Keyring,
    /// The From address of the mail.
    pub to: &'a ReporterContact,
    /// Encrypted to this certificate; in clear where there is none.
    pub certificate: Option<&'a Cert>,
    /// The case, where one was opened.
    pub case: Option<&'a CaseId>,
    /// Message-ID of the mail, with or without angle brackets; left out unless it is harmless.
    pub in_reply_to: Option<&'a str>,
    /// None of the recipient key IDs of the mail is ours.
    pub not_our_key: bool,
    /// The mail came in clear.
    pub in_clear: bool,
    pub disclosure: Disclosure,
    pub message_id: &'a OurMessageId,
    pub delivery_id: &'a str,
    pub now: Timestamp,
}

/// Writes, signs and, where there is a certificate, encrypts the answer.
///
/// # Errors
/// When the address cannot be written to, the gateway cannot sign, or ([`SealError::Unusable`]) the given certificate cannot
/// be encrypted to now. It never falls back to clear text by itself.
pub(in crate::report) fn acknowledgement(request: &AckRequest<'_>) -> Result<OutgoingMail, SealError> {
    require_address(request.to.address(), "reporter's address")?;
    require_delivery_id(request.delivery_id)?;
    let (_, gateway) = signing_key(request.keyring, request.now)?;
    let thread: Vec<_> = request.in_reply_to.and_then(safe_message_id).into_iter().collect();
    let subject = subject(request);
    let outer = request.identity.outer_subject(request.case);
    let encrypted = request.certificate.is_some();
    let headers = Headers::new(
        &HeaderPlan {
            identity: request.identity,
            from_name: &request.identity.name,
            to: request.to.address(),
            outer_subject: if encrypted { &outer } else { &subject },
            inner_subject: &subject,
            date: request.now,
            message_id: request.message_id,
            thread: &thread,
            auto_submitted: "auto-replied",
            in_clear: !encrypted,
        },
        gateway,
        request.now,
    )?;
    let text = wording(request, &gateway.fingerprint().to_hex());
    let enclosed = match request.not_our_key || request.kind == AckKind::HowToEncrypt {
        true => Some(armored(gateway)?),
        false => None,
    };
    let bytes = match request.certificate {
        Some(key) => encrypted_form(request, key, &headers, &text, enclosed.as_deref())?,
        None => clear_form(request, &headers, &text, enclosed.as_deref())?,
    };
    Ok(OutgoingMail {
        envelope_from: None,
        envelope_to: Zeroizing::new(request.to.address().to_owned()),
        id: request.delivery_id.to_owned(),
        bytes,
    })
}

fn encrypted_form(
    request: &AckRequest<'_>,
    key: &Cert,
    headers: &Headers,
    text: &str,
    enclosed: Option<&[u8]>,
) -> Result<Vec<u8>, SealError> {
    let target = Target::new(key, request.now)?;
    let size = text.len() + enclosed.map_or(0, <[u8]>::len);
    let boundary = boundary(std::iter::once(text.as_bytes()))?;
    let stream = sign_inline(request.keyring, &[key], request.now, size, |out| {
        headers.write_protected(out)?;
        write_body(out, "cipher", &boundary, text, enclosed)
    })?;
    let mut outer = Vec::with_capacity(8 * 1024);
    headers.write_outer(&mut outer)?;
    encrypted_mail(&outer, &stream, &target)
}

/// `multipart/signed` (RFC 3156 section 5), so that the reporter can check who answered.
fn clear_form(
    request: &AckRequest<'_>,
    headers: &Headers,
    text: &str,
    enclosed: Option<&[u8]>,
) -> Result<Vec<u8>, SealError> {
    let boundaries = (boundary(std::iter::once(text.as_bytes()))?, boundary(std::iter::once(text.as_bytes()))?);
    let mut signed = Vec::with_capacity(16 * 1024);
    headers.inner.iter().try_for_each(|field| field.write(&mut signed))?;
    write_body(&mut signed, "clear", &boundaries.1, text, enclosed)?;
    let signature = sign_detached(request.keyring, request.now, &signed)?;
    let boundary = boundaries.0;
    let mut mail = Vec::with_capacity(signed.len() + 16 * 1024);
    headers.write_outer(&mut mail)?;
    write!(
        mail,
        "Content-Type: multipart/signed; micalg=pgp-sha512;\r\n protocol=\"application/pgp-signature\";\r\n \
         boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\n"
    )?;
    mail.extend_from_slice(&signed);
    write!(
        mail,
        "\r\n--{boundary}\r\nContent-Type: application/pgp-signature; name=\"signature.asc\"\r\n\
         Content-Description: OpenPGP digital signature\r\n\
         Content-Disposition: attachment; filename=\"signature.asc\"\r\n\r\n"
    )?;
    mail.extend_from_slice(&signature);
    write!(mail, "\r\n--{boundary}--\r\n")?;
    Ok(mail)
}

/// The rest of the protected header section, and the body: text, and the gateway's certificate where the reporter needs it.
/// Seven bits and no trailing white space, as what is signed must be (RFC 3156 section 3).
fn write_body(out: &mut dyn Write, hp: &str, boundary: &str, text: &str, enclosed: Option<&[u8]>) -> io::Result<()> {
    let parameters = format!("hp=\"{hp}\"; protected-headers=\"v1\"");
    // Line ends stay line ends (RFC 2045 section 6.7, rule 4), so that it can be read as it stands.
    let encoded = QuotedPrintableEncoder::new().preserve_line_breaks().encode(text.as_bytes())?;
    let Some(certificate) = enclosed else {
        write!(
            out,
            "Content-Type: text/plain; charset=utf-8;\r\n {parameters}\r\n\
             Content-Transfer-Encoding: quoted-printable\r\n\r\n"
        )?;
        return out.write_all(&encoded);
    };
    write!(
        out,
        "Content-Type: multipart/mixed; {parameters};\r\n boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    )?;
    out.write_all(&encoded)?;
    write!(
        out,
        "\r\n--{boundary}\r\nContent-Type: application/pgp-keys; name=\"team.asc\"\r\n\
         Content-Disposition: attachment; filename=\"team.asc\"\r\n\r\n"
    )?;
    out.write_all(certificate)?;
    write!(out, "\r\n--{boundary}--\r\n")
}

fn armored(cert: &Cert) -> Result<Vec<u8>, SealError> {
    let mut out = Vec::with_capacity(8 * 1024);
    let mut armor = ArmorWriter::new(&mut out, Armor::PublicKey, cert.primary_key().key().version() < 6);
    // `Cert` serialises without its secret parts; they are stripped all the same.
    cert.clone().strip_secret_key_material().serialize(&mut armor).map_err(refused)?;
    armor.finish()?;
    Ok(out)
}

fn subject(request: &AckRequest<'_>) -> String {
    let words = match request.kind {
        AckKind::Received => "Your mail was received",
        AckKind::HowToEncrypt => "Please encrypt your mail",
    };
    match request.case {
        Some(case) if !request.identity.outer_subject_hidden || request.certificate.is_some() => {
            format!("[{case}] {words}")
        }
        _ => words.to_owned(),
    }
}

/// The text: short lines, CRLF.
fn wording(request: &AckRequest<'_>, fingerprint: &str) -> String {
    let team = one_line(&request.identity.name, 100);
    let address = &request.identity.address;
    let mut paragraphs = vec![format!("This is an automatic answer of\n{}.", &*team)];
    match request.kind {
        AckKind::Received => received(request, &mut paragraphs),
        AckKind::HowToEncrypt => paragraphs.push(
            "Your mail came unencrypted. This team takes reports encrypted only, so\n\
             that nobody can read them on the way. Your mail was kept, but the team\n\
             has not read it. Please send it again, encrypted."
                .into(),
        ),
    }
    if request.not_our_key {
        paragraphs.push(
            "None of the keys that your mail is encrypted to is a key of this team\n\
             as far as can be seen from outside. If that is so, nobody here can read\n\
             it: please send it again, encrypted to the key named below."
                .into(),
        );
    }
    paragraphs.push(format!(
        "To encrypt, use OpenPGP (Thunderbird, GnuPG, Sequoia and others) with\nthe team's key for {address}, \
         fingerprint\n{fingerprint}\n{} Compare the fingerprint with the\none that the project publishes.",
        if request.not_our_key || request.kind == AckKind::HowToEncrypt {
            "It is attached, and offered by Autocrypt."
        } else {
            "It is offered by Autocrypt in this mail."
        }
    ));
    let mut text = paragraphs.join("\n\n").replace('\n', "\r\n");
    text.push_str("\r\n");
    text
}

fn received(request: &AckRequest<'_>, paragraphs: &mut Vec<String>) {
    paragraphs.push(match request.case {
        Some(case) => format!("Your mail was received. Its case number is {case}."),
        None => "Your mail was received.".into(),
    });
    if request.in_clear {
        paragraphs.push(
            "It came unencrypted: anybody on the way could read it. Please encrypt\n\
             what you write from now on."
                .into(),
        );
    }
    paragraphs.push(
        "What the team promises: its members read your report, keep it to\n\
         themselves while they work on it, and answer you. They talk with you\n\
         before anything about it is published."
            .into(),
    );
    let draft = match request.disclosure {
        Disclosure::NoDraft => "No draft advisory is opened from it.",
        Disclosure::Stub => {
            "A private draft advisory may be opened. It gets the case number and\n\
             checked template fields (component, versions, CVSS, CWE), but no text\n\
             of yours and nothing about you, unless your report asks for credit or\n\
             a member decides to add the report's text."
        }
        Disclosure::Report => {
            "A private draft advisory may be opened. It gets the case number and\n\
             the text of your report, with what is known about you taken out, but\n\
             no attachment. It names you only if your report asks for credit."
        }
    };
    paragraphs.push(format!(
        "What is shown to whom: each member of the team gets your report, your\n\
         address included, in a mail encrypted to that member alone.\n{draft}"
    ));
    paragraphs.push(
        "To add something, reply to this mail and leave the case number in the\n\
         subject."
            .into(),
    );
}

#[cfg(test)]
#[path = "acknowledgement_tests.rs"]
mod tests;
