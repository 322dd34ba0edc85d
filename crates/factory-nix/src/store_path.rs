//! The parts of a store path: `/nix/store/HASH-NAME`.

/// `numpy-2.4` of `/nix/store/…-numpy-2.4.drv`.
pub fn name_of(store_path: &str) -> String {
    let file = file_of(store_path);
    let name = file.split_once('-').map_or(file, |(_, name)| name);
    name.strip_suffix(".drv").unwrap_or(name).to_owned()
}

/// `8r3diycigc792xfp5vljp7pkk1nldlbh` of `/nix/store/8r3d…-foo`.
pub(super) fn hash_of(store_path: &str) -> &str {
    let file = file_of(store_path);
    file.split('-').next().unwrap_or(file)
}

fn file_of(store_path: &str) -> &str {
    store_path.rsplit('/').next().unwrap_or(store_path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_names() {
        assert_eq!(
            name_of("/nix/store/8r3diycigc792xfp5vljp7pkk1nldlbh-foo.whl.drv"),
            "foo.whl"
        );
        assert_eq!(
            name_of("/nix/store/8r3diycigc792xfp5vljp7pkk1nldlbh-a-b-1"),
            "a-b-1"
        );
    }

    #[test]
    fn ok_hash_part() {
        assert_eq!(hash_of("/nix/store/8r3d-foo-1.0"), "8r3d");
    }
}
