use super::tests::{GOOD, World, each_is_refused};
use super::*;
use crate::report::RouteMatch;

/// The doors of a team that works with real servers; they take the place of those of the good configuration.
fn real() -> String {
    let (before, rest) = GOOD.split_once("[mailbox]\n").unwrap();
    let (_, after) = rest.split_once("[intake]\n").unwrap();
    format!("{before}{DOORS}[intake]\n{after}")
}

pub(super) const DOORS: &str = r#"[mailbox]
kind = "imap"
host = "imap.example.org"
port = 1993
user = "vmt@example.org"
password = { file = "keys/passphrase" }
tls = "implicit"
ca = "keys/2025.sec.asc"
folder = "Reports/New ones"
done = "move:[Gmail]/All Mail"
poll = "2m"

[outgoing]
kind = "smtp"
host = "192.0.2.25"
port = 2587
user = "submit"
password = { credential = "smtp" }
tls = "starttls"
ca = "keys/2026.sec.asc"
bounces = "bounces@example.org"

[advisories]
kind = "github"
repository = "kata-containers/kata-containers"
token = { env = "GITHUB" }
api = "https://api.example.org/v3/"
teams = ["security_team"]
users = ["octo-cat"]
components = ["runtime", "agent"]

[[advisories.routes]]
match = "Security@example.org"
repository = "kata-containers/runtime"

[[advisories.routes]]
match = "Component: Agent"
repository = "kata-containers/agent"

"#;

#[test]
fn real_servers_are_read_as_they_are_written() {
    let world = World::new();
    let config = world.load(&real()).unwrap();
    let at = |path: &str| world.at(path);
    let server = ServerConfig {
        host: "imap.example.org".into(),
        port: 1993,
        login: Some(LoginConfig { user: "vmt@example.org".into(), password: SecretRef::File(at("keys/passphrase")) }),
        tls: Tls::Implicit,
        ca: Some(at("keys/2025.sec.asc")),
    };
    let done = Done::Move("[Gmail]/All Mail".into());
    let folder = "Reports/New ones".into();
    assert_eq!(config.mailbox, MailboxConfig::Imap { server, folder, done, poll: Duration::from_secs(120) });
    let server = ServerConfig {
        host: "192.0.2.25".into(),
        port: 2587,
        login: Some(LoginConfig { user: "submit".into(), password: SecretRef::Credential("smtp".into()) }),
        tls: Tls::StartTls,
        ca: Some(at("keys/2026.sec.asc")),
    };
    assert_eq!(config.outgoing.kind, OutgoingKind::Smtp { server });
    assert_eq!(config.outgoing.bounces, "bounces@example.org");
    let repository = |name: &str| Repository::parse(&format!("kata-containers/{name}")).unwrap();
    let routes = vec![
        Route { matches: RouteMatch::Alias("security@example.org".into()), repository: repository("runtime") },
        Route { matches: RouteMatch::Component("agent".into()), repository: repository("agent") },
    ];
    let github = GithubConfig {
        repository: repository("kata-containers"),
        auth: GithubAuth::Token(SecretRef::Env("GITHUB".into())),
        api: url::Url::parse("https://api.example.org/v3").unwrap(),
        teams: vec!["security_team".into()],
        users: vec!["octo-cat".into()],
        routes: routes.clone(),
    };
    assert_eq!(config.advisories.kind, AdvisoriesKind::Github(Box::new(github)));
    let rules = config.rules();
    assert_eq!((rules.repository, rules.routes), (Some(repository("kata-containers")), routes));
}

/// Reads the real servers with the doors replaced by these lines.
#[track_caller]
fn with(changes: &[(&str, &str)]) -> Config {
    let mut text = real();
    for (old, new) in changes {
        assert_eq!(text.matches(old).count(), 1, "{old:?} must stand once");
        text = text.replacen(old, new, 1);
    }
    World::new().load(&text).unwrap()
}

