//! A mail server as the configuration names it, with its password read and its roots loaded.
//!
//! Security: the password is zeroized, and nothing here can be shown (no Debug). Certificates are always verified: against the
//! system's roots and the configured ones. Without TLS only a loopback address is spoken to.

use crate::config::{Config, ConfigError, Problem, Secrets, ServerConfig, Tls};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Everything that is needed to connect and log in.
pub struct Server {
    /// A host name or an address.
    pub host: String,
    pub port: u16,
    pub tls: Tls,
    pub login: Option<Login>,
    /// Roots that are trusted besides the system's.
    pub extra_roots: Vec<CertificateDer<'static>>,
}

/// Who logs in, and with what.
pub struct Login {
    pub user: String,
    pub password: Zeroizing<String>,
}

impl Server {
    /// Reads what the configuration refers to. `table` is the configuration's, `mailbox` or `outgoing`, for errors.
    ///
    /// # Errors
    /// When the password or the file of roots cannot be read.
    pub fn resolve(
        server: &ServerConfig,
        table: &str,
        config: &Config,
        secrets: &Secrets,
    ) -> Result<Self, ConfigError> {
        let login = match &server.login {
            None => None,
            Some(login) => {
                let password = secrets
                    .read_text(&login.password)
                    .map_err(|problem| config.error(&format!("{table}.password"), problem))?;
                Some(Login { user: login.user.clone(), password })
            }
        };
        let extra_roots = match &server.ca {
            None => Vec::new(),
            Some(path) => read_roots(path).map_err(|problem| config.error(&format!("{table}.ca"), problem))?,
        };
        Ok(Self { host: server.host.clone(), port: server.port, tls: server.tls, login, extra_roots })
    }
}

fn read_roots(path: &Path) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let mend = "name a PEM file with the root certificate of the server's authority";
    let unreadable = |error| Problem::new(format!("{} holds no certificates ({error})", path.display()), mend);
    let certificates = CertificateDer::pem_file_iter(path).map_err(unreadable)?;
    let certificates: Vec<_> = certificates.collect::<Result<_, _>>().map_err(unreadable)?;
    if certificates.is_empty() {
        return Err(Problem::new(format!("{} holds no certificates", path.display()), mend));
    }
    Ok(certificates)
}

/// How TLS is spoken: by rustls with ring, 1.2 or newer, the server's certificate verified.
///
/// # Errors
/// When there are no roots at all, or an extra one is unfit; in words for an admin.
pub(crate) fn tls_config(extra_roots: &[CertificateDer<'static>]) -> Result<Arc<rustls::ClientConfig>, String> {
    let mut roots = rustls::RootCertStore::empty();
    // A root of the system that cannot be read is left out: what needs it fails to verify.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for root in extra_roots {
        roots.add(root.clone()).map_err(|error| format!("a certificate of `ca` cannot be a root: {error}"))?;
    }
    if roots.is_empty() {
        return Err("there are no root certificates: install the package ca-certificates, or set `ca`".to_owned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
