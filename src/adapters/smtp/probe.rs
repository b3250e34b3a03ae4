//! A look at the submission server for `check --online`: connects, logs in, sends nothing.
//!
//! Security: it goes the way the courier goes, so what it finds fine is what will be used.

use super::connect::{Door, Patience, Size, tls_for};
use super::fault::Trouble;
use super::pool::close;
use crate::adapters::server::Server;
use crate::config::Tls;
use crate::ports::{Observation, Observed};
use std::time::Duration;

/// Looks at the server as [`super::SmtpCourier`] will use it. `max_size` is the largest mail that the gateway accepts (octets,
/// `intake.max_size`): copies of it should find room at the server.
pub async fn observe(server: &Server, max_size: u64) -> Vec<Observation> {
    look(server, max_size, Patience { command: Duration::from_secs(10), ..Patience::default() }).await
}

async fn look(server: &Server, max_size: u64, patience: Patience) -> Vec<Observation> {
    let tls = match tls_for(server) {
        Ok(tls) => tls,
        Err(why) => return vec![broken(Trouble { key: "outgoing.ca", what: why, mend: None })],
    };
    let door = Door { server, tls: &tls, patience };
    match door.open().await {
        Ok(session) => {
            let found = std::iter::once(fine(server)).chain(size(server, session.size, max_size)).collect();
            close(session).await;
            found
        }
        Err(fault) => vec![broken(fault.trouble(&server.host, false))],
    }
}

fn fine(server: &Server) -> Observation {
    let login = if server.login.is_some() { "the login is accepted" } else { "no login is configured" };
    let tls = if server.tls == Tls::None { "without TLS" } else { "over TLS, with a certificate that verifies" };
    let what = format!("{} answers at port {} {tls}; {login}", server.host, server.port);
    Observation { kind: Observed::Fine, key: "outgoing.host", what, mend: None }
}

/// A copy is its report in base64 (4 octets for 3), with some more around it.
fn size(server: &Server, size: Size, max_size: u64) -> Option<Observation> {
    let Size::Most(most) = size else { return None };
    let needed = max_size.saturating_mul(7) / 5;
    (most < needed).then(|| Observation {
        kind: Observed::Doubtful,
        key: "intake.max_size",
        what: format!(
            "{} takes mails of up to {}; copies of the largest reports (intake.max_size) come to {}",
            server.host,
            megabytes(most),
            megabytes(needed)
        ),
        mend: Some(
            "raise the server's limit if you can; else larger copies go out with their large attachments listed only"
                .into(),
        ),
    })
}

fn megabytes(octets: u64) -> String {
    format!("{} MiB", octets / (1024 * 1024))
}

fn broken(trouble: Trouble) -> Observation {
    Observation { kind: Observed::Broken, key: trouble.key, what: trouble.what, mend: trouble.mend }
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
