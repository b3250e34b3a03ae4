use super::*;
use crate::report::{KeyUse, Limits};

/// A whole configuration that is right; the tests below break one line of it.
pub(super) const GOOD: &str = r#"[team]
name = "Kata Containers VMT"
address = "vmt@example.org"
aliases = ["security@example.org"]
case_prefix = "KATA"
admins = ["alice@example.org"]
outer_subject = "hidden"

[store]
url = "sqlite://state/embargod.db"

[[gateway_keys]]
file = "keys/2026.sec.asc"
passphrase = { file = "keys/passphrase" }
use = "active"

[[gateway_keys]]
file = "keys/2025.sec.asc"
use = "decrypt-only"
until = 2027-01-31

[[members]]
name = "Alice"
address = "Alice@example.org"
certificate = "keys/alice.asc"
fingerprint = "0123 4567 89AB CDEF 0123 4567 89AB CDEF 0123 4567"

[[members]]
name = "Bob"
address = "bob@example.org"
certificate = "keys/bob.asc"
fingerprint = "1123456789ABCDEF0123456789ABCDEF01234567"

[mailbox]
kind = "maildir"
path = "inbox"
done = "seen"
poll = "5m"

[outgoing]
kind = "sendmail"
command = "/usr/sbin/sendmail"
bounces = "bounces@example.org"

[advisories]
kind = "directory"
path = "advisories"
content = "report"
open_for = "all"
max_per_hour = 2
max_per_day = 0x10
components = ["runtime", "agent"]

[intake]
plaintext = "accept"
max_size = "20 MiB"
authserv_id = "mx.example.org"
reporter = "shown"
acknowledge = false
known_certificates = "keys/known"

[limits]
max_opened_size = "40 MiB"
max_mime_depth = 10
max_parts = 11
max_headers = 12
max_layers = 3
max_recipients = 14
max_signatures = 15
max_certificates = 16
max_time = "17s"
"#;

pub(super) struct World {
    folder: tempfile::TempDir,
}

impl World {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("keys/known")).unwrap();
        for file in ["2026.sec.asc", "2025.sec.asc", "passphrase", "alice.asc", "bob.asc"] {
            std::fs::write(folder.path().join("keys").join(file), "x").unwrap();
        }
        Self { folder }
    }

    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(super) fn load(&self, text: &str) -> Result<Config, ConfigError> {
        let file = self.folder.path().join("embargod.toml");
        std::fs::write(&file, text).unwrap();
        Config::load(&file)
    }
}

#[test]
fn a_whole_configuration_is_read_as_it_is_written() {
    let world = World::new();
    let config = world.load(GOOD).unwrap();
    let at = |path: &str| world.folder.path().join(path);
    assert_eq!(config.team.name, "Kata Containers VMT");
    assert_eq!(config.team.aliases, ["security@example.org"]);
    assert_eq!(config.admin_ids(), ["alice@example.org"]);
    assert_eq!(config.team.outer_subject, OuterSubject::Hidden);
    assert_eq!(config.store.database, Database::Sqlite(at("state/embargod.db")));
    assert_eq!(config.store.state, at("state"));
    assert_eq!(config.gateway_keys[0].passphrase, Some(SecretRef::File(at("keys/passphrase"))));
    assert_eq!(config.gateway_keys[0].usage, KeyUse::Active);
    assert_eq!(config.gateway_keys[1].usage, KeyUse::DecryptOnly { until: jiff::civil::date(2027, 1, 31) });
    assert_eq!(config.members[0].fingerprint, "0123456789ABCDEF0123456789ABCDEF01234567");
    assert_eq!(config.members[1].certificate, at("keys/bob.asc"));
    assert_eq!(
        config.mailbox,
        MailboxConfig::Maildir { path: at("inbox"), done: Done::Seen, poll: Duration::from_secs(300) }
    );
    assert_eq!(config.outgoing.kind, OutgoingKind::Sendmail { command: "/usr/sbin/sendmail".into() });
    assert_eq!(config.outgoing.bounces, "bounces@example.org");
    assert_eq!(config.advisories.kind, AdvisoriesKind::Directory { path: at("advisories") });
    assert_eq!(config.advisories.content, AdvisoryContent::Report);
    assert_eq!(config.advisories.open_for, OpenFor::All);
    assert_eq!((config.advisories.max_per_hour, config.advisories.max_per_day), (2, 16));
    assert_eq!(config.advisories.components, ["runtime", "agent"]);
    assert_eq!(config.intake.plaintext, PlaintextPolicy::Accept);
    assert_eq!(config.intake.authserv_id.as_deref(), Some("mx.example.org"));
    assert!(!config.intake.acknowledge);
    assert_eq!(config.intake.known_certificates, Some(at("keys/known")));
    let limits = Limits {
        max_size: 20 << 20,
        max_opened_size: 40 << 20,
        max_mime_depth: 10,
        max_parts: 11,
        max_headers: 12,
        max_layers: 3,
        max_recipients: 14,
        max_signatures: 15,
        max_certificates: 16,
        max_time: Duration::from_secs(17),
    };
    assert_eq!(config.limits, limits);
}