#[test]
fn ports_folder_and_what_becomes_of_mail_have_their_defaults() {
    let ports = |tls: &str, host: &str| {
        let changes = [
            ("port = 1993\n", ""),
            ("port = 2587\n", ""),
            ("imap.example.org", host),
            ("192.0.2.25", host),
            ("ca = \"keys/2025.sec.asc\"\n", ""),
            ("ca = \"keys/2026.sec.asc\"\n", ""),
            ("tls = \"implicit\"\nfolder", &format!("{tls}folder")),
            ("tls = \"starttls\"\nbounces", &format!("{tls}bounces")),
            ("folder = \"Reports/New ones\"\ndone = \"move:[Gmail]/All Mail\"\npoll = \"2m\"\n", ""),
        ];
        let config = with(&changes);
        let MailboxConfig::Imap { server, folder, done, poll } = config.mailbox else { panic!("not IMAP") };
        let OutgoingKind::Smtp { server: submission } = config.outgoing.kind else { panic!("not SMTP") };
        assert_eq!((folder.as_str(), done), ("INBOX", Done::Move("Archive".into())));
        assert_eq!(poll, Duration::from_secs(60));
        (server.port, submission.port)
    };
    assert_eq!(ports("", "mail.example.org"), (993, 465), "implicit TLS is the default");
    assert_eq!(ports("tls = \"starttls\"\n", "mail.example.org"), (143, 587));
    for host in ["localhost", "127.0.0.1", "127.8.9.10", "::1"] {
        assert_eq!(ports("tls = \"none\"\n", host), (143, 25), "{host}");
    }
}

#[test]
fn a_github_app_and_a_server_without_login_are_taken() {
    let config = with(&[
        ("token = { env = \"GITHUB\" }", "app = { id = 4_123_456, key = { file = \"keys/alice.asc\" } }"),
        ("api = \"https://api.example.org/v3/\"\n", ""),
        ("user = \"submit\"\npassword = { credential = \"smtp\" }\n", ""),
    ]);
    let AdvisoriesKind::Github(github) = &config.advisories.kind else { panic!("not GitHub") };
    assert!(matches!(&github.auth, GithubAuth::App { id: 4_123_456, key: SecretRef::File(_) }));
    assert_eq!(github.api.as_str(), "https://api.github.com/");
    assert!(matches!(&config.outgoing.kind, OutgoingKind::Smtp { server } if server.login.is_none()));
    for api in ["http://localhost:8080", "http://127.0.0.1:8080/", "http://[::1]:8080"] {
        with(&[("https://api.example.org/v3/", api)]);
    }
}

#[test]
fn a_broken_mailbox_server_is_refused_by_line_and_key() {
    each_is_refused(
        &real(),
        &[
            ("host = \"imap.example.org\"", "", 34, "mailbox.host", "name the server, as in \"imap.example.org\""),
            ("imap.example.org", "imaps://imap.example.org", 36, "mailbox.host", "the host alone"),
            ("imap.example.org", "imap.example.org:993", 36, "mailbox.host", "the port as port ="),
            ("imap.example.org", "[::1]", 36, "mailbox.host", "without brackets"),
            ("imap.example.org", "imap example org", 36, "mailbox.host", "write a host name"),
            ("imap.example.org", "bücher.example", 36, "mailbox.host", "xn--"),
            ("imap.example.org", "", 36, "mailbox.host", "write a host name"),
            ("port = 1993", "port = 0", 37, "mailbox.port", "from 1 to 65535"),
            ("port = 1993", "port = 65536", 37, "mailbox.port", "from 1 to 65535"),
            ("port = 1993", "port = \"imaps\"", 37, "mailbox.port", "from 1 to 65535"),
            ("user = \"vmt@example.org\"", "", 34, "mailbox.user", "write the name that the password belongs to"),
            (
                "user = \"vmt@example.org\"\npassword = { file = \"keys/passphrase\" }\ntls",
                "tls",
                34,
                "mailbox.user",
                "it is missing; write the name that this mailbox is logged in to with",
            ),
            ("user = \"vmt@example.org\"", "user = \"vmt\\r\\n\"", 38, "mailbox.user", "often the whole address"),
            (
                "password = { file = \"keys/passphrase\" }\ntls",
                "tls",
                34,
                "mailbox.password",
                "{ credential = \"NAME\" }",
            ),
            (
                "password = { file = \"keys/passphrase\" }\ntls",
                "password = \"hunter2\"\ntls",
                39,
                "mailbox.password",
                "a string does not belong here; write where it comes from, as in password = { file",
            ),
            ("keys/passphrase\" }\ntls", "keys/nothing\" }\ntls", 39, "mailbox.password.file", "put the file there"),
            ("tls = \"implicit\"", "tls = \"none\"", 40, "mailbox.tls", "use \"implicit\" or \"starttls\""),
            ("tls = \"implicit\"", "tls = \"ssl\"", 40, "mailbox.tls", "use \"implicit\" or \"starttls\" or \"none\""),
            ("tls = \"implicit\"", "tls = false", 40, "mailbox.tls", "write it as text"),
            ("keys/2025.sec.asc\"\nfolder", "keys/root.pem\"\nfolder", 41, "mailbox.ca", "does not exist"),
            ("Reports/New ones", "Reports\\r\\nA1 LOGOUT", 42, "mailbox.folder", "as your mail program shows it"),
            ("Reports/New ones", "", 42, "mailbox.folder", "as your mail program shows it"),
            ("move:[Gmail]/All Mail", "move:", 43, "mailbox.done", "as your mail program shows it"),
            ("move:[Gmail]/All Mail", "move:Reports/New ones", 43, "mailbox.done", "name another folder"),
            ("move:[Gmail]/All Mail", "archive", 43, "mailbox.done", "\"move:FOLDER\", \"delete\" or \"seen\""),
            (
                "folder = \"Reports/New ones\"\ndone = \"move:[Gmail]/All Mail\"",
                "done = \"move:Inbox\"",
                42,
                "mailbox.done",
                "again and again",
            ),
            ("poll = \"2m\"", "poll = \"25h\"", 44, "mailbox.poll", "from 1s to 24h"),
            ("poll = \"2m\"", "path = \"inbox\"", 44, "mailbox.path", "belongs to kind = \"maildir\"; remove it"),
            (
                "poll = \"2m\"",
                "pol = \"2m\"",
                44,
                "mailbox.pol",
                "use one of: ca, done, folder, host, kind, password, poll",
            ),
        ],
    );
}

