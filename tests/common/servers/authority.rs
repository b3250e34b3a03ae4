//! A certificate authority for tests, and the certificates its servers show.
//!
//! Security: keys are made for one test and lie in its folder only.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use std::path::{Path, PathBuf};

/// What a server shows to prove who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presented {
    /// For `localhost` and 127.0.0.1, by the test's authority.
    #[default]
    Good,
    /// By the test's authority, for another host.
    WrongName,
    /// By the test's authority, until the year 2020.
    Expired,
    /// For the right names, by an authority nobody has heard of.
    Stranger,
}

/// An authority with its folder.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    stranger: Issuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

/// Files of a certificate and its key, in PEM.
#[derive(Clone, Debug)]
pub struct Identity {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("embargod-ca-").tempdir().unwrap();
        let (issuer, root) = make_root("embargod test authority");
        let (stranger, other_root) = make_root("another authority");
        std::fs::write(folder.path().join("ca.pem"), root).unwrap();
        std::fs::write(folder.path().join("other-ca.pem"), other_root).unwrap();
        Self { issuer, stranger, folder }
    }

    /// The root certificate in PEM, as `ca` in the configuration names it.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The root of an authority that has signed none but the stranger's certificate.
    pub fn other_root(&self) -> PathBuf {
        self.folder.path().join("other-ca.pem")
    }

    /// A new certificate with its key, in PEM.
    pub fn identity(&self, presented: Presented) -> Identity {
        let names = match presented {
            Presented::WrongName => vec!["other.example".to_owned()],
            _ => vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()],
        };
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, "a test server");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = match presented {
            Presented::Expired => date_time_ymd(2020, 1, 1),
            _ => date_time_ymd(2099, 1, 1),
        };
        let issuer = if presented == Presented::Stranger { &self.stranger } else { &self.issuer };
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, issuer).unwrap();
        Identity { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

impl Identity {
    /// Writes `server.pem` and `server.key` into a folder; replaces what is there.
    pub fn write(&self, folder: &Path) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(folder.join("server.pem"), &self.certificate).unwrap();
        std::fs::write(folder.join("server.key"), &self.key).unwrap();
        std::fs::set_permissions(folder.join("server.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

fn make_root(name: &str) -> (Issuer<'static, KeyPair>, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date_time_ymd(2019, 1, 1);
    params.not_after = date_time_ymd(2099, 1, 1);
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    (Issuer::new(params, key), pem)
}
