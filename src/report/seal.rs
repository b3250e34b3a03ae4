//! Sealing copies: one payload, signed once for the members of a batch, then encrypted for each of them alone.
//!
//! Security: the signature names exactly the batch's certificates as intended recipients, so no member can pass a copy on as
//! the gateway's word to somebody else, and a member outside the batch is refused. Each copy has a session key of its own
//! and one recipient. Nothing of the incoming mail stands outside the encryption. The signed payload is kept in memory that
//! is overwritten, and is held once, whatever the number of members.

use super::case::{CaseId, OurMessageId};
use super::compose::{boundary, one_line, write_parts};
use super::keyring::{Keyring, Member};
use super::opened::Section;
use super::outgoing::OutgoingMail;
use super::pgp_mime::{
    HeaderPlan, Headers, SealError, Target, TeamIdentity, encrypted_mail, require_address, require_delivery_id,
    sign_inline, signing_key,
};
use super::secret::Plaintext;
use super::statement::Statement;
use jiff::Timestamp;
use sequoia_openpgp::Fingerprint;
use std::sync::Arc;
use zeroize::Zeroizing;

/// What the copies of one mail are made from. It is the same for every member and for a repeated delivery.
pub(in crate::report) struct CopyRequest<'a> {
    pub identity: &'a TeamIdentity,
    /// The case; nothing for a notice that belongs to none.
    pub case: Option<&'a CaseId>,
    /// Message-ID of the copies.
    pub message_id: &'a OurMessageId,
    /// Message-IDs of the case's earlier mails, the first one first; empty for the first mail of a case.
    pub thread: &'a [OurMessageId],
    /// Date of the copies: a time of the gateway's own, such as when the mail was received.
    pub date: Timestamp,
    pub statement: &'a Statement,
    /// The subject that members see, without the case number.
    pub subject: &'a Plaintext,
    /// What follows the statement; empty for a notice.
    pub sections: &'a [Section],
    /// Name of the member who wrote it, for discussion; it stands beside the team's address in the protected From.
    pub from_author: Option<&'a str>,
    /// MAIL FROM of the copies.
    pub envelope_from: &'a str,
}

/// Copies that are signed and wait to be encrypted. Several threads may seal from it at once.
pub struct SignedCopies {
    stream: Plaintext,
    outer: Vec<u8>,
    batch: Vec<Fingerprint>,
    envelope_from: String,
}

/// Builds the payload and signs it for these members. A member whose certificate cannot be used does no harm here;
/// [`SignedCopies::seal_for`] says so.
///
/// # Errors
/// When nobody is in the batch, the gateway cannot sign, or a configured address cannot be used.
pub(in crate::report) fn sign_copies(
    request: &CopyRequest<'_>,
    keyring: &Keyring,
    batch: &[Arc<Member>],
    now: Timestamp,
) -> Result<SignedCopies, SealError> {
    if batch.is_empty() {
        return Err(SealError::EmptyBatch);
    }
    require_address(request.envelope_from, "bounce address")?;
    let (_, gateway) = signing_key(keyring, now)?;
    let from_name = match request.from_author {
        Some(author) => format!("{} via {}", &*one_line(author, 60), request.identity.name),
        None => request.identity.name.clone(),
    };
    let thread: Vec<_> = request.thread.iter().map(OurMessageId::as_str).collect();
    let headers = Headers::new(
        &HeaderPlan {
            identity: request.identity,
            from_name: &from_name,
            to: &request.identity.address,
            outer_subject: &request.identity.outer_subject(request.case),
            inner_subject: &inner_subject(request),
            date: request.date,
            message_id: request.message_id,
            thread: &thread,
            auto_submitted: "auto-generated",
            in_clear: false,
        },
        gateway,
        now,
    )?;
    let statement = request.statement.render();
    let parts = std::iter::once(statement.expose()).chain(request.sections.iter().map(|s| s.entity.expose()));
    let boundary = boundary(parts.clone())?;
    let certs: Vec<_> = batch.iter().map(|member| &member.cert).collect();
    let size: usize = parts.map(<[u8]>::len).sum();
    let stream = sign_inline(keyring, &certs, now, size, |out| {
        headers.write_protected(out)?;
        write!(
            out,
            "Content-Type: multipart/mixed; hp=\"cipher\"; protected-headers=\"v1\";\r\n boundary=\"{boundary}\"\r\n\
             Content-Transfer-Encoding: 8bit\r\n\r\n"
        )?;
        write_parts(out, &boundary, statement.expose(), request.sections)
    })?;
    let mut outer = Vec::with_capacity(8 * 1024);
    headers.write_outer(&mut outer)?;
    let batch = certs.iter().map(|cert| cert.fingerprint()).collect();
    Ok(SignedCopies { stream, outer, batch, envelope_from: request.envelope_from.to_owned() })
}

impl SignedCopies {
    /// Encrypts the signed payload to this member alone. `delivery_id` is what [`OutgoingMail::delivery_id`] will say:
    /// lower-case hex digits, the same for a repeated delivery of this mail to this member.
    ///
    /// # Errors
    /// [`SealError::Unusable`] when nothing can be encrypted to the member now: the copy is to be held.
    /// [`SealError::NotInBatch`] when the signature does not name the member.
    pub fn seal_for(&self, member: &Member, delivery_id: &str, now: Timestamp) -> Result<OutgoingMail, SealError> {
        require_address(member.address(), "member's address")?;
        require_delivery_id(delivery_id)?;
        if !self.batch.contains(&member.cert.fingerprint()) {
            return Err(SealError::NotInBatch);
        }
        let keys = member.encryption_keys(now).map_err(SealError::Unusable)?;
        let target = Target::with_keys(&member.cert, keys, now)?;
        Ok(OutgoingMail {
            envelope_from: Some(self.envelope_from.clone()),
            envelope_to: Zeroizing::new(member.address().to_owned()),
            id: delivery_id.to_owned(),
            bytes: encrypted_mail(&self.outer, &self.stream, &target)?,
        })
    }
}

/// `[KATA-2026-0001] …`, with the case number once, in front.
fn inner_subject(request: &CopyRequest<'_>) -> Zeroizing<String> {
    let Some(case) = request.case else { return request.subject.expose_text() };
    let tag = format!("[{case}]");
    let rest = Zeroizing::new(request.subject.expose_text().replace(&tag, " "));
    let rest = one_line(&rest, 300);
    let rest = if rest.is_empty() { "(no subject)" } else { rest.as_str() };
    Zeroizing::new(format!("{tag} {rest}"))
}

#[cfg(test)]
#[path = "seal_tests.rs"]
mod tests;