#[test]
fn a_broken_submission_server_is_refused_by_line_and_key() {
    each_is_refused(
        &real(),
        &[
            ("host = \"192.0.2.25\"", "", 46, "outgoing.host", "name the server, as in \"smtp.example.org\""),
            ("192.0.2.25", "192.0.2.25:25", 48, "outgoing.host", "the port as port ="),
            ("port = 2587", "port = -1", 49, "outgoing.port", "from 1 to 65535"),
            ("user = \"submit\"", "", 46, "outgoing.user", "write the name that the password belongs to"),
            ("password = { credential = \"smtp\" }", "", 46, "outgoing.password", "never the password itself"),
            (
                "{ credential = \"smtp\" }",
                "{ credentials = \"smtp\" }",
                51,
                "outgoing.password.credentials",
                "use one of",
            ),
            ("tls = \"starttls\"", "tls = \"none\"", 52, "outgoing.tls", "only for a server on this machine"),
            ("keys/2026.sec.asc\"\nbounces", "keys/root.pem\"\nbounces", 53, "outgoing.ca", "does not exist"),
            ("bounces@example.org", "<>", 54, "outgoing.bounces", "vmt@example.org"),
            (
                "bounces = \"bounces@example.org\"",
                "path = \"out\"",
                54,
                "outgoing.path",
                "belongs to kind = \"maildir\"",
            ),
            (
                "bounces = \"bounces@example.org\"",
                "command = \"/bin/m\"",
                54,
                "outgoing.command",
                "kind = \"sendmail\"",
            ),
        ],
    );
}

