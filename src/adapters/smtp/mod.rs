//! Hands mail to a submission server (RFC 6409) by SMTP over TLS, with a login: one recipient an envelope, over sessions that are
//! kept open for the next mail.
//!
//! Security: see [`connect`] for what is said before TLS stands, [`fault`] for what an end means and what of a reply is shown.
//! The content is sealed before it gets here; the server sees the envelope.

mod connect;
mod fault;
mod pool;
mod probe;
mod transaction;
mod wire;

pub use probe::observe;

use super::server::Server;
use crate::ports::{Answer, Courier, PortError};
use crate::report::OutgoingMail;
use connect::Patience;
use fault::Fault;
use pool::{Lent, Pool};
use std::sync::Arc;
use transaction::Parcel;

/// Octets of content for which a second is added to the time that sending may take.
const OCTETS_A_SECOND: usize = 128 * 1024;

/// A [`Courier`] that submits mail by SMTP.
pub struct SmtpCourier(Arc<Pool>);

impl SmtpCourier {
    /// Connects when the first mail is to leave.
    ///
    /// # Errors
    /// When there is no root certificate to verify the server's with; in words for an admin.
    pub fn new(server: Server) -> Result<Self, String> {
        Self::with_patience(server, Patience::default())
    }

    fn with_patience(server: Server, patience: Patience) -> Result<Self, String> {
        Ok(Self(Pool::new(server, patience)?))
    }

    async fn hand_over(&self, from: Option<&str>, to: &str, content: &[u8]) -> Result<(), PortError> {
        let sent = match Parcel::new(from, to, content) {
            Ok(parcel) => self.send(&parcel).await,
            Err(fault) => Err(fault),
        };
        sent.map_err(|fault| fault.meaning(self.0.host(), from.is_none()))
    }

    async fn send(&self, parcel: &Parcel<'_>) -> Result<(), Fault> {
        let mut lent = self.0.lend().await?;
        let mut sent = self.try_once(parcel, &mut lent).await;
        if lent.reused && sent.as_ref().is_err_and(Fault::is_stale_connection) {
            // The server closed it while nobody used it, and nothing of the mail has left.
            lent = self.0.replace(lent).await?;
            sent = self.try_once(parcel, &mut lent).await;
        }
        self.leave(lent, &sent).await;
        sent
    }

    async fn try_once(&self, parcel: &Parcel<'_>, lent: &mut Lent) -> Result<(), Fault> {
        let patience = self.0.patience();
        let first = if lent.reused { patience.reuse } else { patience.command };
        parcel.send(&mut lent.session, patience, first).await
    }

    /// Keeps the session if it is known where it stands.
    async fn leave(&self, mut lent: Lent, sent: &Result<(), Fault>) {
        let usable = match sent {
            Ok(()) => true,
            Err(fault) if fault.ends_session() => false,
            Err(_) => transaction::reset(&mut lent.session, self.0.patience()).await,
        };
        if usable {
            self.0.put_back(lent);
        }
    }
}

impl Courier for SmtpCourier {
    fn idempotent(&self) -> bool {
        false
    }

    fn deliver<'a>(&'a self, mail: &'a OutgoingMail) -> Answer<'a, Result<(), PortError>> {
        Box::pin(self.hand_over(mail.envelope_from(), mail.envelope_to(), mail.bytes()))
    }
}

#[cfg(test)]
mod fake_tests;
#[cfg(test)]
mod postfix_tests;
#[cfg(test)]
#[path = "smtp_tests.rs"]
mod tests;