#[test]
fn what_is_left_out_has_the_documented_default() {
    let world = World::new();
    let config = world
        .load(
            r#"
            team = { name = "VMT", address = "vmt@example.org", case_prefix = "KATA" }
            store = { url = "postgres://gate@db.example.org/embargod" }
            gateway_keys = [{ file = "keys/2026.sec.asc", use = "active" }]
            mailbox = { kind = "maildir", path = "inbox" }
            outgoing = { kind = "maildir", path = "outbox" }
            advisories = { kind = "none" }
            intake = { plaintext = "reject" }
            [[members]]
            name = "Alice"
            address = "Alice@example.org"
            certificate = "keys/alice.asc"
            fingerprint = "0123456789ABCDEF0123456789ABCDEF01234567"
            "#,
        )
        .unwrap();
    assert_eq!(config.admin_ids(), ["alice@example.org"], "all members are admins");
    assert_eq!(config.team.outer_subject, OuterSubject::Case);
    assert_eq!(config.store.keep, None);
    assert_eq!(config.store.state, world.folder.path().join("state"));
    assert!(matches!(&config.mailbox, MailboxConfig::Maildir { done, poll, .. }
            if *done == Done::Move("Archive".into()) && *poll == Duration::from_secs(60)));
    assert_eq!(config.outgoing.bounces, "vmt@example.org");
    assert_eq!(config.advisories.content, AdvisoryContent::Stub);
    assert_eq!(config.advisories.open_for, OpenFor::Encrypted);
    assert_eq!((config.advisories.max_per_hour, config.advisories.max_per_day), (10, 30));
    assert_eq!(config.intake.plaintext_answers, PlaintextAnswers::SameCase);
    assert_eq!(config.intake.authserv_id, None);
    assert!(config.intake.acknowledge);
    assert_eq!(config.limits, Limits::default());
}

/// What is replaced by what, and what the message must say: line (of the broken text), key, and how to mend it.
pub(super) type Broken = (&'static str, &'static str, usize, &'static str, &'static str);

/// Holds each broken configuration to: `FILE:LINE: KEY: … MEND`.
#[track_caller]
fn all_are_refused(table: &[Broken]) {
    each_is_refused(GOOD, table);
}

#[track_caller]
pub(super) fn each_is_refused(good: &str, table: &[Broken]) {
    let world = World::new();
    for (old, new, line, key, mend) in table {
        assert_eq!(good.matches(old).count(), 1, "{old:?} must stand once in the good configuration");
        let message = world.load(&good.replacen(old, new, 1)).expect_err(new).to_string();
        let place = format!("{}:{line}: {key}: ", world.folder.path().join("embargod.toml").display());
        assert!(message.starts_with(&place), "{new:?}\n  says {message}\n  want {place}");
        assert!(message.contains(mend), "{new:?}\n  says {message}\n  want {mend}");
        assert!(!message.contains('\n'), "{message}");
    }
}

