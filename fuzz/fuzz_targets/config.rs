//! Any bytes as a configuration file: it is read or refused, and a refusal is one line that names the file.
#![no_main]

use embargod::config::Config;
use embargod_fuzz::bounds::{bounded, watch};
use std::sync::LazyLock;
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder can be made"));

libfuzzer_sys::fuzz_target!(init: watch(), |data: &[u8]| {
    let file = FOLDER.path().join("embargod.toml");
    std::fs::write(&file, data).expect("a file can be written");
    match bounded(data.len(), || Config::load(&file)) {
        Ok(config) => {
            let rules = bounded(data.len(), || config.rules());
            assert!(!rules.team_address.is_empty() && !config.admin_ids().contains(&String::new()));
            let _ = config.identity();
        }
        Err(error) => {
            let told = error.to_string();
            assert!(told.contains("embargod.toml"), "it does not say where: {told:?}");
            assert!(!told.chars().any(|c| c.is_control() && c != '\n'), "control characters in {told:?}");
        }
    }
});
