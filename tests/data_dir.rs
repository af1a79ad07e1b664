//! The data directory and the ring's file: one owner, nothing taken for what it is not.

use weir::bridge::receipts::{self, data_dir::DataDir, recovery};

#[test]
fn a_data_directory_has_one_owner_and_is_closed_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("deep/data");
    let held = DataDir::lock(&path).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);

    let error = DataDir::lock(&path).unwrap_err();
    assert!(error.to_string().contains("in use by another weir process"), "{error}");

    drop(held);
    DataDir::lock(&path).unwrap();
}

#[test]
fn a_file_that_is_no_ring_is_set_aside_and_said() {
    let home = tempfile::tempdir().unwrap();
    let dir = DataDir::lock(home.path()).unwrap();
    for junk in [&b""[..], &[0xa5; 9000]] {
        std::fs::write(home.path().join("ring"), junk).unwrap();
        let left = recovery::recover(&dir).unwrap();
        assert_eq!((left.corrupt, left.records().count()), (1, 0));
        assert_eq!(std::fs::read(home.path().join("ring.corrupt")).unwrap(), junk);
    }
    let none = recovery::recover(&dir).unwrap();
    assert_eq!(none.corrupt, 0);
}

#[test]
fn a_ring_too_small_for_its_cores_does_not_start() {
    let home = tempfile::tempdir().unwrap();
    let dir = DataDir::lock(home.path()).unwrap();
    let none = recovery::recover(&dir).unwrap();
    let error = receipts::create(&dir, none, 4096 + 31 * 512, 2).err().unwrap();
    assert!(error.to_string().contains("does not suit 2 cores"), "{error}");
}
