//! A private Postfix: own configuration, queue and log. It needs root to start; its parts run as the user `postfix`.
//!
//! Security: only 127.0.0.1 is listened on, only Dovecot's LMTP is delivered to.

use super::mta::{Doors, Setting, token};
use super::{DOMAINS, service};
use std::path::{Path, PathBuf};
use std::process::Command;

pub(super) fn missing() -> Option<&'static str> {
    let found = service::program(&["/usr/sbin/postfix"]).is_some() && daemons().is_some();
    (!found).then_some("Postfix (Debian: postfix)")
}

fn daemons() -> Option<PathBuf> {
    let folders = ["/usr/lib/postfix/sbin", "/usr/libexec/postfix", "/usr/lib/postfix"];
    folders.iter().map(PathBuf::from).find(|folder| folder.join("master").exists())
}

pub(super) fn prepare(setting: &Setting<'_>) {
    let folder = setting.folder;
    for name in ["etc", "queue", "data", "log"] {
        std::fs::create_dir_all(folder.join(name)).unwrap();
    }
    let postfix = service::id(&["-u", "postfix"]).parse().unwrap();
    std::os::unix::fs::chown(folder.join("data"), Some(postfix), None).unwrap();
    std::fs::write(folder.join("etc/main.cf"), main_cf(setting)).unwrap();
    std::fs::write(folder.join("etc/master.cf"), master_cf(&setting.doors)).unwrap();
    let made = Command::new("/usr/sbin/postfix").arg("-c").arg(folder.join("etc")).arg("check").output().unwrap();
    assert!(made.status.success(), "postfix check: {}", String::from_utf8_lossy(&made.stderr));
}

pub(super) fn command(folder: &Path) -> Vec<String> {
    let etc = folder.join("etc").display().to_string();
    vec![daemons().unwrap().join("master").display().to_string(), "-c".into(), etc]
}

fn main_cf(setting: &Setting<'_>) -> String {
    let folder = setting.folder.display();
    let (lmtp, sasl) = (setting.backend.lmtp, setting.backend.sasl);
    let token = token(setting.folder);
    format!(
        "compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = {}
meta_directory = /etc/postfix
mail_owner = postfix
setgid_group = postdrop
syslog_name = postfix-{token}
maillog_file = {folder}/log/mail.log
maillog_file_prefixes = {folder}
import_environment = MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C POSTLOG_SERVICE POSTLOG_HOSTNAME TMPDIR
myhostname = {token}.test.example
mydomain = test.example
smtpd_banner = $myhostname ESMTP
mydestination =
inet_interfaces = loopback-only
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
disable_dns_lookups = yes
smtp_host_lookup = native
virtual_mailbox_domains = {}
virtual_mailbox_maps = static:all
always_add_missing_headers = no
virtual_alias_maps =
recipient_delimiter = +
virtual_transport = lmtp:inet:127.0.0.1:{lmtp}
default_transport = error:no delivery outside
relay_transport = error:no delivery outside
local_transport = error:no local delivery
local_recipient_maps =
alias_maps =
alias_database =
smtpd_tls_cert_file = {folder}/server.pem
smtpd_tls_key_file = {folder}/server.key
smtpd_tls_security_level = may
smtpd_tls_session_cache_database =
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{sasl}
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions =
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_error_sleep_time = 0
smtpd_peername_lookup = no
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
lmtp_destination_recipient_limit = 1
lmtp_connection_cache_on_demand = no
message_size_limit = {}
mailbox_size_limit = 0
virtual_mailbox_limit = 0
in_flow_delay = 0
service_throttle_time = 1s
{}
",
        daemons().unwrap().display(),
        DOMAINS.join(" "),
        setting.options.size_limit,
        setting.options.extra
    )
}

fn master_cf(doors: &Doors) -> String {
    let Doors { smtp, submission, submissions, plain } = doors;
    let login = "-o smtpd_sasl_auth_enable=yes -o smtpd_client_restrictions=permit_sasl_authenticated,reject";
    format!(
        "127.0.0.1:{smtp} inet n - n - - smtpd
127.0.0.1:{submission} inet n - n - - smtpd -o syslog_name=submission -o smtpd_tls_security_level=encrypt -o smtpd_tls_auth_only=yes {login}
127.0.0.1:{submissions} inet n - n - - smtpd -o syslog_name=submissions -o smtpd_tls_wrappermode=yes {login}
127.0.0.1:{plain} inet n - n - - smtpd -o syslog_name=plain -o smtpd_tls_security_level=none {login}
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"
    )
}
