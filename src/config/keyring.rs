//! From the configuration to the keyring: reads every key file and holds it against what the configuration says of it.
//!
//! Security: secret key files that others can read are refused. A certificate that is not the configured one is an error;
//! one that has expired is not, since its member's copies are held until it is renewed.

use super::secrets::{read_public, unreadable};
use super::{Config, ConfigError, GatewayKeyConfig, MemberConfig, Problem, Secrets};
use crate::report::{GatewayKey, KeyError, KeyUse, Keyring, KnownCertificate, Member, Plaintext, SpoolCertificate};
use jiff::Timestamp;
use std::path::{Path, PathBuf};

/// More files in the folder of known certificates are taken for a mistake.
const MAX_KNOWN: usize = 10_000;

/// Reads all keys and certificates of a configuration.
///
/// # Errors
/// The first file that cannot be read, unlocked or used, with its place in the configuration. A member's certificate that
/// has expired or is revoked is no error. The key that signs must be able to.
pub fn load(config: &Config, secrets: &Secrets) -> Result<Keyring, ConfigError> {
    let mut gateway = Vec::new();
    for (index, key) in config.gateway_keys.iter().enumerate() {
        gateway.extend(gateway_key(config, secrets, index, key)?);
    }
    if let Some(index) = signing_index(config)
        && let Some(key) = gateway.iter().find(|key| key.usage() == KeyUse::Active)
    {
        key.can_sign(Timestamp::now()).map_err(|error| config.gateway_error(index, &error))?;
    }
    let mut members = Vec::new();
    for (index, entry) in config.members.iter().enumerate() {
        let member = member(config, index, entry)?;
        if gateway.iter().any(|key| key.fingerprint() == member.fingerprint()) {
            let problem = Problem::new("it is the gateway's own key", "name the member's own certificate");
            return Err(config.error(&format!("members[{}].certificate", index + 1), problem));
        }
        members.push(member);
    }
    Keyring::new(gateway, members, known(config)?).map_err(|(index, error)| config.member_error(index, &error))
}

/// Index of the key that signs, the first active one.
pub(crate) fn signing_index(config: &Config) -> Option<usize> {
    config.gateway_keys.iter().position(|key| key.usage == KeyUse::Active)
}

/// Reads and unlocks one entry of `[[gateway_keys]]`; a file kept for decryption may hold several keys.
pub(crate) fn gateway_key(
    config: &Config,
    secrets: &Secrets,
    index: usize,
    key: &GatewayKeyConfig,
) -> Result<Vec<GatewayKey>, ConfigError> {
    let at = |name: &str, problem| config.error(&format!("gateway_keys[{}].{name}", index + 1), problem);
    let passphrase = key.passphrase.as_ref().map(|secret| secrets.read(secret)).transpose();
    let passphrase = passphrase.map_err(|problem| at("passphrase", problem))?;
    let file = secrets.read_key_file(&key.file).map_err(|problem| at("file", problem))?;
    let keys =
        GatewayKey::read(&file, passphrase.as_ref(), key.usage).map_err(|error| config.gateway_error(index, &error))?;
    // What `receive` seals to must open again: a certificate left from an older key would lose mail.
    if let Some(public) = public_sibling(&key.file)
        && key.usage == KeyUse::Active
    {
        let sibling = read_public(&public).map_err(|problem| at("file", problem))?;
        let sibling = SpoolCertificate::read(&Plaintext::new(sibling));
        let fits = sibling.is_ok_and(|sibling| keys.iter().any(|key| key.fingerprint() == sibling.fingerprint()));
        if !fits {
            let what = format!("{} beside it is not the certificate of this key", public.display());
            let mend = "export it again (gpg --export --armor), or remove it";
            return Err(at("file", Problem::new(what, mend)));
        }
    }
    Ok(keys)
}

/// Reads one entry of `[[members]]`.
pub(crate) fn member(config: &Config, index: usize, entry: &MemberConfig) -> Result<Member, ConfigError> {
    let file = read_public(&entry.certificate)
        .map_err(|problem| config.error(&format!("members[{}].certificate", index + 1), problem))?;
    Member::read(&entry.name, &entry.address, &file, &entry.fingerprint)
        .map_err(|error| config.member_error(index, &error))
}

