//! Zips that no honest writer makes.

use import::{ImportError, MemberFault};

use crate::support::{PROGRAM, Part, archive, model, program_without_weight, zip, zip64};

fn fault(parts: &[Part]) -> MemberFault {
    match import::read(&zip(parts)).unwrap_err() {
        ImportError::Member { fault, .. } => fault,
        other => panic!("{other}"),
    }
}

fn with(part: Part) -> Vec<Part> {
    let mut parts = archive(&program_without_weight());
    parts.push(part);
    parts
}

#[test]
fn the_smallest_archive_reads() {
    let read = zip(&archive(&program_without_weight()));
    assert_eq!(import::read(&read).unwrap().model, "model");
    assert!(import::read(&read).unwrap().sample_inputs().unwrap().is_none());
}

#[test]
fn large_archives_have_wide_numbers() {
    let parts = with(Part::deflated("m/data/extra", &[7; 1000]));
    let read = zip64(&parts);
    let archive = import::read(&read).unwrap();
    assert_eq!(*archive.zip().read("m/data/extra").unwrap(), [7; 1000]);
    assert_eq!(archive.zip().names().count(), parts.len());
    // Wide numbers that lead nowhere.
    for from in read.len() - 98..read.len() {
        let mut bytes = read.clone();
        bytes[from] ^= 0xa5;
        drop(import::read(&bytes));
    }
    let huge = Part { header: Some(u32::MAX), ..Part::stored("m/x", "x") };
    assert!(matches!(import::read(&zip(&with(huge))).unwrap_err().kind(), "container"));
}

#[test]
fn what_is_not_a_zip_is_refused() {
    for bytes in [&b""[..], b"PK", &[0; 100], b"PK\x05\x06"] {
        assert_eq!(import::read(bytes).unwrap_err().kind(), "container");
    }
    let whole = model("tiny_2.15.pt2");
    for len in (0..whole.len()).step_by(97) {
        assert_eq!(import::read(&whole[..len]).unwrap_err().kind(), "container");
    }
    let empty = zip(&[]);
    assert_eq!(import::read(&empty).unwrap_err().kind(), "not-an-export");
}

#[test]
fn names_that_climb_out_are_refused() {
    for name in ["../x", "m/../../x", "/x", "m\\x", "m/x\0", "c:x", "", "..", "../"] {
        assert_eq!(fault(&with(Part::stored(name, "x"))), MemberFault::ClimbsOut, "{name:?}");
    }
    let name = b"m/\xff".to_vec();
    assert_eq!(fault(&with(Part { name, ..Part::default() })), MemberFault::NotUtf8);
}

#[test]
fn members_that_share_bytes_or_names_are_refused() {
    let twice = with(Part::stored("m/archive_format", "pt2"));
    assert_eq!(fault(&twice), MemberFault::Duplicate);
    let long = Part::stored("m/long", [0; 100]);
    // A second entry for the header of the first member, which has the same name.
    let mut parts = with(long.clone());
    parts.insert(0, Part::stored("m/a", "a"));
    parts.push(Part { header: Some(0), ..Part::stored("m/a", "a") });
    assert_eq!(fault(&parts), MemberFault::Duplicate);
    // A member inside another's data.
    let inner = {
        let mut local = zip(&[Part::stored("m/b", "b")]);
        local.truncate(34);
        local
    };
    let mut parts = with(long);
    parts.insert(0, Part::stored("m/a", &inner));
    parts.push(Part { header: Some(33), ..Part::stored("m/b", "b") });
    assert_eq!(fault(&parts), MemberFault::Overlaps { other: "m/a".into() });
    let lost = Part { header: Some(7), ..Part::stored("m/b", "b") };
    assert_eq!(fault(&with(lost)), MemberFault::Damaged("it has no local header"));
    let lost = Part { header: Some(0), ..Part::stored("m/b", "b") };
    let other = MemberFault::Damaged("its two headers name it differently");
    assert_eq!(fault(&with(lost)), other);
}

#[test]
fn bombs_and_ciphers_are_refused() {
    let zeros = Part::deflated("m/zeros", &[0; 100_000]);
    assert!(import::read(&zip(&with(zeros.clone()))).is_ok());
    let claims = Part { size: Some(1 << 31), ..zeros.clone() };
    assert!(matches!(fault(&with(claims)), MemberFault::TooLarge { .. }));
    // Each is plausible; all of them together are too many.
    let mut parts = archive(&program_without_weight());
    for position in 0..40 {
        let name = format!("m/{position}").into_bytes();
        let data = vec![0; 60_000];
        parts.push(Part { name, data, size: Some(60_000_000), ..zeros.clone() });
    }
    assert!(matches!(fault(&parts), MemberFault::TooLarge { limit: 2_147_483_648, .. }));
    let encrypted = Part { flags: 1, ..Part::stored("m/x", "x") };
    assert_eq!(fault(&with(encrypted)), MemberFault::Encrypted);
    let packed = Part { method: 93, ..Part::stored("m/x", "x") };
    assert_eq!(fault(&with(packed)), MemberFault::Method(93));
    let stored = Part { size: Some(9), ..Part::stored("m/x", "x") };
    assert!(matches!(fault(&with(stored)), MemberFault::Damaged(_)));
}

#[test]
fn a_deflated_member_has_the_size_it_claims() {
    let program = program_without_weight();
    let honest = Part::deflated("m/models/model.json", program.as_bytes());
    let size = u32::try_from(program.len()).unwrap();
    let mut parts = archive("");
    for (part, damaged) in [
        (honest.clone(), false),
        (Part { size: Some(size - 1), ..honest.clone() }, true),
        (Part { size: Some(size + 1), ..honest.clone() }, true),
        (Part { data: b"nonsense".repeat(100), ..honest.clone() }, true),
    ] {
        parts[0] = part;
        match import::read(&zip(&parts)) {
            Ok(_) => assert!(!damaged),
            Err(error) => assert!(damaged && error.to_string().contains("is damaged"), "{error}"),
        }
    }
}

#[test]
fn an_archive_without_its_parts_says_which() {
    let whole = archive(PROGRAM);
    for (position, message) in [
        (0, "not an archive of torch.export.save: it holds no program"),
        (1, "the archive has no member `m/data/weights/model_weights_config.json`"),
        (2, "the archive has no member `m/data/constants/model_constants_config.json`"),
        (3, "neither `serialized_exported_program.json` nor `<folder>/archive_format`"),
    ] {
        let mut parts = whole.clone();
        parts.remove(position);
        let error = import::read(&zip(&parts)).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    let mut parts = whole;
    parts.push(Part::stored("m/byteorder", "big"));
    assert_eq!(fault(&parts), MemberFault::BigEndian);
}
