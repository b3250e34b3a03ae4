//! `embargod check`: holds configuration, keys and permissions against what `run` will need; with `--online` the servers too.
//!
//! Security: it reads what the daemon reads and changes nothing. A finding names files and keys, never a secret.

mod doors;
mod online;

use super::output::{self, Tone};
use crate::config::{Config, ConfigError, Database, MailboxConfig, Secrets, keyring};
use crate::report::{GatewayKey, KeyUse};
use jiff::{Timestamp, ToSpan};
use serde::Serialize;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// How bad a finding is. Only errors keep the gateway from its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Ok,
    Warning,
    Error,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub level: Level,
    /// What was found.
    pub what: String,
    /// File, line and key, as in `embargod.toml:12: members[2].certificate`; nothing where no place is meant.
    #[serde(rename = "where")]
    pub place: Option<String>,
    /// What to do about it; nothing for what is fine.
    pub mend: Option<String>,
}

/// The document of `check --json`.
#[derive(Serialize)]
struct Report<'a> {
    ok: bool,
    findings: &'a [Finding],
}

/// Days before its end in which a key is worth a warning.
const SOON: i64 = 30;

/// Runs the command. 0: no errors; 1: errors.
///
/// # Errors
/// When the output cannot be written.
pub fn run(file: &Path, secrets: &Secrets, online: bool, json: bool, out: &mut dyn Write) -> anyhow::Result<u8> {
    let mut findings = findings(file, secrets, Timestamp::now());
    if let Ok(config) = Config::load(file) {
        findings.extend(if online { online::look(&config, secrets)? } else { online::not_looked(&config) });
    }
    let ok = findings.iter().all(|finding| finding.level != Level::Error);
    if json {
        output::json(out, &Report { ok, findings: &findings })?;
    } else {
        for finding in &findings {
            let level = match finding.level {
                Level::Ok => output::tinted(Tone::Good, "ok"),
                Level::Warning => output::tinted(Tone::Warning, "warning"),
                Level::Error => output::tinted(Tone::Bad, "error"),
            };
            let place = finding.place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
            let mend = finding.mend.as_ref().map(|mend| format!(": {mend}")).unwrap_or_default();
            writeln!(out, "{level}: {}", output::harmless(&format!("{place}{}{mend}", finding.what)))?;
        }
    }
    Ok(u8::from(!ok))
}

/// Everything there is to say about a configuration at this time.
pub fn findings(file: &Path, secrets: &Secrets, now: Timestamp) -> Vec<Finding> {
    let mut check = Check { now, findings: Vec::new() };
    match Config::load(file) {
        Err(error) => check.error(error),
        Ok(config) => {
            check.ok(format!(
                "the configuration is valid: {} gateway key(s), {} member(s)",
                config.gateway_keys.len(),
                config.members.len()
            ));
            check.placeholder(&config);
            check.config_file(&config);
            check.gateway_keys(&config, secrets);
            check.members(&config);
            check.whole_keyring(&config, secrets);
            check.doors(&config, secrets);
        }
    }
    check.findings
}

struct Check {
    now: Timestamp,
    findings: Vec<Finding>,
}

impl Check {
    fn ok(&mut self, what: impl Into<String>) {
        self.findings.push(Finding { level: Level::Ok, what: what.into(), place: None, mend: None });
    }

