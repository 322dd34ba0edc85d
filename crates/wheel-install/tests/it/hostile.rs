//! Wheels that are refused. Each message names the package, and the member where it is one.

use crate::wheel::{
    DEFLATE, METADATA, Member, Place, WHEEL, archive, deflate, members, members_with_record,
    record_row,
};

/// Paths and contents.
type Files<'a> = &'a [(&'a str, &'a [u8])];
/// Makes a member lie.
type Change = fn(&mut Member);

/// The message for an archive, which must name package and wheel.
fn refused(bytes: &[u8]) -> String {
    let message = Place::new(bytes).install().unwrap_err();
    let start = "error: package `thing 1.0`, wheel `DIR/thing-1.0-py3-none-any.whl`: ";
    let rest = message
        .strip_prefix(start)
        .unwrap_or_else(|| panic!("{message}"));
    let hint = rest
        .find("\n\nhint: lock another version")
        .unwrap_or_else(|| panic!("{message}"));
    rest[..hint].to_owned()
}

/// The message for a wheel with one more member, which RECORD lists.
fn refused_with(member: Member) -> String {
    let mut all = members(&[]);
    all.insert(0, member);
    refused(&archive(&all))
}

#[track_caller]
fn assert_each(cases: &[(&str, &str)], message: impl Fn(&str) -> String) {
    for (case, expected) in cases {
        let found = message(case);
        assert!(found.contains(expected), "{case:?}: {found}");
    }
}

#[test]
fn err_a_path_that_leads_out() {
    let cases = [
        (
            "../evil.py",
            "member `../evil.py`: its path has `.` or `..`",
        ),
        ("thing/../../evil.py", "its path has `.` or `..`"),
        ("./evil.py", "its path has `.` or `..`"),
        ("thing//evil.py", "its path has an empty part"),
        ("/etc/passwd", "member `/etc/passwd`: its path is absolute"),
        ("thing\\evil.py", "its path has a backslash"),
        ("..\\evil.py", "its path has a backslash"),
        ("C:/evil.py", "its path has a drive letter"),
        (
            "thing/a\0b.py",
            "member `thing/a\\u{0}b.py`: its path has a control character",
        ),
        ("thing/a\nb.py", "its path has a control character"),
        ("thing/..", "its path has `.` or `..`"),
        ("", "its path has an empty part"),
        ("/", "its path has an empty part"),
    ];
    assert_each(&cases, |path| refused_with(Member::new(path, "x")));
    let long = "n".repeat(300);
    let found = refused_with(Member::new(&long, "x"));
    assert!(found.contains("255 bytes"), "{found}");
    let long = "thing/".repeat(1000);
    let found = refused_with(Member::new(long + "x", "x"));
    assert!(found.contains("2048 bytes"), "{found}");
}

#[test]
fn err_a_directory_that_leads_out() {
    let cases = [
        ("../evil/", "its path has `.` or `..`"),
        ("/evil/", "its path is absolute"),
        ("thing/.wh.evil/", "whiteout"),
    ];
    assert_each(&cases, |path| {
        refused_with(Member::stored(path, "").with(|member| member.mode = 0o040_755))
    });
}

#[test]
fn err_a_data_path_that_leads_out() {
    let cases = [
        (
            "thing-1.0.data/scripts/../../evil",
            "its path has `.` or `..`",
        ),
        (
            "thing-1.0.data/data/../../../../etc/passwd",
            "its path has `.` or `..`",
        ),
        (
            "thing-1.0.data/data//etc/passwd",
            "its path has an empty part",
        ),
        ("thing-1.0.data/evil/x", "its scheme is none of"),
        ("thing-1.0.data/x", "it lies in no scheme"),
        ("thing-1.0.data/scripts/.wh.python3", "whiteout"),
    ];
    assert_each(&cases, |path| refused(&archive(&members(&[(path, b"x")]))));
}

#[test]
fn err_a_whiteout() {
    let cases = [
        (
            "thing/.wh.__init__.py",
            "member `thing/.wh.__init__.py`: its name is a whiteout",
        ),
        (".wh..wh..opq", "whiteout"),
        ("thing-1.0.data/data/etc/.wh.shadow", "whiteout"),
        ("thing/.wh.x/y.py", "whiteout"),
    ];
    assert_each(&cases, |path| refused(&archive(&members(&[(path, b"x")]))));
}

