use super::*;
use crate::report::{CaseId, Template};
use std::os::unix::fs::MetadataExt;

fn draft(marker: u8) -> AdvisoryDraft {
    let template = Template::read("Component: runtime\nAffected: < 3.2.1\n", &["runtime".to_owned()]);
    AdvisoryDraft::stub(&CaseId::new("KATA", 2026, 1), &Marker::from_random([marker; 16]), &template)
}

fn files(folder: &Path) -> Vec<String> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn a_draft_becomes_a_private_file_that_holds_the_body_of_the_create_call() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("drafts");
    let Opened { link } = Directory::new(folder.clone()).create(&draft(1)).await.unwrap();
    assert_eq!(link, "KATA-2026-0001.json");
    assert_eq!(std::fs::read_to_string(folder.join(&link)).unwrap(), draft(1).body_json());
    assert_eq!(std::fs::metadata(folder.join(&link)).unwrap().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
    assert_eq!(files(&folder), [link]);
}

#[tokio::test]
async fn the_same_draft_again_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let desk = Directory::new(home.path().to_owned());
    desk.create(&draft(1)).await.unwrap();
    let before = std::fs::metadata(home.path().join("KATA-2026-0001.json")).unwrap();
    assert_eq!(desk.create(&draft(1)).await.unwrap(), Opened { link: "KATA-2026-0001.json".into() });
    let after = std::fs::metadata(home.path().join("KATA-2026-0001.json")).unwrap();
    assert_eq!((before.ino(), before.mtime_nsec()), (after.ino(), after.mtime_nsec()));
    assert_eq!(files(home.path()).len(), 1);
}

#[tokio::test]
async fn another_draft_under_the_same_name_is_refused_for_good_and_the_first_one_stays() {
    let home = tempfile::tempdir().unwrap();
    let desk = Directory::new(home.path().to_owned());
    desk.create(&draft(1)).await.unwrap();
    let refused = desk.create(&draft(2)).await.unwrap_err();
    assert!(matches!(&refused, DeskError::Permanent(why) if why.contains("KATA-2026-0001.json")), "{refused}");
    let there = std::fs::read_to_string(home.path().join("KATA-2026-0001.json")).unwrap();
    assert_eq!(there, draft(1).body_json());
    assert_eq!(files(home.path()).len(), 1);
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_tried_again() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("file"), b"").unwrap();
    let refused = Directory::new(home.path().join("file/drafts")).create(&draft(1)).await.unwrap_err();
    assert!(matches!(refused, DeskError::Temporary(_)), "{refused}");
}

#[tokio::test]
async fn a_file_system_that_takes_no_file_is_tried_again() {
    let refused =
        write(Path::new("/proc/self"), "KATA-2026-0001.json", "{}", &Marker::from_random([1; 16])).unwrap_err();
    assert!(matches!(refused, PortError::Temporary(_)), "{refused}");
}
