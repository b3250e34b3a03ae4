use super::exit;
use clap::Args;
use std::io::Write;
#[derive(Args)]
pub(super) struct Arguments {
    #[arg(long)]
    dir: Option<std::path::PathBuf>,
}
pub(super) fn run(_: &Arguments, _: &mut dyn Write) -> anyhow::Result<u8> {
    Ok(exit::DONE)
}