#[test]
fn err_an_entry_point_that_leads_out() {
    let cases = [
        ("../evil = m:f", "is a path"),
        ("/evil = m:f", "is a path"),
        (".. = m:f", "`.` or `..`"),
        (".wh.python3 = m:f", "whiteout"),
        ("a = m:f; import os", "no name in Python"),
        ("a = m:f\n  g", "a value of two lines"),
        ("a = m", "names no function"),
    ];
    assert_each(&cases, |line| {
        let text = format!("[console_scripts]\n{line}\n");
        let path = "thing-1.0.dist-info/entry_points.txt";
        let found = refused(&archive(&members(&[(path, text.as_bytes())])));
        assert!(
            found.starts_with(&format!("member `{path}`: line ")),
            "{found}"
        );
        found
    });
}

#[test]
fn err_a_record_path_that_leads_out() {
    let cases = [
        (
            "../evil.py,,",
            "its row for `../evil.py`: its path has `.` or `..`",
        ),
        ("/etc/passwd,,", "its path is absolute"),
        ("thing\\evil.py,,", "its path has a backslash"),
        (
            "\"a\nb\",,",
            "its row for `a\\nb`: its path has a control character",
        ),
        (".wh.x,,", "whiteout"),
    ];
    assert_each(&cases, |row| {
        refused(&archive(&members_with_record(&[], |record| {
            format!("{record}{row}\n")
        })))
    });
}

#[test]
fn err_a_record_that_lies() {
    let file: [(&str, &[u8]); 1] = [("thing.py", b"x = 1\n")];
    let honest = record_row("thing.py", b"x = 1\n");
    let other = record_row("thing.py", b"x = 2\n");
    let (path_and_hash, _) = honest.trim_end().rsplit_once(',').unwrap();
    let longer = format!("{path_and_hash},7\n");
    let no_hash = "thing.py,,6\n".to_owned();
    let weak = "thing.py,sha1=AAAAAAAAAAAAAAAAAAAAAAAAAAA,6\n".to_owned();
    let md5 = "thing.py,md5=AAAAAAAAAAAAAAAAAAAAAA,6\n".to_owned();
    let negative = format!("{path_and_hash},-6\n");
    let wide = format!("{},x\n", honest.trim_end());
    let cases = [
        (other.as_str(), "member `thing.py`: its hash is "),
        (
            &longer,
            "member `thing.py`: it has 6 bytes, and RECORD says 7",
        ),
        ("", "member `thing.py`: RECORD does not list it"),
        (&no_hash, "member `thing.py`: RECORD has no hash of it"),
        (&weak, "the hash is not SHA-256 or better"),
        (&md5, "the hash is not SHA-256 or better"),
        (&negative, "the size is not a number"),
        (&wide, "a row has 4 fields, expected 3"),
    ];
    assert_each(&cases, |row| {
        refused(&archive(&members_with_record(&file, |record| {
            record.replace(&honest, row)
        })))
    });
    let twice = members_with_record(&file, |record| format!("{record}{honest}"));
    assert!(refused(&archive(&twice)).contains("its row for `thing.py`: it is there twice"));
    let extra = members_with_record(&file, |record| record + &record_row("gone.py", b""));
    assert!(
        refused(&archive(&extra))
            .contains("member `gone.py`: RECORD lists it, and the archive does not have it")
    );
    let itself = members_with_record(&file, |record| {
        record.replace("RECORD,,", "RECORD,sha256=AA,1")
    });
    assert!(refused(&archive(&itself)).contains("it lists its own hash or size"));
    let mut binary = members(&file);
    let last = binary.len() - 1;
    binary[last] = Member::new("thing-1.0.dist-info/RECORD", b"\xff,,\n");
    assert!(refused(&archive(&binary)).contains("it is not UTF-8"));
}

#[test]
fn err_names_that_are_there_twice() {
    let cases = [
        (
            "thing/a.py",
            "member `thing/a.py`: the archive has it twice",
        ),
        (
            "thing/A.py",
            "member `thing/A.py`: it differs from `thing/a.py` in case alone",
        ),
        ("Thing/a.py", "it differs from `thing/a.py` in case alone"),
    ];
    assert_each(&cases, |path| {
        let mut all = members(&[("thing/a.py", b"x")]);
        all.insert(1, Member::new(path, "y"));
        refused(&archive(&all))
    });
}