/// Reads the folder of known certificates: every file in it but hidden ones.
pub(crate) fn known(config: &Config) -> Result<Vec<KnownCertificate>, ConfigError> {
    let Some(folder) = &config.intake.known_certificates else { return Ok(Vec::new()) };
    let at = |problem| config.error("intake.known_certificates", problem);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| at(unreadable(folder, &error)))? {
        let entry = entry.map_err(|error| at(unreadable(folder, &error)))?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") && entry.path().is_file() {
            files.push(entry.path());
        }
        if files.len() > MAX_KNOWN {
            let what = format!("{} holds more than {MAX_KNOWN} files", folder.display());
            return Err(at(Problem::new(what, "name the right folder")));
        }
    }
    files.sort();
    let mut known = Vec::new();
    for file in files {
        let bytes = read_public(&file).map_err(at)?;
        known.extend(KnownCertificate::read(&bytes).map_err(|error| {
            let what = format!("{} cannot be taken: {error}", file.display());
            at(Problem::new(what, "replace it by a public certificate, or remove it"))
        })?);
    }
    Ok(known)
}

/// The certificate that mail for the spool is sealed to: that of the first active gateway key. It needs no secret: for
/// `X.sec.asc` the certificate `X.pub.asc` beside it is taken where there is one.
///
/// # Errors
/// When neither can be read.
pub fn spool_certificate(config: &Config) -> Result<SpoolCertificate, ConfigError> {
    let index = signing_index(config).unwrap_or_default();
    let at = |problem| config.error(&format!("gateway_keys[{}].file", index + 1), problem);
    let Some(key) = config.gateway_keys.get(index) else {
        return Err(at(Problem::new("there is no gateway key", "add one with [[gateway_keys]]")));
    };
    certificate_of(key).map_err(at)
}

/// The certificate of a gateway key, without its secret.
pub(crate) fn certificate_of(key: &GatewayKeyConfig) -> Result<SpoolCertificate, Problem> {
    let file = public_sibling(&key.file).unwrap_or_else(|| key.file.clone());
    let bytes = read_public(&file)?;
    SpoolCertificate::read(&Plaintext::new(bytes)).map_err(|error| {
        let what = format!("{} cannot be used: {error}", file.display());
        Problem::new(what, "export the certificate again (gpg --export --armor)")
    })
}

/// `X.pub.asc` beside `X.sec.asc`, if it is there.
pub(crate) fn public_sibling(secret: &Path) -> Option<PathBuf> {
    let name = secret.file_name()?.to_str()?;
    let public = secret.with_file_name(format!("{}.pub.asc", name.strip_suffix(".sec.asc")?));
    public.exists().then_some(public)
}

impl Config {
    fn gateway_error(&self, index: usize, error: &KeyError) -> ConfigError {
        let (key, mend) = match error {
            KeyError::PassphraseMissing => {
                ("passphrase", "add passphrase = { file = \"…\" }, { credential = \"NAME\" } or { env = \"NAME\" }")
            }
            KeyError::PassphraseWrong => {
                ("passphrase", "correct the passphrase; one line end behind it is ignored, spaces are not")
            }
            KeyError::NoSecretKey => ("file", "export the secret key (gpg --export-secret-keys --armor) into it"),
            KeyError::CannotSign(_) => (
                "file",
                "extend the key's validity and export it again, or make a new one with `embargod keys generate`",
            ),
            KeyError::Several(_) => ("file", "export one secret key into each file"),
            _ => ("file", "export the secret key again (gpg --export-secret-keys --armor)"),
        };
        let what = if key == "file" { self.gateway_file(index, error) } else { error.to_string() };
        self.error(&format!("gateway_keys[{}].{key}", index + 1), Problem::new(what, mend))
    }

    fn gateway_file(&self, index: usize, error: &KeyError) -> String {
        let file = self.gateway_keys.get(index).map(|key| key.file.display().to_string()).unwrap_or_default();
        format!("{file} cannot be used: {error}")
    }

    fn member_error(&self, index: usize, error: &KeyError) -> ConfigError {
        let (key, mend) = match error {
            KeyError::FingerprintMismatch { .. } => (
                "fingerprint",
                "ask the member for the fingerprint by another way than mail, then correct it or replace the file",
            ),
            KeyError::Duplicate => ("address", "remove one of the two"),
            KeyError::SecretEnclosed => (
                "certificate",
                "replace the file by the public certificate (gpg --export --armor), and treat the secret key as exposed",
            ),
            KeyError::Several(_) => ("certificate", "leave only the member's own certificate in it"),
            _ => ("certificate", "export the public certificate again (gpg --export --armor)"),
        };
        let file = self.members.get(index).map(|member| member.certificate.display().to_string()).unwrap_or_default();
        self.error(
            &format!("members[{}].{key}", index + 1),
            Problem::new(format!("{file} cannot be used: {error}"), mend),
        )
    }
}

#[cfg(test)]
#[path = "keyring_tests.rs"]
mod tests;
