//! Whatever comes: no panic, and nothing outside the tree.

use proptest::prelude::*;

use crate::wheel::{Member, Place, archive, members};

/// Installs, and looks that nothing is there but the wheel and, at most, the tree.
fn survives(bytes: &[u8]) {
    let place = Place::new(bytes);
    let installed = place.install();
    let mut names: Vec<String> = std::fs::read_dir(place.directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let wheel = "thing-1.0-py3-none-any.whl".to_owned();
    if installed.is_ok() {
        assert_eq!(names, ["out".to_owned(), wheel]);
        let inside: Vec<_> = std::fs::read_dir(place.out().join("root"))
            .unwrap()
            .collect();
        assert_eq!(inside.len(), 1);
    } else {
        assert_eq!(names, [wheel]);
    }
}

fn sound() -> Vec<u8> {
    let files: [(&str, &[u8]); 4] = [
        ("thing/__init__.py", b"x = 1\n"),
        ("thing-1.0.data/scripts/tool", b"#!python\n"),
        (
            "thing-1.0.data/data/share/x",
            b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        ),
        (
            "thing-1.0.dist-info/entry_points.txt",
            b"[console_scripts]\na = b:c\n",
        ),
    ];
    archive(&members(&files))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn ok_arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        survives(&bytes);
    }

    #[test]
    fn ok_a_sound_wheel_with_other_bytes(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = sound();
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        survives(&bytes);
    }

    #[test]
    fn ok_a_sound_wheel_cut_and_put_together(at in any::<prop::sample::Index>(), to in any::<prop::sample::Index>()) {
        let bytes = sound();
        let (at, to) = (at.index(bytes.len()), to.index(bytes.len()));
        survives(&[&bytes[..at], &bytes[to..]].concat());
    }

    #[test]
    fn ok_arbitrary_names(name in "(\\.\\./|/|thing|\\.|\\\\|\0|é|thing-1\\.0\\.data/|scripts/|data/|\\.wh\\.|RECORD|a){1,6}", mode in any::<u16>()) {
        let mut all = members(&[(&name, b"content")]);
        all[0].mode = u32::from(mode);
        survives(&archive(&all));
    }

    #[test]
    fn ok_arbitrary_texts(record in "[a-z./,\"=\n\r0-9é-]{0,60}", entry_points in "[\\[\\]a-z_=:;# \n.%é]{0,60}") {
        let mut all = members(&[("thing-1.0.dist-info/entry_points.txt", entry_points.as_bytes())]);
        survives(&archive(&all));
        let last = all.len() - 1;
        all[last] = Member::new("thing-1.0.dist-info/RECORD", record);
        survives(&archive(&all));
    }
}

/// Each byte of a sound wheel in turn.
#[test]
fn ok_each_bit_that_flips() {
    let bytes = sound();
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        survives(&flipped);
    }
}