#[test]
fn err_two_members_for_one_place() {
    let cases: [(Files<'_>, &str); 6] = [
        (
            &[("a.py", b"x"), ("thing-1.0.data/purelib/a.py", b"y")],
            "member `thing-1.0.data/purelib/a.py`: `a.py` is installed to the same path",
        ),
        (
            &[
                ("thing-1.0.data/purelib/A.py", b"x"),
                ("thing-1.0.data/platlib/a.py", b"y"),
            ],
            "is installed to the same path",
        ),
        (
            &[
                ("thing-1.0.data/scripts/tool", b"x"),
                (
                    "thing-1.0.dist-info/entry_points.txt",
                    b"[console_scripts]\ntool = m:f\n",
                ),
            ],
            "`tool` is installed to the same path",
        ),
        (
            &[("thing-1.0.dist-info/INSTALLER", b"x")],
            "is installed to the same path",
        ),
        (
            &[
                (
                    "thing-1.0.data/data/lib/python3.14t/site-packages/a.py",
                    b"x",
                ),
                ("a.py", b"y"),
            ],
            "is installed to the same path",
        ),
        (
            &[("a", b"x"), ("a/b", b"y")],
            "member `a`: other members need a directory there",
        ),
    ];
    for (files, expected) in cases {
        let found = refused(&archive(&members(files)));
        assert!(found.contains(expected), "{files:?}: {found}");
    }
}

#[test]
fn err_what_is_no_file() {
    for (mode, expected) in [
        (0o120_777, "member `thing/x`: it is a link"),
        (0o020_666, "it is a device, pipe or socket"),
        (0o060_666, "it is a device, pipe or socket"),
        (0o010_666, "it is a device, pipe or socket"),
        (0o140_666, "it is a device, pipe or socket"),
        (0o040_755, "it is a directory, and its path that of a file"),
    ] {
        let found = refused_with(Member::new("thing/x", "/etc").with(|member| member.mode = mode));
        assert!(found.contains(expected), "{mode:o}: {found}");
    }
    let full = Member::stored("thing/", "content").with(|member| member.mode = 0o040_755);
    assert!(refused_with(full).contains("it is a directory with content"));
}

#[test]
fn err_a_name_that_is_not_utf8() {
    let found = refused_with(Member::new(b"thing/\xff.py", "x"));
    assert_eq!(found, "member `thing/\u{fffd}.py`: its path is not UTF-8");
    let unsaid = Member::new("thing/ü.py", "x").with(|member| member.flags = 0);
    assert!(refused_with(unsaid).contains("does not say that it is UTF-8"));
    // Info-ZIP's second name: version, checksum of the first name, the name.
    let second = Member::new("thing/a.py", "x").with(|member| {
        member.extra = [&[0x75, 0x70, 6, 0, 1, 0, 0, 0, 0][..], b"b"].concat();
    });
    assert!(refused_with(second).contains("it has a second path"));
}

#[test]
fn err_what_cannot_be_unpacked() {
    for flag in [0, 5, 6, 13] {
        let member = Member::new("thing/x", "x").with(|member| member.flags |= 1 << flag);
        let found = refused_with(member);
        assert_eq!(found, "member `thing/x`: it is encrypted or a patch");
    }
    for method in [1, 9, 12, 14, 93, 99] {
        let member = Member::new("thing/x", "x").with(|member| member.method = method);
        let found = refused_with(member);
        assert!(
            found.contains(&format!("it is packed by method {method}, ")),
            "{found}"
        );
    }
}

/// A wheel whose one file is honest in RECORD, and not in the archive.
fn refused_file(content: &[u8], change: impl FnOnce(&mut Member)) -> String {
    let mut all = members(&[("thing/x", content)]);
    change(&mut all[0]);
    refused(&archive(&all))
}

#[test]
fn err_sizes_and_checksums_that_lie() {
    let content = b"some text that is some text";
    let cases: [(&str, Change); 8] = [
        ("it has more than the 3 bytes", |member| member.size = 3),
        ("it has fewer than the 99 bytes", |member| member.size = 99),
        ("its checksum is not what the archive says", |member| {
            member.crc ^= 1
        }),
        ("two values for its size or checksum", |member| {
            member.listed_size = Some(3)
        }),
        ("two values for its size or checksum", |member| {
            member.listed_crc = Some(3)
        }),
        ("it has bytes behind its end", |member| {
            member.packed.push(0);
            member.packed_size += 1;
        }),
        ("it ends too early", |member| {
            member.packed.truncate(4);
            member.packed_size = 4;
        }),
        ("it is stored, and has two sizes", |member| {
            member.method = 0
        }),
    ];
    for (expected, change) in cases {
        let found = refused_file(content, change);
        assert!(found.starts_with("member `thing/x`: "), "{found}");
        assert!(found.contains(expected), "{expected}: {found}");
    }
    let broken = refused_file(content, |member| {
        member.packed = vec![0xff; 9];
        member.packed_size = 9;
    });
    assert!(broken.contains("it cannot be inflated"), "{broken}");
}

#[test]
fn err_a_descriptor_that_lies() {
    let content = b"some text";
    let size = u32::try_from(content.len()).unwrap();
    let crc = zlib_rs::crc32::crc32(0, content);
    for (size, crc) in [(size + 1, crc), (size, crc ^ 1), (0, 0)] {
        let found = refused_file(content, |member| {
            *member = member.clone().with_descriptor(size, crc);
        });
        assert!(
            found.contains("two values for its size or checksum"),
            "{found}"
        );
    }
    // One that is announced and not there.
    let found = refused_file(content, |member| member.flags |= 1 << 3);
    assert!(found.starts_with("member `thing/x`: "), "{found}");
}

#[test]
fn err_sizes_of_64_bits_that_lie() {
    // All bits set means that the size is in an extra field, which is not there.
    let found = refused_file(b"x", |member| member.listed_size = Some(u32::MAX));
    assert!(
        found.contains("two values for its size or checksum"),
        "{found}"
    );
    let found = refused_file(b"x", |member| {
        member.listed_size = Some(u32::MAX);
        member.extra = [&[1, 0, 8, 0][..], &u64::MAX.to_le_bytes()].concat();
    });
    assert!(
        found.contains("two values for its size or checksum"),
        "{found}"
    );
    let found = refused_file(b"x", |member| member.offset = Some(u32::MAX));
    assert!(
        found.starts_with("member `thing/x`: it cannot be read"),
        "{found}"
    );
}

#[test]
fn err_a_bomb() {
    let zeros = vec![0; 100 << 20];
    let mut all = members(&[("thing/zeros", &zeros)]);
    let found = refused(&archive(&all));
    assert!(
        found.starts_with("member `thing/zeros`: with it the archive of "),
        "{found}"
    );
    // What the archive says is little: unpacking stops there.
    all[0].size = 10;
    let found = refused(&archive(&all));
    assert!(found.contains("it has more than the 10 bytes"), "{found}");
}

#[test]
fn err_too_many_members() {
    let all: Vec<Member> = (0..=200_000_u32)
        .map(|index| Member::empty(format!("{index:06}")))
        .collect();
    let found = refused(&archive(&all));
    assert_eq!(found, "the archive has more than 200000 members");
}

#[test]
fn err_a_list_that_lies() {
    let all = members(&[("thing/a", b"a"), ("thing/b", b"b")]);
    let bytes = archive(&all);
    let mut fewer = bytes.clone();
    let end = bytes.len() - 22;
    for at in [end + 8, end + 10] {
        fewer[at] -= 1;
    }
    let found = refused(&fewer);
    assert!(
        found.contains("says that it has 4 members, and lists 5"),
        "{found}"
    );
    assert!(refused(&bytes[..bytes.len() - 1]).contains("it is not a sound zip archive"));
    assert!(refused(b"").contains("it is not a sound zip archive"));
    let mut before = b"#!/bin/sh\n".to_vec();
    before.extend(&bytes);
    assert!(refused(&before).contains("bytes before its first member"));
}

#[test]
fn err_members_that_overlap() {
    let mut all = members(&[("thing/a", b"a"), ("thing/b", b"b")]);
    // The second is where the first is, and its own place is not used.
    all[1].offset = Some(0);
    assert!(refused(&archive(&all)).contains("two values for its path"));
    // The bytes of the first hold a whole second member.
    let inner = archive(&[Member::stored("thing/b", "b")]);
    let end_of_inner = inner
        .windows(4)
        .position(|part| part == b"PK\x01\x02")
        .unwrap();
    let inner = &inner[..end_of_inner];
    let mut all = members(&[("thing/a", inner), ("thing/b", b"b")]);
    all[0] = Member::stored("thing/a", inner);
    all[1] = Member::stored("thing/b", "b");
    all[1].offset = Some(30 + 7);
    let found = refused(&archive(&all));
    assert_eq!(found, "member `thing/b`: it overlaps another member");
    // The last runs into the list.
    let mut all = members(&[]);
    all.push(Member::stored("thing/c", "c").with(|member| {
        member.packed_size = 30;
        member.size = 30;
    }));
    let found = refused(&archive(&all));
    assert_eq!(
        found,
        "member `thing/c`: it overlaps the archive's list of members"
    );
}

#[test]
fn err_another_name_before_the_member() {
    let found = refused_file(b"x", |member| member.local_name = Some(b"thing/y".to_vec()));
    assert_eq!(
        found,
        "member `thing/x`: the archive has two values for its path"
    );
}

#[test]
fn err_no_wheel() {
    let wheel = |text: &str| {
        let mut all = members_with_record(&[], |record| {
            let own = record_row("thing-1.0.dist-info/WHEEL", WHEEL.as_bytes());
            record.replace(
                &own,
                &record_row("thing-1.0.dist-info/WHEEL", text.as_bytes()),
            )
        });
        all[1] = Member::new("thing-1.0.dist-info/WHEEL", text);
        refused(&archive(&all))
    };
    assert!(
        wheel("Wheel-Version: 2.0\n").contains("its `Wheel-Version` is 2.0, and only 1 is read")
    );
    assert!(wheel("Root-Is-Purelib: true\n").contains("it has no `Wheel-Version`"));
    let without = |name: &str| {
        let path = format!("thing-1.0.dist-info/{name}");
        let mut all = members(&[]);
        all.retain(|member| member.name != path.as_bytes());
        refused(&archive(&all))
    };
    for name in ["METADATA", "WHEEL", "RECORD"] {
        let expected = format!("member `thing-1.0.dist-info/{name}`: the archive does not have it");
        assert_eq!(without(name), expected);
    }
    let second: (&str, &[u8]) = ("other-1.0.dist-info/METADATA", METADATA.as_bytes());
    let found = refused(&archive(&members(&[second])));
    assert_eq!(
        found,
        "the archive has 2 directories `*.dist-info`, expected one"
    );
    assert_eq!(
        refused(&archive(&[Member::new("a", "")])),
        "the archive has 0 directories `*.dist-info`, expected one"
    );
}

#[test]
fn err_another_distribution() {
    let place = Place::new(&archive(&members(&[])));
    let other = place.directory.path().join("other-1.0-py3-none-any.whl");
    std::fs::rename(&place.request.wheel, &other).unwrap();
    let mut place = place;
    place.request.wheel = other;
    let found = place.install().unwrap_err();
    assert!(
        found.contains("member `thing-1.0.dist-info`: the file name is that of `other`"),
        "{found}"
    );
    let nameless = place.directory.path().join("thing.whl");
    std::fs::rename(&place.request.wheel, &nameless).unwrap();
    place.request.wheel = nameless;
    let found = place.install().unwrap_err();
    assert!(
        found.contains("`thing.whl` is no name of a wheel"),
        "{found}"
    );
}

#[test]
fn err_a_signature_that_is_listed() {
    let found = refused(&archive(&members(&[(
        "thing-1.0.dist-info/RECORD.jws",
        b"{}",
    )])));
    assert!(
        found.contains("RECORD lists it, and it signs RECORD"),
        "{found}"
    );
}

/// The bytes that other tests change are sound as they are.
#[test]
fn ok_nothing_is_wrong_with_the_rest() {
    let content = b"some text";
    let crc = zlib_rs::crc32::crc32(0, content);
    let mut all = members(&[("thing/x", content)]);
    Place::new(&archive(&all)).install().unwrap();
    all[0] = all[0].clone().with_descriptor(9, crc);
    Place::new(&archive(&all)).install().unwrap();
    assert_eq!(all[0].method, DEFLATE);
    assert_eq!(all[0].packed, deflate(content));
}
