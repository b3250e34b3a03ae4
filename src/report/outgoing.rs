//! A mail that is ready to leave: the only thing a courier takes.

/// One mail for one recipient: envelope and finished octets. It is made only in the plaintext room, by sealing a copy or by
/// writing an acknowledgement, so that nothing else can be sent.
///
/// ```compile_fail
/// let mail = embargod::report::OutgoingMail { bytes: b"leak".to_vec() };
/// ```
pub struct OutgoingMail {
    pub(in crate::report) envelope_from: Option<String>,
    pub(in crate::report) envelope_to: zeroize::Zeroizing<String>,
    pub(in crate::report) id: String,
    pub(in crate::report) bytes: Vec<u8>,
}

impl OutgoingMail {
    /// MAIL FROM; nothing stands for the null return path `<>` of automatic answers.
    pub fn envelope_from(&self) -> Option<&str> {
        self.envelope_from.as_deref()
    }

    /// RCPT TO. It may be a reporter's address: it goes into an envelope or the name of that recipient's Maildir, and into
    /// no log and no error.
    pub fn envelope_to(&self) -> &str {
        &self.envelope_to
    }

    /// A name that is the same for a repeated delivery of this mail to this recipient, and for nothing else: hex digits.
    pub fn delivery_id(&self) -> &str {
        &self.id
    }

    /// The finished mail (RFC 5322): CRLF line ends, lines of at most 998 octets, ASCII.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