    fn error(&mut self, error: ConfigError) {
        let finding = Finding {
            level: Level::Error,
            place: Some(error.place()),
            what: error.problem.what,
            mend: Some(error.problem.mend),
        };
        // One and the same thing may be found twice, alone and by reading all keys together.
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    fn say(&mut self, level: Level, config: &Config, key: &str, what: impl Into<String>, mend: impl Into<String>) {
        let error = config.error(key, crate::config::Problem::new(what, mend));
        let place = Some(error.place());
        self.findings.push(Finding { level, place, what: error.problem.what, mend: Some(error.problem.mend) });
    }

    fn placeholder(&mut self, config: &Config) {
        if config.team.address == super::init::PLACEHOLDER_ADDRESS {
            let mend = "write your team's address, and make a gateway key for it with `embargod keys generate`";
            self.say(Level::Error, config, "team.address", "it is still the placeholder of `embargod init`", mend);
        }
    }

    fn config_file(&mut self, config: &Config) {
        let Ok(metadata) = std::fs::metadata(&config.file) else { return };
        let mode = metadata.permissions().mode();
        let file = config.file.display();
        if mode & 0o002 != 0 {
            let what = format!("everybody may change {file}, and so become a member");
            self.say(Level::Error, config, "members", what, format!("run: chmod o-w '{file}'"));
        }
        if let Database::Postgres(url) = &config.store.database {
            let user = url.split("://").nth(1).and_then(|rest| rest.split_once('@')).map(|(user, _)| user);
            if user.is_some_and(|user| user.contains(':')) && mode & 0o007 != 0 {
                let what = "the URL holds a password, and everybody may read this file";
                let mend = format!("put the password into the daemon's .pgpass file, or run: chmod o-rwx '{file}'");
                self.say(Level::Warning, config, "store.url", what, mend);
            }
        }
    }

    fn gateway_keys(&mut self, config: &Config, secrets: &Secrets) {
        let signing = keyring::signing_index(config);
        for (index, entry) in config.gateway_keys.iter().enumerate() {
            let place = format!("gateway_keys[{}].file", index + 1);
            match keyring::gateway_key(config, secrets, index, entry) {
                Err(error) => self.error(error),
                Ok(keys) => {
                    for key in &keys {
                        self.gateway_key(config, &place, key, signing == Some(index));
                    }
                }
            }
            if keyring::public_sibling(&entry.file).is_none()
                && signing == Some(index)
                && config.mailbox == MailboxConfig::None
            {
                let what = "there is no certificate file X.pub.asc beside X.sec.asc, so `receive` must be able to read the secret key file";
                self.say(Level::Warning, config, &place, what, "export it there with gpg --export --armor");
            }
        }
    }

    fn gateway_key(&mut self, config: &Config, place: &str, key: &GatewayKey, signs: bool) {
        let print = key.fingerprint();
        if let KeyUse::DecryptOnly { until } = key.usage() {
            if key.is_in_use(self.now) {
                self.ok(format!("gateway key {print} decrypts until {until}"));
            } else {
                let what = format!("gateway key {print} is not used any more since the end of {until}");
                self.say(Level::Warning, config, place, what, "remove it from the configuration, or set a later date");
            }
            return;
        }
        if signs && let Err(error) = key.can_sign(self.now) {
            let mend = "extend the key's validity and export it again, or make a new one with `embargod keys generate`";
            self.say(Level::Error, config, place, format!("gateway key {print}: {error}"), mend);
            return;
        }
        if !key.names(&config.team.address) {
            let what = format!(
                "no user ID of gateway key {print} names {}, so mail programs will not find it",
                config.team.address
            );
            self.say(
                Level::Warning,
                config,
                place,
                what,
                "add such a user ID, or make a key with `embargod keys generate`",
            );
        }
        let what = format!("gateway key {print} {}", if signs { "decrypts and signs" } else { "decrypts" });
        match self.end(key.expires()) {
            End::Past => {
                let mend =
                    "extend the key's validity and export it again, or make a new one with `embargod keys generate`";
                let what = format!("gateway key {print} has expired: nobody can encrypt to it");
                self.say(Level::Error, config, place, what, mend);
            }
            End::Soon(days) => {
                let mend = "make the next one with `embargod keys generate`, and keep this one as decrypt-only";
                self.say(Level::Warning, config, place, format!("{what}, but expires in {days} day(s)"), mend);
            }
            End::Later(when) => self.ok(format!("{what}; it expires on {when}")),
            End::Never => self.ok(format!("{what}; it does not expire")),
        }
    }

    fn members(&mut self, config: &Config) {
        let mut reachable = 0;
        for (index, entry) in config.members.iter().enumerate() {
            let place = format!("members[{}].certificate", index + 1);
            let member = match keyring::member(config, index, entry) {
                Ok(member) => member,
                Err(error) => {
                    self.error(error);
                    continue;
                }
            };
            let name = member.name();
            if let Err(why) = member.usable(self.now) {
                let what = format!("nothing can be encrypted to {name}: {why}; copies are held");
                self.say(Level::Warning, config, &place, what, "ask for a renewed certificate and replace the file");
                continue;
            }
            reachable += 1;
            match self.end(member.expires()) {
                End::Past | End::Soon(_) => {
                    let what = format!("the certificate of {name} expires in less than {SOON} days");
                    self.say(
                        Level::Warning,
                        config,
                        &place,
                        what,
                        "ask for a renewed certificate and replace the file",
                    );
                }
                End::Later(when) => {
                    self.ok(format!("copies can be encrypted to {name}; the certificate expires on {when}"))
                }
                End::Never => self.ok(format!("copies can be encrypted to {name}")),
            }
        }
        if reachable == 0 {
            let mend = "ask the members for renewed certificates";
            self.say(Level::Error, config, "members", "no member can be sent anything", mend);
        }
    }

    /// What shows only when all is read together, as `run` does.
    fn whole_keyring(&mut self, config: &Config, secrets: &Secrets) {
        match keyring::load(config, secrets) {
            Ok(keys) if config.intake.known_certificates.is_some() => {
                self.ok(format!("{} known certificate(s) of people who may write", keys.known_count()));
            }
            Ok(_) => {}
            // Already said, in its own words, unless nothing was an error yet.
            Err(error) if self.findings.iter().any(|finding| finding.level == Level::Error) => {
                if error.key.as_deref() == Some("intake.known_certificates") {
                    self.error(error);
                }
            }
            Err(error) => self.error(error),
        }
        if let Err(error) = keyring::spool_certificate(config) {
            self.error(error);
        }
    }

    fn end(&self, expires: Option<Timestamp>) -> End {
        let Some(expires) = expires else { return End::Never };
        if expires <= self.now {
            return End::Past;
        }
        if self.now.checked_add((SOON * 24).hours()).is_ok_and(|soon| expires < soon) {
            return End::Soon(days_left(expires, self.now));
        }
        End::Later(expires.to_zoned(jiff::tz::TimeZone::UTC).date())
    }
}

enum End {
    Past,
    Soon(i64),
    Later(jiff::civil::Date),
    Never,
}

/// Whole days until then; negative once it has passed.
pub(super) fn days_left(expires: Timestamp, now: Timestamp) -> i64 {
    (expires.as_second() - now.as_second()).div_euclid(86_400)
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