#[test]
fn a_broken_team_or_store_is_refused_by_line_and_key() {
    all_are_refused(&[
        ("case_prefix = \"KATA\"", "case_prefix = \"kata\"", 5, "team.case_prefix", "capital letters"),
        ("case_prefix = \"KATA\"", "", 1, "team.case_prefix", "is missing; write what case numbers begin with"),
        (
            "name = \"Kata Containers VMT\"",
            "name = 7",
            2,
            "team.name",
            "an integer does not belong here; write it as text",
        ),
        ("\"vmt@example.org\"", "\"vmt\"", 3, "team.address", "one @"),
        ("[\"security@example.org\"]", "[\"VMT@example.org\"]", 4, "team.aliases[1]", "name other addresses"),
        ("[\"security@example.org\"]", "[\"a@example.org\", \"A@example.org\"]", 4, "team.aliases[2]", "remove one"),
        ("[\"security@example.org\"]", "\"security@example.org\"", 4, "team.aliases", "[\"one\", \"two\"]"),
        (
            "[\"alice@example.org\"]",
            "[\n  \"alice@example.org\",\n  \"eve@example.org\"]",
            8,
            "team.admins[2]",
            "name members only",
        ),
        ("\"hidden\"", "\"case number\"", 7, "team.outer_subject", "use \"case\" or \"hidden\""),
        ("outer_subject", "outer_subjekt", 7, "team.outer_subjekt", "use one of: address, admins, aliases"),
        ("sqlite://state/embargod.db", "mysql://db", 10, "store.url", "write sqlite://FILE"),
        ("[store]", "[store]\nkeep = \"180d\"", 10, "store.keep", "not built into this version"),
        ("[store]", "[metrics]\n[store]", 9, "metrics", "not built into this version; remove this section"),
        ("[store]", "[texts]\nfolder = \"texts\"\n[store]", 9, "texts", "not built into this version"),
        ("[store]", "[shop]\n[store]", 9, "shop", "there is no such key"),
    ]);
}

#[test]
fn broken_keys_and_members_are_refused_by_line_and_key() {
    all_are_refused(&[
        ("keys/2026.sec.asc", "keys/2024.sec.asc", 13, "gateway_keys[1].file", "correct the path"),
        ("keys/2025.sec.asc", "keys/2026.sec.asc", 18, "gateway_keys[2].file", "named twice; remove one"),
        ("{ file = \"keys/passphrase\" }", "\"hunter2\"", 14, "gateway_keys[1].passphrase", "passphrase = { … }"),
        ("{ file = \"keys/passphrase\" }", "{}", 14, "gateway_keys[1].passphrase", "one of file, credential and env"),
        ("keys/passphrase\" }", "keys/passphrase\", env = \"P\" }", 14, "gateway_keys[1].passphrase", "one of file"),
        ("keys/passphrase", "keys/nothing", 14, "gateway_keys[1].passphrase.file", "does not exist"),
        (
            "{ file = \"keys/passphrase\" }",
            "{ credential = \"../x\" }",
            14,
            "gateway_keys[1].passphrase.credential",
            "letters",
        ),
        ("use = \"active\"", "use = \"activ\"", 15, "gateway_keys[1].use", "write \"active\""),
        ("use = \"active\"", "use = \"decrypt-only\"", 12, "gateway_keys[1].until", "until = 2027-01-31"),
        ("use = \"active\"", "use = \"decrypt-only\"\nuntil = 2027-02-28", 12, "gateway_keys", "keys generate"),
        ("use = \"active\"", "use = \"active\"\nuntil = 2027-02-28", 16, "gateway_keys[1].until", "decrypt-only"),
        ("until = 2027-01-31", "until = \"2027-01-31\"", 20, "gateway_keys[2].until", "without quotes"),
        ("until = 2027-01-31", "until = 2027-01-31T00:00:00Z", 20, "gateway_keys[2].until", "as in 2027-01-31"),
        ("fingerprint = \"1123456789ABCDEF0123456789ABCDEF01234567\"", "", 28, "members[2].fingerprint", "is missing"),
        ("1123456789ABCDEF0123456789ABCDEF01234567", "89ABCDEF", 32, "members[2].fingerprint", "gpg --show-keys"),
        ("1123456789ABCDEF", "0123456789abcdef", 32, "members[2].fingerprint", "members[1] has the same fingerprint"),
        ("bob@example.org", "ALICE@example.org", 30, "members[2].address", "members[1] has the same address"),
        ("bob@example.org", "Security@example.org", 30, "members[2].address", "write the member's own address"),
        ("keys/bob.asc", "keys/alice.asc", 31, "members[2].certificate", "members[1] has the same certificate"),
        ("keys/bob.asc", "keys/carol.asc", 31, "members[2].certificate", "does not exist"),
        ("name = \"Bob\"", "name = \"Reporter\"", 29, "members[2].name", "choose another one"),
        (
            "name = \"Bob\"",
            "name = \"Bob\"\nrole = \"lead\"",
            30,
            "members[2].role",
            "use one of: address, certificate",
        ),
    ]);
}

