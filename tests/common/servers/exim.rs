//! A private Exim, for tests that do not run as root: Postfix needs root, and Debian's Exim delivers nothing as root.
//!
//! Security: the program is copied, so that it has no setuid bit; everything runs as the tests' own user, on loopback.

use super::mta::{Doors, Setting, token};
use super::{DOMAINS, service};
use std::path::{Path, PathBuf};

pub(super) fn missing() -> Option<&'static str> {
    binary().is_none().then_some("Exim (Debian: exim4-daemon-light)")
}

fn binary() -> Option<PathBuf> {
    let named = std::env::var_os("EXIM").map(PathBuf::from).filter(|path| path.exists());
    named.or_else(|| service::program(&["/usr/sbin/exim4", "/usr/sbin/exim", "/usr/local/sbin/exim"]))
}

pub(super) fn prepare(setting: &Setting<'_>) {
    for name in ["spool", "log", "bin"] {
        std::fs::create_dir_all(setting.folder.join(name)).unwrap();
    }
    let copy = setting.folder.join("bin/exim");
    std::fs::copy(binary().unwrap(), &copy).unwrap();
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(setting.folder.join("exim.conf"), configuration(setting)).unwrap();
}

pub(super) fn command(folder: &Path) -> Vec<String> {
    let path = |name: &str| folder.join(name).display().to_string();
    // In the foreground, looking at the queue every second.
    vec![path("bin/exim"), "-C".into(), path("exim.conf"), "-bdf".into(), "-q1s".into()]
}

fn configuration(setting: &Setting<'_>) -> String {
    let folder = setting.folder.display();
    let Doors { smtp, submission, submissions, plain } = setting.doors;
    let (user, group) = (service::id(&["-un"]), service::id(&["-gn"]));
    let domains = DOMAINS.join(" : ");
    let (lmtp, passwd) = (setting.backend.lmtp, setting.backend.passwd.display());
    let name = token(setting.folder);
    format!(
        "exim_path = {folder}/bin/exim
exim_user = {user}
exim_group = {group}
never_users =
deliver_drop_privilege = true
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/exim.pid
primary_hostname = {name}.test.example
smtp_banner = $primary_hostname ESMTP
local_interfaces = <; [127.0.0.1]:{smtp} ; [127.0.0.1]:{submission} ; [127.0.0.1]:{submissions} ; [127.0.0.1]:{plain}
daemon_smtp_ports = {smtp}
tls_on_connect_ports = {submissions}
tls_advertise_hosts = ${{if eq{{$received_port}}{{{plain}}}{{}}{{*}}}}
tls_certificate = {folder}/server.pem
tls_privatekey = {folder}/server.key
smtp_accept_max = 200
smtp_accept_max_per_host =
queue_run_max = 5
message_size_limit = {size}
acl_smtp_rcpt = rcpt
acl_smtp_auth = accept
host_lookup =
rfc1413_query_timeout = 0s
dns_again_means_nonexist = *
keep_environment = TMPDIR
{extra}
begin acl
rcpt:
  deny message = authentication required
       condition = ${{if eq{{$received_port}}{{{smtp}}}{{no}}{{yes}}}}
       !authenticated = *
  accept domains = {domains}
  deny message = no delivery outside
begin routers
local:
  driver = manualroute
  domains = {domains}
  transport = dovecot
  route_list = * 127.0.0.1 byname
  self = send
  host_find_failed = defer
begin transports
dovecot:
  driver = smtp
  protocol = lmtp
  port = {lmtp}
  allow_localhost
  hosts_try_dane = :
  hosts_avoid_tls = *
begin retry
* * F,1h,1s
begin authenticators
PLAIN:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if eq{{\\{{PLAIN\\}}$auth3}}{{${{lookup{{${{extract{{1}}{{@}}{{$auth2}}}}}}lsearch{{{passwd}}}}}}}}}
  server_set_id = $auth2
  server_advertise_condition = ${{if or{{{{def:tls_in_cipher}}{{eq{{$received_port}}{{{plain}}}}}}}}}
LOGIN:
  driver = plaintext
  public_name = LOGIN
  server_prompts = <| Username: | Password:
  server_condition = ${{if eq{{\\{{PLAIN\\}}$auth2}}{{${{lookup{{${{extract{{1}}{{@}}{{$auth1}}}}}}lsearch{{{passwd}}}}}}}}}
  server_set_id = $auth1
  server_advertise_condition = ${{if or{{{{def:tls_in_cipher}}{{eq{{$received_port}}{{{plain}}}}}}}}}
",
        size = setting.options.size_limit,
        extra = setting.options.extra
    )
}
