//! Draft advisories as files: `CASE.json`, the very body that GitHub's create call would get.
//!
//! Security: only a finished [`AdvisoryDraft`] is written, in a folder and files that nobody else can read (0700, 0600). A draft
//! appears whole and durable or not at all, and one that is there is never overwritten.

use crate::ports::{AdvisoryDesk, Answer, DeskError, Looked, Opened, PortError};
use crate::report::{AdvisoryDraft, Marker};
use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A folder of drafts.
pub struct Directory {
    folder: PathBuf,
}

impl Directory {
    /// Drafts go into this folder; it is made at the first draft.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }
}

impl AdvisoryDesk for Directory {
    /// The file's name is the case's, and a draft that is there is recognised.
    fn idempotent(&self) -> bool {
        true
    }

    /// Writes `CASE.json`; the link is that file name. The same draft again changes nothing.
    fn create<'a>(&'a self, draft: &'a AdvisoryDraft) -> Answer<'a, Result<Opened, DeskError>> {
        let name = format!("{}.json", draft.case());
        let folder = self.folder.clone();
        let (body, marker) = (draft.body_json(), draft.marker());
        Box::pin(async move {
            tokio::task::spawn_blocking(move || write(&folder, &name, &body, &marker).map(|()| Opened { link: name }))
                .await
                .unwrap_or_else(|_| Err(PortError::Temporary("writing a draft was cut short".to_owned())))
                .map_err(DeskError::from)
        })
    }

    /// Writing it again finds it: nothing need be looked for.
    fn find<'a>(
        &'a self,
        draft: &'a AdvisoryDraft,
        _since: jiff::Timestamp,
        _known: &'a [String],
    ) -> Answer<'a, Result<Looked, DeskError>> {
        Box::pin(async { Ok(Looked::There { opened: self.create(draft).await?, duplicates: 0 }) })
    }

    fn share<'a>(&'a self, _link: &'a str) -> Answer<'a, Result<(), DeskError>> {
        Box::pin(async { Ok(()) })
    }

    /// Who may read the folder is the file system's matter.
    fn shares(&self) -> bool {
        false
    }
}

fn write(folder: &Path, name: &str, body: &str, marker: &Marker) -> Result<(), PortError> {
    let path = folder.join(name);
    let failed = |what: &str, error: &io::Error| {
        PortError::Temporary(format!("cannot {what} {}: {error}; mend it, the draft is tried again", path.display()))
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| failed("make the folder of", &error))?;
    let mut file = tempfile::Builder::new()
        .prefix(".draft-")
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(folder)
        .map_err(|error| failed("write", &error))?;
    file.write_all(body.as_bytes()).map_err(|error| failed("write", &error))?;
    file.as_file().sync_all().map_err(|error| failed("make durable", &error))?;
    match file.persist_noclobber(&path) {
        Ok(_) => {}
        Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => same_draft(&path, marker)?,
        Err(refused) => return Err(failed("write", &refused.error)),
    }
    // The name is durable only with its folder; a draft found there may be from a run that was cut short before this.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| failed("make durable", &error))
}

/// Whether the draft that is there already is this one.
fn same_draft(path: &Path, marker: &Marker) -> Result<(), PortError> {
    let there = std::fs::read(path)
        .map_err(|error| PortError::Temporary(format!("cannot read the draft {}: {error}", path.display())))?;
    let found = serde_json::from_slice::<serde_json::Value>(&there)
        .ok()
        .and_then(|body| Marker::of_description(body.get("description")?.as_str()?));
    if found.as_ref() == Some(marker) {
        return Ok(());
    }
    Err(PortError::Permanent(format!(
        "{} holds another draft (its marker is not {marker}); it was left alone, move it away and retry",
        path.display()
    )))
}

#[cfg(test)]
#[path = "directory_tests.rs"]
mod tests;