#[test]
fn broken_doors_are_refused_by_line_and_key() {
    all_are_refused(&[
        ("kind = \"maildir\"", "kind = \"pop3\"", 35, "mailbox.kind", "use \"imap\", \"maildir\" or \"none\""),
        ("kind = \"maildir\"", "", 34, "mailbox.kind", "is missing; use \"imap\""),
        ("kind = \"maildir\"", "kind = \"none\"", 36, "mailbox.path", "means nothing with kind = \"none\""),
        (
            "path = \"inbox\"",
            "path = \"inbox\"\nhost = \"imap.example.org\"",
            37,
            "mailbox.host",
            "belongs to kind = \"imap\"; remove it",
        ),
        ("path = \"inbox\"", "", 34, "mailbox.path", "name the Maildir"),
        ("\"seen\"", "\"archive\"", 37, "mailbox.done", "\"move:FOLDER\""),
        ("\"seen\"", "\"move:../x\"", 37, "mailbox.done", "move:Archive"),
        ("poll = \"5m\"", "poll = \"0s\"", 38, "mailbox.poll", "from 1s"),
        ("poll = \"5m\"", "poll = 5", 38, "mailbox.poll", "double quotes"),
        ("kind = \"sendmail\"", "kind = \"pigeon\"", 41, "outgoing.kind", "use \"smtp\", \"sendmail\" or \"maildir\""),
        ("command = \"/usr/sbin/sendmail\"", "path = \"outbox\"", 42, "outgoing.path", "remove it"),
        ("command = \"/usr/sbin/sendmail\"", "port = 465", 42, "outgoing.port", "belongs to kind = \"smtp\""),
        ("bounces@example.org", "bounces", 43, "outgoing.bounces", "one @"),
        (
            "kind = \"directory\"",
            "kind = \"gitlab\"",
            46,
            "advisories.kind",
            "use \"github\", \"directory\" or \"none\"",
        ),
        (
            "components = [\"runtime\", \"agent\"]",
            "repository = \"a/b\"",
            52,
            "advisories.repository",
            "belongs to kind = \"github\"; remove it",
        ),
        ("components = [\"runtime\", \"agent\"]", "teams = []", 52, "advisories.teams", "remove it"),
        (
            "[intake]",
            "[[advisories.routes]]\nmatch = \"x\"\n[intake]",
            54,
            "advisories.routes",
            "belongs to kind = \"github\"",
        ),
        ("[\"runtime\", \"agent\"]", "[\"runtime\", \"the agent\"]", 52, "advisories.components[2]", "short word"),
        ("max_per_hour = 2", "max_per_hour = -1", 50, "advisories.max_per_hour", "whole number from 0"),
        ("content = \"report\"", "content = \"all\"", 48, "advisories.content", "use \"stub\" or \"report\""),
        ("open_for = \"all\"", "open_for = \"none\"", 49, "advisories.open_for", "use \"encrypted\" or \"all\""),
    ]);
}

