//! Wheels that are installed: the whole tree, byte by byte.

use wheel_install::request::Link;

use crate::wheel::{Member, Place, archive, members, members_with_record, record_row};

fn install(bytes: &[u8]) -> String {
    Place::new(bytes).install().unwrap()
}

#[test]
fn ok_a_plain_wheel() {
    let files: [(&str, &[u8]); 2] = [
        ("thing/__init__.py", b"x = 1\n"),
        ("thing/data, \"b\"", b""),
    ];
    let all = members_with_record(&files, |record| {
        record.replace("thing/data, \"b\"", "\"thing/data, \"\"b\"\"\"")
    });
    insta::assert_snapshot!(install(&archive(&all)), @r##"
root/usr/local/lib/python3.14t/site-packages/thing-1.0.dist-info/INSTALLER 444 "pip\n"
root/usr/local/lib/python3.14t/site-packages/thing-1.0.dist-info/METADATA 444 "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n"
root/usr/local/lib/python3.14t/site-packages/thing-1.0.dist-info/RECORD 444 "thing-1.0.dist-info/INSTALLER,sha256=zuuue4knoyJ-UwPPXg8fezS7VCrXJQrAP7zeNuwvFQg,4\nthing-1.0.dist-info/METADATA,sha256=QStn89j8aVuYHCFRNmawtw7aik2fgEPdqUKHbeFZvXc,47\nthing-1.0.dist-info/RECORD,,\nthing-1.0.dist-info/WHEEL,sha256=GOJWfGKy_s7ZRMtmrMyJFvIHxzo0gLZVhGWWyTqB6uo,75\nthing/__init__.py,sha256=nia_NpkRxFwkPGhBR7I_yeHc_PJX0pmhxjIBam_NM_Q,6\n\"thing/data, \"\"b\"\"\",sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n"
root/usr/local/lib/python3.14t/site-packages/thing-1.0.dist-info/WHEEL 444 "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
root/usr/local/lib/python3.14t/site-packages/thing/__init__.py 444 "x = 1\n"
root/usr/local/lib/python3.14t/site-packages/thing/data, "b" 444 ""
"##);
}

#[test]
fn ok_entry_points() {
    let text = b"[console_scripts]\ntool = thing.cli:Main.run [extra]\n\n[gui_scripts]\nwindow = thing:show\n";
    let all = members(&[("thing-1.0.dist-info/entry_points.txt", text)]);
    insta::assert_snapshot!(install(&archive(&all)), @r##"
root/usr/local/bin/tool 555 "#!/usr/local/bin/python3\n# -*- coding: utf-8 -*-\nimport re\nimport sys\nfrom thing.cli import Main\nif __name__ == \"__main__\":\n    sys.argv[0] = re.sub(r\"(-script\\.pyw|\\.exe)?$\", \"\", sys.argv[0])\n    sys.exit(Main.run())\n"
root/usr/local/bin/window 555 "#!/usr/local/bin/python3\n# -*- coding: utf-8 -*-\nimport re\nimport sys\nfrom thing import show\nif __name__ == \"__main__\":\n    sys.argv[0] = re.sub(r\"(-script\\.pyw|\\.exe)?$\", \"\", sys.argv[0])\n    sys.exit(show())\n"
root/usr/local/lib/python3.14t/site-packages/thing-1.0.dist-info/INSTALLER 444 "pip\n"
root/usr/local/lib/python3.14t/site-packages/thing-1.0.dist-info/METADATA 444 "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n"
root/usr/local/lib/python3.14t/site-packages/thing-1.0.dist-info/RECORD 444 "thing-1.0.dist-info/INSTALLER,sha256=zuuue4knoyJ-UwPPXg8fezS7VCrXJQrAP7zeNuwvFQg,4\nthing-1.0.dist-info/METADATA,sha256=QStn89j8aVuYHCFRNmawtw7aik2fgEPdqUKHbeFZvXc,47\nthing-1.0.dist-info/RECORD,,\nthing-1.0.dist-info/WHEEL,sha256=GOJWfGKy_s7ZRMtmrMyJFvIHxzo0gLZVhGWWyTqB6uo,75\nthing-1.0.dist-info/entry_points.txt,sha256=z4uyg_Gp-vmxEOfXRJjl_y28w2DAPCNLJEcNIQe9hVk,87\n../../../bin/tool,sha256=g9-Ygqiizs7-C7J2RTXlJKRLc6Fnm8_yaq1inPFSOLU,218\n../../../bin/window,sha256=W-vS8h1BNWql6_Y_UP3khaItjuky6cDwg75AWZBX3DE,210\n"
root/usr/local/lib/python3.14t/site-packages/thing-1.0.dist-info/WHEEL 444 "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
root/usr/local/lib/python3.14t/site-packages/thing-1.0.dist-info/entry_points.txt 444 "[console_scripts]\ntool = thing.cli:Main.run [extra]\n\n[gui_scripts]\nwindow = thing:show\n"
"##);
}

#[test]
fn ok_each_scheme() {
    let all = members(&[
        ("a.py", b"a"),
        ("thing-1.0.data/purelib/b.py", b"b"),
        ("thing-1.0.data/platlib/c.py", b"c"),
        ("thing-1.0.data/headers/thing/d.h", b"d"),
        ("thing-1.0.data/scripts/e", b"#!/bin/sh\n"),
        ("thing-1.0.data/scripts/f", b"#!pythonw -E\nimport f\n"),
        ("thing-1.0.data/scripts/g", b"#!python"),
        ("thing-1.0.data/scripts/h", b"#!pyth"),
        ("thing-1.0.data/data/share/man/i.1", b"i"),
    ]);
    insta::assert_snapshot!(install(&archive(&all)), @r##"
root/usr/local/bin/e 444 "#!/bin/sh\n"
root/usr/local/bin/f 444 "#!/usr/local/bin/python3\nimport f\n"
root/usr/local/bin/g 444 "#!/usr/local/bin/python3\n"
root/usr/local/bin/h 444 "#!pyth"
root/usr/local/include/python3.14t/thing/d.h 444 "d"
root/usr/local/lib/python3.14t/site-packages/a.py 444 "a"
root/usr/local/lib/python3.14t/site-packages/b.py 444 "b"
root/usr/local/lib/python3.14t/site-packages/c.py 444 "c"
root/usr/local/lib/python3.14t/site-packages/thing-1.0.dist-info/INSTALLER 444 "pip\n"
root/usr/local/lib/python3.14t/site-packages/thing-1.0.dist-info/METADATA 444 "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n"
root/usr/local/lib/python3.14t/site-packages/thing-1.0.dist-info/RECORD 444 894 bytes
root/usr/local/lib/python3.14t/site-packages/thing-1.0.dist-info/WHEEL 444 "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
root/usr/local/share/man/i.1 444 "i"
"##);
}

#[test]
fn ok_the_executable_bit_alone() {
    let mut all = members(&[("a", b"a"), ("b", b"b"), ("c", b"c"), ("d", b"d")]);
    // The last says nothing of what kind it is, as archives made on Windows do.
    for (member, mode) in all.iter_mut().zip([0o104_777, 0o100_666, 0o100_010, 0o755]) {
        member.mode = mode;
    }
    let tree = install(&archive(&all));
    let modes: Vec<&str> = tree
        .lines()
        .filter(|line| !line.contains("dist-info"))
        .filter_map(|line| line.split(' ').nth(1))
        .collect();
    assert_eq!(modes, ["555", "444", "555", "444"]);
}

#[test]
fn ok_what_is_left_out() {
    let mut all = members(&[
        ("thing/__init__.py", b""),
        ("thing/__pycache__/__init__.cpython-314.pyc", b"code"),
    ]);
    all.insert(
        0,
        Member::stored("thing/", "").with(|member| member.mode = 0o040_755),
    );
    all.insert(
        0,
        Member::stored("empty/", "").with(|member| member.mode = 0),
    );
    let tree = install(&archive(&all));
    assert!(!tree.contains("__pycache__"), "{tree}");
    assert_eq!(tree.lines().count(), 5, "{tree}");
}

#[test]
fn ok_a_signature() {
    let mut all = members(&[]);
    all.push(Member::new("thing-1.0.dist-info/RECORD.p7s", "signature"));
    let tree = install(&archive(&all));
    assert!(tree.contains("RECORD.p7s 444 \"signature\""), "{tree}");
}

#[test]
fn ok_other_hashes() {
    let content = b"x = 1\n";
    let honest = record_row("thing.py", content);
    let with = |hash: &str| {
        let all = members_with_record(&[("thing.py", content)], |record| {
            record.replace(&honest, &format!("thing.py,{hash},\n"))
        });
        Place::new(&archive(&all)).install()
    };
    // `hashlib.new(NAME, b"x = 1\n")` of Python, in base64.
    for hash in [
        "sha256=nia_NpkRxFwkPGhBR7I_yeHc_PJX0pmhxjIBam_NM_Q",
        "sha384=2Ce4lYIFgerCBE9pWgSgz-9mHzfuOwRgpljykGGUIg6xgKQz2N-zpYv47plg8Bkn",
        "sha512=e73veyKgykOKZRFOeqVV-RiHar0CPb8GFYkM-jCLUlHBkx-rU_sUNgozT0yN7lCJ48E3W_3uNVShst_MuAk21g",
    ] {
        // What is written has SHA-256 and the size in any case.
        let tree = with(hash).unwrap();
        assert!(tree.contains(honest.trim_end()), "{tree}");
        let (name, value) = hash.split_once('=').unwrap();
        let other = format!("{name}={}", value.to_lowercase());
        assert!(with(&other).unwrap_err().contains("its hash is"));
    }
}

#[test]
fn ok_metadata_alone() {
    let mut place = Place::new(&archive(&members(&[("thing/__init__.py", b"x = 1\n")])));
    place.request.metadata_only = true;
    let tree = place.install().unwrap();
    // Nor an empty directory, which would be in the way of a link.
    let library = "root/usr/local/lib/python3.14t/site-packages";
    let names = std::fs::read_dir(place.out().join(library)).unwrap();
    assert_eq!(names.count(), 1);
    insta::assert_snapshot!(tree, @r##"
root/usr/local/lib/python3.14t/site-packages/thing-1.0.dist-info/INSTALLER 444 "pip\n"
root/usr/local/lib/python3.14t/site-packages/thing-1.0.dist-info/METADATA 444 "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n"
root/usr/local/lib/python3.14t/site-packages/thing-1.0.dist-info/RECORD 444 "thing-1.0.dist-info/INSTALLER,sha256=zuuue4knoyJ-UwPPXg8fezS7VCrXJQrAP7zeNuwvFQg,4\nthing-1.0.dist-info/METADATA,sha256=QStn89j8aVuYHCFRNmawtw7aik2fgEPdqUKHbeFZvXc,47\nthing-1.0.dist-info/RECORD,,\nthing-1.0.dist-info/WHEEL,sha256=GOJWfGKy_s7ZRMtmrMyJFvIHxzo0gLZVhGWWyTqB6uo,75\nthing/__init__.py,,\n"
root/usr/local/lib/python3.14t/site-packages/thing-1.0.dist-info/WHEEL 444 "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
"##);
}

#[test]
fn ok_second_copies_are_links() {
    let large = "x".repeat(2000);
    let large = large.as_bytes();
    let small: &[u8] = b"small";
    let all = members(&[
        ("thing/lib/b.so", large),
        ("thing/a.so", large),
        ("thing/small", small),
        ("thing/lib/small", small),
        ("thing-1.0.data/data/lib/c.so", large),
    ]);
    let tree = install(&archive(&all));
    let links: Vec<&str> = tree.lines().filter(|line| line.contains("->")).collect();
    assert_eq!(
        links,
        [
            "root/usr/local/lib/python3.14t/site-packages/thing/a.so -> ../../../c.so",
            "root/usr/local/lib/python3.14t/site-packages/thing/lib/b.so -> ../../../../c.so",
        ]
    );
}

/// A wheel with one file, and a copy of the file of another package.
fn linked(path: &str, copy: &[u8]) -> Place {
    let mut place = Place::new(&archive(&members(&[("thing/lib.so", b"library")])));
    let file = place.directory.path().join("copy");
    std::fs::write(&file, copy).unwrap();
    let link = Link {
        target: "/usr/local/cuda-13.0/lib/lib.so".to_owned(),
        copy: file,
    };
    place.request.links.insert(path.to_owned(), link);
    place
}

#[test]
fn ok_a_file_of_another_package_is_a_link() {
    let tree = linked("thing/lib.so", b"library").install().unwrap();
    let expected = "site-packages/thing/lib.so -> /usr/local/cuda-13.0/lib/lib.so\n";
    assert!(tree.contains(expected), "{tree}");
    assert!(tree.contains("thing/lib.so,sha256="), "{tree}");
}

#[test]
fn err_a_file_of_another_package_that_differs() {
    let message = linked("thing/lib.so", b"other").install().unwrap_err();
    insta::assert_snapshot!(message, @r##"
error: package `thing 1.0`, wheel `DIR/thing-1.0-py3-none-any.whl`: `thing/lib.so`: it differs from `/usr/local/cuda-13.0/lib/lib.so`, with which its lock says it is the same

hint: run `cargo xtask update-locks`
"##);
    let message = linked("thing/gone.so", b"library").install().unwrap_err();
    insta::assert_snapshot!(message, @r##"
error: package `thing 1.0`, wheel `DIR/thing-1.0-py3-none-any.whl`: `thing/gone.so`: the wheel does not have it, which its lock says

hint: run `cargo xtask update-locks`
"##);
    let mut place = linked("thing/lib.so", b"library");
    place.request.metadata_only = true;
    assert!(place.install().is_err());
}

#[test]
fn ok_a_wheel_in_a_directory() {
    let mut place = Place::new(&archive(&members(&[])));
    place.request.wheel = place.directory.path().to_owned();
    place.install().unwrap();
}

#[test]
fn err_a_directory_without_one_wheel() {
    let mut place = Place::new(&archive(&members(&[])));
    let second = place.directory.path().join("thing-1.0-py2-none-any.whl");
    std::fs::copy(&place.request.wheel, second).unwrap();
    place.request.wheel = place.directory.path().to_owned();
    let message = place.install().unwrap_err();
    assert!(
        message.contains("the directory holds 2 wheels, expected one"),
        "{message}"
    );
}

#[test]
fn err_a_tree_that_is_there() {
    let place = Place::new(&archive(&members(&[])));
    std::fs::create_dir(place.out()).unwrap();
    let threads = std::num::NonZeroUsize::MIN;
    let error = wheel_install::install::install(&place.request, &place.out(), threads);
    assert!(error.unwrap_err().render().contains("cannot create"));
    assert!(place.out().exists());
}

/// Many members and threads give what one gives.
#[test]
fn ok_any_number_of_threads() {
    let contents: Vec<(String, Vec<u8>)> = (0..300_u32)
        .map(|n| {
            let bytes = (0..n * 97).map(|at| ((at * n) >> 3) as u8).collect();
            (format!("thing/{n:03}.bin"), bytes)
        })
        .collect();
    let files: Vec<(&str, &[u8])> = contents
        .iter()
        .map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
        .collect();
    let bytes = archive(&members(&files));
    let one = Place::new(&bytes);
    let threads = std::num::NonZeroUsize::MIN;
    wheel_install::install::install(&one.request, &one.out(), threads).unwrap();
    let several = Place::new(&bytes);
    several.install().unwrap();
    for (path, content) in &contents {
        let path = format!("out/root/usr/local/lib/python3.14t/site-packages/{path}");
        for place in [&one, &several] {
            let found = std::fs::read(place.directory.path().join(&path)).unwrap();
            assert_eq!(found, *content, "{path}");
        }
    }
}