#[test]
fn a_broken_github_is_refused_by_line_and_key() {
    each_is_refused(
        &real(),
        &[
            ("repository = \"kata-containers/kata-containers\"", "", 56, "advisories.repository", "\"OWNER/NAME\""),
            ("kata-containers/kata-containers", "kata-containers", 58, "advisories.repository", "OWNER/NAME alone"),
            (
                "kata-containers/kata-containers",
                "https://github.com/a/b",
                58,
                "advisories.repository",
                "OWNER/NAME alone",
            ),
            ("token = { env = \"GITHUB\" }", "", 56, "advisories.token", "or, for a GitHub App, write app = { id"),
            ("token = { env = \"GITHUB\" }", "token = \"ghp_x\"", 59, "advisories.token", "never the token itself"),
            (
                "{ env = \"GITHUB\" }",
                "{ env = \"GITHUB\", file = \"keys/passphrase\" }",
                59,
                "advisories.token",
                "exactly one",
            ),
            (
                "token = { env = \"GITHUB\" }",
                "token = { env = \"GITHUB\" }\napp = { id = 1, key = { env = \"K\" } }",
                60,
                "advisories.app",
                "remove either token or app",
            ),
            (
                "token = { env = \"GITHUB\" }",
                "app = { key = { env = \"K\" } }",
                59,
                "advisories.app.id",
                "write the App ID",
            ),
            ("token = { env = \"GITHUB\" }", "app = { id = 1 }", 59, "advisories.app.key", "name the PEM file"),
            ("token = { env = \"GITHUB\" }", "app = { id = \"Iv1\" }", 59, "advisories.app.id", "whole number from 1"),
            (
                "token = { env = \"GITHUB\" }",
                "app = { id = 1, key = \"a.pem\" }",
                59,
                "advisories.app.key",
                "key = { file",
            ),
            ("token = { env = \"GITHUB\" }", "app = 12", 59, "advisories.app", "app = { id = 123456, key"),
            ("https://api.example.org/v3/", "http://api.example.org", 60, "advisories.api", "write https://"),
            ("https://api.example.org/v3/", "ftp://api.example.org", 60, "advisories.api", "https://api.github.com"),
            ("https://api.example.org/v3/", "api.github.com", 60, "advisories.api", "https://api.github.com"),
            ("https://api.example.org/v3/", "https://u:p@api.example.org", 60, "advisories.api", "the address alone"),
            ("https://api.example.org/v3/", "https://api.example.org/?a=b", 60, "advisories.api", "parameters"),
            ("security_team", "kata-containers/security", 61, "advisories.teams[1]", "its slug alone"),
            ("[\"security_team\"]", "[\"a\", \"A\"]", 61, "advisories.teams[2]", "remove one"),
            ("\"octo-cat\"", "\"octo-cat\", \"@bob\"", 62, "advisories.users[2]", "without @"),
            ("match = \"Security@example.org\"", "", 65, "advisories.routes[1].match", "write an alias of the team"),
            ("Security@example.org", "vmt+x@example.org", 66, "advisories.routes[1].match", "add it to team.aliases"),
            ("Security@example.org", "runtime", 66, "advisories.routes[1].match", "or \"Component: NAME\""),
            ("Security@example.org", "Component: shim", 66, "advisories.routes[1].match", "advisories.components"),
            ("Component: Agent", "security@example.org", 70, "advisories.routes[2].match", "remove one of the two"),
            ("kata-containers/agent", "agent", 71, "advisories.routes[2].repository", "OWNER/NAME alone"),
            ("repository = \"kata-containers/agent\"", "", 69, "advisories.routes[2].repository", "write OWNER/NAME"),
            (
                "repository = \"kata-containers/agent\"",
                "repository = \"a/b\"\nprio = 1",
                72,
                "advisories.routes[2].prio",
                "remove it, or use one of: match, repository",
            ),
            ("users = [\"octo-cat\"]", "path = \"drafts\"", 62, "advisories.path", "belongs to kind = \"directory\""),
        ],
    );
}

#[test]
fn mail_without_tls_goes_to_no_other_machine() {
    let world = World::new();
    for host in ["128.0.0.1", "10.0.0.1", "localhost.example.org", "::2", "::ffff:127.0.0.1", "mail"] {
        let text = real().replacen("imap.example.org", host, 1).replacen("tls = \"implicit\"", "tls = \"none\"", 1);
        let message = world.load(&text).expect_err(host).to_string();
        assert!(message.contains(":40: mailbox.tls: without TLS, password and mail would go to"), "{message}");
        assert!(message.contains("localhost, 127.0.0.1 or ::1"), "{message}");
    }
    let text = real().replacen("imap.example.org", "::1", 1).replacen("tls = \"implicit\"", "tls = \"none\"", 1);
    let message = world.load(&text).unwrap_err().to_string();
    assert!(message.contains(":41: mailbox.ca: it means nothing with tls = \"none\"; remove it"), "{message}");
}

#[test]
fn a_secret_written_into_a_door_is_never_repeated_by_the_message() {
    let world = World::new();
    for (old, new) in [
        ("password = { file = \"keys/passphrase\" }\ntls", "password = \"hunter2\"\ntls"),
        ("password = { credential = \"smtp\" }", "password = \"hunter2\""),
        ("token = { env = \"GITHUB\" }", "token = \"hunter2\""),
        ("{ env = \"GITHUB\" }", "{ env = \"hunter2 \" }"),
        ("https://api.example.org/v3/", "https://u:hunter2@api.example.org"),
        ("https://api.example.org/v3/", "https://u:hunter2@[api"),
    ] {
        let text = real().replacen(old, new, 1);
        let message = world.load(&text).expect_err(new).to_string();
        assert!(!message.contains("hunter2"), "{message}");
    }
}

#[test]
fn the_documentation_explains_every_key() {
    let document = include_str!("../../docs/configuration.md");
    let lines = [GOOD, DOORS].into_iter().flat_map(str::lines);
    let keys = lines.filter_map(|line| line.split_once(" = ")).map(|(key, _)| key);
    let undocumented: Vec<&str> = keys.filter(|key| !document.contains(&format!("| `{key}` |"))).collect();
    assert!(undocumented.is_empty(), "{undocumented:?}");
}