#[test]
fn broken_intake_and_limits_are_refused_by_line_and_key() {
    all_are_refused(&[
        (
            "plaintext = \"accept\"",
            "plaintext = \"screen\"",
            55,
            "intake.plaintext",
            "not built into this version; set \"accept\"",
        ),
        (
            "plaintext = \"accept\"",
            "",
            54,
            "intake.plaintext",
            "its default \"screen\" is not built into this version; set \"accept\"",
        ),
        ("plaintext = \"accept\"", "plaintext = \"drop\"", 55, "intake.plaintext", "or \"reject\""),
        (
            "reporter = \"shown\"",
            "reporter = \"hidden\"",
            58,
            "intake.reporter",
            "not built into this version; use \"shown\"",
        ),
        ("reporter = \"shown\"", "digest = \"1h\"", 58, "intake.digest", "not built"),
        ("reporter = \"shown\"", "plaintext_answers = \"never\"", 58, "intake.plaintext_answers", "not built"),
        ("acknowledge = false", "acknowledge = \"no\"", 59, "intake.acknowledge", "true or false"),
        ("keys/known", "keys/friends", 60, "intake.known_certificates", "does not exist"),
        ("mx.example.org", "mx example org", 57, "intake.authserv_id", "copy it"),
        ("20 MiB", "20 MB", 56, "intake.max_size", "\"50 MiB\""),
        ("20 MiB", "3 GiB", 56, "intake.max_size", "from 1 KiB to 2 GiB"),
        ("20 MiB", "50 MiB", 63, "limits.max_opened_size", "at least intake.max_size"),
        ("max_layers = 3", "max_layers = 0", 67, "limits.max_layers", "from 1 to 16"),
        ("max_time = \"17s\"", "max_time = \"1d\"", 71, "limits.max_time", "from 1s to 1h"),
        ("max_parts = 11", "max_size = \"1 MiB\"", 65, "limits.max_size", "there is no such key"),
    ]);
}

#[test]
fn what_is_no_toml_is_refused_with_its_line() {
    let world = World::new();
    let message = world.load("[team]\nname = \n").unwrap_err().to_string();
    assert!(message.contains("embargod.toml:2: it is not valid TOML: "), "{message}");
    let message = world.load("[team]\nname = \"a\"\nname = \"b\"\n").unwrap_err().to_string();
    assert!(message.contains("embargod.toml:3: it is not valid TOML: duplicate key name; "), "{message}");
}

#[test]
fn a_secret_in_the_file_itself_is_never_repeated_by_the_message() {
    let world = World::new();
    let text = GOOD.replacen("{ file = \"keys/passphrase\" }", "\"hunter2\"", 1);
    assert!(!world.load(&text).unwrap_err().to_string().contains("hunter2"));
    let text = GOOD.replacen("sqlite://state/embargod.db", "postgres://u:hunter2@h:port/x", 1);
    assert!(!world.load(&text).unwrap_err().to_string().contains("hunter2"));
}

#[test]
fn missing_tables_and_a_missing_file_are_named() {
    let world = World::new();
    let end = GOOD.find("[[members]]").unwrap();
    let message = world.load(&GOOD[..end]).unwrap_err().to_string();
    assert!(message.contains("embargod.toml: members: there is no member"), "{message}");
    let message = world.load("").unwrap_err().to_string();
    assert!(message.contains("embargod.toml: team.name: it is missing"), "{message}");
    let message = Config::load(Path::new("/nowhere/embargod.toml")).unwrap_err().to_string();
    assert!(message.starts_with("/nowhere/embargod.toml: it does not exist; "), "{message}");
    assert!(message.ends_with("`embargod init` makes a new one"), "{message}");
}
