//! The command line: one file a command, and here what they share.
//!
//! Security: errors are printed as one line that says what, where and how to mend it. They are made of fixed words, paths of
//! the configuration and ids, never of mail.

mod cases;
pub mod check;
mod demo;
pub mod init;
mod inspect;
pub mod keys;
mod logging;
mod open_store;
pub mod output;
mod queue;
pub mod receive;
mod run;
mod status;

use crate::config::{self, Config, Secrets};
use clap::{Parser, Subcommand};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Exit codes of the public contract.
pub mod exit {
    pub const DONE: u8 = 0;
    pub const FAILED: u8 = 1;
    pub const WORK_LEFT: u8 = 3;
    pub const TRY_AGAIN: u8 = 75;
}

/// An encrypted email gateway for vulnerability reports.
#[derive(Parser)]
#[command(name = "embargod", version, about, max_term_width = 100)]
struct Arguments {
    /// The configuration file.
    #[arg(long, global = true, default_value = "/etc/embargod/embargod.toml", value_name = "FILE")]
    config: PathBuf,
    /// Folder of credentials; systemd sets it.
    #[arg(long, global = true, env = "CREDENTIALS_DIRECTORY", value_name = "DIR")]
    credentials: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show the whole job on an embedded set-up: no configuration, no network.
    Demo(demo::Arguments),
    /// Scaffold a configuration folder for a team.
    Init {
        /// The folder to make or to fill; this one where not given.
        #[arg(default_value = ".")]
        dir: PathBuf,
        /// The team's name.
        #[arg(long)]
        name: Option<String>,
        /// The team's address.
        #[arg(long)]
        address: Option<String>,
        /// What case numbers begin with.
        #[arg(long)]
        prefix: Option<String>,
    },
    /// The daemon: take reports in, deliver copies, open drafts.
    Run(run::Arguments),
    /// Take one mail from standard input (a Postfix pipe, `.forward`).
    Receive,
    /// Open one mail as the daemon would, and say what would happen. Changes and sends nothing.
    Inspect(inspect::Arguments),
    /// Validate configuration, keys and permissions.
    Check {
        /// Log in to the mailbox, the mail server and GitHub too. Nothing is sent or changed there.
        #[arg(long)]
        online: bool,
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Mailbox, queue, cases, keys and last errors.
    Status(status::Arguments),
    /// The cases.
    #[command(subcommand)]
    Cases(cases::Command),
    /// The outbox.
    #[command(subcommand)]
    Queue(queue::Command),
    /// The gateway's and the members' keys.
    #[command(subcommand)]
    Keys(KeysCommand),
}

#[derive(Subcommand)]
enum KeysCommand {
    /// All keys: use, fingerprint, days to expiry.
    List {
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Make a gateway key: a secret key file and the certificate beside it.
    Generate {
        /// Name in the user ID; the team's where there is a configuration.
        #[arg(long)]
        name: Option<String>,
        /// Address in the user ID; the team's where there is a configuration.
        #[arg(long)]
        address: Option<String>,
        /// The secret key file to write, ending in .sec.asc.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// File with the passphrase that locks the secret key.
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
}

/// What a command needs to know of its surroundings.
pub struct Context {
    /// `--config`
    pub config: PathBuf,
    /// Where secrets come from.
    pub secrets: Secrets,
}

/// Reads the command line and runs the command.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Usage errors are 2, help and version 0; clap knows.
            let code = error.exit_code();
            let _closed = error.print();
            return ExitCode::from(u8::try_from(code).unwrap_or(2));
        }
    };
    let context = Context { config: arguments.config, secrets: Secrets { credentials_dir: arguments.credentials } };
    logging::start(matches!(arguments.command, Command::Run(_)));
    let mut out = anstream::stdout().lock();
    let result = match arguments.command {
        Command::Demo(arguments) => demo::run(&arguments, &mut out),
        Command::Init { dir, name, address, prefix } => init::run(&init::Init { dir, name, address, prefix }, &mut out),
        Command::Run(arguments) => run::run(&context, &arguments, &mut out),
        Command::Receive => Ok(receive_mail(&context)),
        Command::Inspect(arguments) => inspect::run(&context, &arguments, &mut out),
        Command::Check { online, json } => check::run(&context.config, &context.secrets, online, json, &mut out),
        Command::Status(arguments) => status::run(&context, &arguments, &mut out),
        Command::Cases(command) => cases::run(&context, &command, &mut out),
        Command::Queue(command) => queue::run(&context, &command, &mut out),
        Command::Keys(command) => run_keys(&context, command, &mut out),
    };
    let code = match result.and_then(|code| out.flush().map(|()| code).map_err(anyhow::Error::from)) {
        Ok(code) => code,
        Err(error) if is_closed_pipe(&error) => exit::DONE,
        Err(error) => {
            drop(out);
            let _closed = writeln!(anstream::stderr(), "embargod: {error:#}");
            exit::FAILED
        }
    };
    ExitCode::from(code)
}

/// Somebody piped our output into `head`; that is no error of ours.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// A runtime for the commands that need one.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

fn receive_mail(context: &Context) -> u8 {
    let settings = Config::load(&context.config).and_then(|config| {
        Ok(receive::Settings {
            spool: config.spool(),
            certificate: config::spool_certificate(&config)?,
            max_size: config.limits.max_size,
        })
    });
    receive::run(settings, std::io::stdin().lock(), std::io::stderr().lock())
}

fn run_keys(context: &Context, command: KeysCommand, out: &mut dyn Write) -> anyhow::Result<u8> {
    match command {
        KeysCommand::List { json } => keys::list(&context.config, &context.secrets, json, out),
        KeysCommand::Generate { name, address, out: file, passphrase_file } => {
            // The team's own words, where there is a configuration already.
            let team = Config::load(&context.config).ok().map(|config| config.team);
            let wish = keys::Generate {
                name: name.or_else(|| team.as_ref().map(|team| team.name.clone())).unwrap_or_default(),
                address: address.or_else(|| team.map(|team| team.address)).unwrap_or_default(),
                out: file,
                passphrase_file,
                folder: context.config.parent().unwrap_or(std::path::Path::new(".")).to_owned(),
            };
            keys::generate(&wish, &context.secrets, out)
        }
    }
}
