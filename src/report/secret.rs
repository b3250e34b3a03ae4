//! The two types that may never leave the plaintext room: what a mail says, and who wrote it.
//!
//! Security: neither type can be formatted, cloned, compared or serialised, and their contents can be read only inside
//! `report`. Both are overwritten when dropped. What a caller outside the room can do with them is hand them back to it.

use zeroize::Zeroizing;

/// Bytes that a reporter or a member wrote, or may have written: a mail as it came (it may be in clear), a decrypted
/// payload, a subject, a statement.
///
/// It has no `Debug`, so it reaches no log:
/// ```compile_fail
/// let secret = embargod::report::Plaintext::new(b"heap overflow".to_vec());
/// println!("{secret:?}");
/// ```
/// no `Display`:
/// ```compile_fail
/// let secret = embargod::report::Plaintext::new(b"heap overflow".to_vec());
/// println!("{secret}");
/// ```
/// no `Clone`, so every copy is a decision:
/// ```compile_fail
/// let secret = embargod::report::Plaintext::new(b"heap overflow".to_vec());
/// let second = secret.clone();
/// ```
/// no `Serialize`:
/// ```compile_fail
/// let secret = embargod::report::Plaintext::new(b"heap overflow".to_vec());
/// serde_json::to_string(&secret).ok();
/// ```
/// and it opens only in the plaintext room:
/// ```compile_fail
/// let secret = embargod::report::Plaintext::new(b"heap overflow".to_vec());
/// std::fs::write("leak", secret.expose()).ok();
/// ```
pub struct Plaintext(Zeroizing<Vec<u8>>);

impl Plaintext {
    /// Takes the bytes over; they are overwritten when this value is dropped.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The number of octets; a size says little, and limits need it.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Leaves only the first octets, at most `length` of them.
    pub fn truncate(&mut self, length: usize) {
        self.0.truncate(length);
    }

    /// Gives the bytes up to somebody in the room who overwrites them.
    pub(in crate::report) fn into_inner(self) -> Zeroizing<Vec<u8>> {
        self.0
    }

    pub(in crate::report) fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as text, anything that is not UTF-8 replaced.
    pub(in crate::report) fn expose_text(&self) -> Zeroizing<String> {
        Zeroizing::new(String::from_utf8_lossy(&self.0).into_owned())
    }

    pub(in crate::report) fn from_text(text: &str) -> Self {
        Self::new(text.as_bytes().to_vec())
    }
}

/// Who wrote a report: an address, and the name written beside it.
///
/// It cannot be formatted or serialised:
/// ```compile_fail
/// fn show(contact: embargod::report::ReporterContact) { println!("{contact}"); }
/// ```
/// ```compile_fail
/// fn show(contact: embargod::report::ReporterContact) { println!("{contact:?}"); }
/// ```
/// ```compile_fail
/// fn show(contact: embargod::report::ReporterContact) { serde_json::to_string(&contact).ok(); }
/// ```
/// nor taken apart outside the room:
/// ```compile_fail
/// fn show(contact: embargod::report::ReporterContact) { println!("{}", contact.address()); }
/// ```
pub struct ReporterContact {
    address: Zeroizing<String>,
    name: Option<Zeroizing<String>>,
}

impl ReporterContact {
    pub(in crate::report) fn new(address: &str, name: Option<&str>) -> Self {
        Self {
            address: Zeroizing::new(address.trim().to_owned()),
            name: name.map(str::trim).filter(|name| !name.is_empty()).map(|name| Zeroizing::new(name.to_owned())),
        }
    }

    pub(in crate::report) fn address(&self) -> &str {
        &self.address
    }

    pub(in crate::report) fn name(&self) -> Option<&str> {
        self.name.as_ref().map(|name| name.as_str())
    }

    pub(in crate::report) fn duplicate(&self) -> Self {
        Self { address: self.address.clone(), name: self.name.clone() }
    }

    /// The form that is sealed into the store: address, line feed, name.
    pub(in crate::report) fn to_plaintext(&self) -> Plaintext {
        let mut text = Zeroizing::new(String::from(self.address()));
        text.push('\n');
        text.push_str(self.name().unwrap_or(""));
        Plaintext::from_text(&text)
    }

    /// Taken back from what the vault unsealed.
    pub fn from_store(plain: &Plaintext) -> Self {
        Self::from_plaintext(plain)
    }

    /// Shows the contact to an admin who asked for it: the one way out, used by `cases contact` after the audit log has it.
    ///
    /// # Errors
    /// When `out` cannot be written to.
    pub fn show(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        // A name is the reporter's to choose: no control characters reach the admin's terminal.
        let clean = |text: &str| Zeroizing::new(text.chars().filter(|c| !c.is_control()).collect::<String>());
        match self.name() {
            Some(name) => writeln!(out, "{} <{}>", &*clean(name), &*clean(self.address())),
            None => writeln!(out, "{}", &*clean(self.address())),
        }
    }

    pub(in crate::report) fn from_plaintext(plain: &Plaintext) -> Self {
        let text = plain.expose_text();
        let (address, name) = text.split_once('\n').unwrap_or((&text, ""));
        Self::new(address, Some(name))
    }
}
