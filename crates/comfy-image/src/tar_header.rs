//! Tar headers, byte for byte: ustar, and a pax record only where ustar cannot say it.
//!
//! Owner 0:0 without names and one constant time; see POSIX.1-2017, `pax`,
//! "pax Interchange Format" and "ustar Interchange Format".

/// The size of a header, and the unit of everything else.
pub(crate) const BLOCK_BYTES: u64 = 512;
/// The two empty blocks that end an archive.
pub(crate) const END: [u8; 1024] = [0; 1024];
/// The modification time of every member, in seconds since 1970.
const MODIFIED: u64 = 1;
/// The first size that does not fit eleven octal digits.
const USTAR_SIZE_LIMIT: u64 = 1 << 33;

/// Says what a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemberKind<'a> {
    Directory,
    File { size_bytes: u64 },
    Symlink { target: &'a [u8] },
}

/// Returns all header blocks of a member; `path` has no slash at either end.
pub(crate) fn header(path: &[u8], kind: MemberKind<'_>, mode: u32) -> Vec<u8> {
    let mut name = path.to_vec();
    let (type_flag, size_bytes, target): (u8, u64, &[u8]) = match kind {
        MemberKind::Directory => {
            name.push(b'/');
            (b'5', 0, b"")
        }
        MemberKind::File { size_bytes } => (b'0', size_bytes, b""),
        MemberKind::Symlink { target } => (b'2', 0, target),
    };

    let mut records = Vec::new();
    let split = if name.is_ascii() { split(&name) } else { None };
    let (prefix, short_name) = match split {
        Some((prefix, rest)) => (prefix.to_vec(), rest.to_vec()),
        None => {
            push_record(&mut records, "path", &name);
            (Vec::new(), substitute(&name, 100))
        }
    };
    let short_target = if target.is_ascii() && target.len() <= 100 {
        target.to_vec()
    } else {
        push_record(&mut records, "linkpath", target);
        substitute(target, 100)
    };
    let short_size = if size_bytes < USTAR_SIZE_LIMIT {
        size_bytes
    } else {
        push_record(&mut records, "size", size_bytes.to_string().as_bytes());
        0
    };

    let mut blocks = Vec::with_capacity(BLOCK_BYTES as usize);
    if !records.is_empty() {
        let base = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
        let name = [b"PaxHeaders.0/", substitute(base, 80).as_slice()].concat();
        let fields = Fields {
            name: &name,
            prefix: b"",
            target: b"",
            mode: 0o644,
            type_flag: b'x',
        };
        blocks.extend_from_slice(&fields.block(records.len() as u64));
        blocks.extend_from_slice(&records);
        blocks.resize(blocks.len() + padding(records.len() as u64), 0);
    }
    let fields = Fields {
        name: &short_name,
        prefix: &prefix,
        target: &short_target,
        mode,
        type_flag,
    };
    blocks.extend_from_slice(&fields.block(short_size));
    blocks
}

/// Returns how many zero bytes follow a content of this size.
pub(crate) fn padding(size_bytes: u64) -> usize {
    (size_bytes.next_multiple_of(BLOCK_BYTES) - size_bytes) as usize
}

struct Fields<'a> {
    name: &'a [u8],
    prefix: &'a [u8],
    target: &'a [u8],
    mode: u32,
    type_flag: u8,
}

impl Fields<'_> {
    fn block(&self, size_bytes: u64) -> [u8; BLOCK_BYTES as usize] {
        let mut block = [0; BLOCK_BYTES as usize];
        block[..self.name.len()].copy_from_slice(self.name);
        put_octal(&mut block[100..107], u64::from(self.mode));
        put_octal(&mut block[108..115], 0);
        put_octal(&mut block[116..123], 0);
        put_octal(&mut block[124..135], size_bytes);
        put_octal(&mut block[136..147], MODIFIED);
        block[156] = self.type_flag;
        block[157..157 + self.target.len()].copy_from_slice(self.target);
        block[257..265].copy_from_slice(b"ustar\x0000");
        put_octal(&mut block[329..336], 0);
        put_octal(&mut block[337..344], 0);
        block[345..345 + self.prefix.len()].copy_from_slice(self.prefix);
        // The checksum counts its own field as eight spaces.
        let checksum = sum(&block) + 8 * u64::from(b' ');
        put_octal(&mut block[148..154], checksum);
        block[155] = b' ';
        block
    }
}

/// By index: `cargo xtask` is compiled without optimization, where an iterator costs a call
/// for each byte of each header.
fn sum(block: &[u8; BLOCK_BYTES as usize]) -> u64 {
    let mut sum = 0;
    let mut at = 0;
    while at < block.len() {
        sum += u64::from(block[at]);
        at += 1;
    }
    sum
}

fn put_octal(field: &mut [u8], mut value: u64) {
    for digit in field.iter_mut().rev() {
        *digit = b'0' + (value % 8) as u8;
        value /= 8;
    }
}

/// Splits a name into ustar's prefix (155 bytes) and name (100 bytes).
fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    if name.len() <= 100 {
        return Some((b"", name));
    }
    // The first slash that leaves a short enough rest; never the final one of a directory.
    let first = name.len().saturating_sub(101).max(1);
    let at = (first..name.len() - 1).find(|index| name[*index] == b'/')?;
    (at <= 155).then(|| (&name[..at], &name[at + 1..]))
}

/// Stands in for a name that only the pax record says in full.
fn substitute(name: &[u8], max_bytes: usize) -> Vec<u8> {
    let ascii = |byte: &u8| if byte.is_ascii() { *byte } else { b'_' };
    name.iter().take(max_bytes).map(ascii).collect()
}

/// Appends `LENGTH KEY=VALUE\n`, where the length counts itself.
fn push_record(records: &mut Vec<u8>, key: &str, value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while rest + length.to_string().len() != length {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(format!("{length} {key}=").as_bytes());
    records.extend_from_slice(value);
    records.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: MemberKind<'static> = MemberKind::File { size_bytes: 0 };

    #[test]
    fn ok_short_name_is_one_block() {
        let block = header(b"usr/bin/tool", MemberKind::File { size_bytes: 5 }, 0o4755);
        assert_eq!(block.len(), 512);
        assert_eq!(&block[..13], b"usr/bin/tool\0");
        assert_eq!(&block[100..108], b"0004755\0");
        assert_eq!(&block[108..124], b"0000000\x000000000\0");
        assert_eq!(&block[124..148], b"00000000005\x0000000000001\0");
        assert_eq!(&block[156..158], b"0\0");
        assert_eq!(&block[257..265], b"ustar\x0000");
        assert_eq!(&block[265..329], &[0; 64], "no user and group names");
    }

    #[test]
    fn ok_pax_only_where_ustar_cannot_say_it() {
        let deep = |n: usize| [&b"d/".repeat(n / 2)[..], b"f"].concat();
        let wide = |n: usize| b"w".repeat(n);
        for (path, n_bytes) in [
            (wide(100), 512),
            (wide(101), 1536),
            (deep(254), 512),
            (deep(256), 1536),
            ([wide(155), wide(100)].join(&b'/'), 512),
            ([wide(156), wide(99)].join(&b'/'), 1536),
            ([wide(20), wide(101)].join(&b'/'), 1536),
            ("é".as_bytes().to_vec(), 1536),
            (wide(1200), 2560),
        ] {
            assert_eq!(
                header(&path, FILE, 0o644).len(),
                n_bytes,
                "{}",
                path.escape_ascii()
            );
        }
        // The final slash of a directory counts, and is no place to split.
        assert_eq!(header(&wide(99), MemberKind::Directory, 0o755).len(), 512);
        assert_eq!(header(&wide(100), MemberKind::Directory, 0o755).len(), 1536);
        let target = wide(101);
        assert_eq!(
            header(
                b"l",
                MemberKind::Symlink {
                    target: &target[1..]
                },
                0o777
            )
            .len(),
            512
        );
        assert_eq!(
            header(b"l", MemberKind::Symlink { target: &target }, 0o777).len(),
            1536
        );
    }

    #[test]
    fn ok_huge_size() {
        let limit = 8 << 30;
        assert_eq!(
            header(
                b"f",
                MemberKind::File {
                    size_bytes: limit - 1
                },
                0o644
            )
            .len(),
            512
        );
        let blocks = header(b"f", MemberKind::File { size_bytes: limit }, 0o644);
        assert_eq!(blocks.len(), 1536);
        assert_eq!(&blocks[512..531], b"19 size=8589934592\n");
        let mut archive = tar::Archive::new(&blocks[..]);
        let entry = archive.entries().unwrap().next().unwrap().unwrap();
        assert_eq!(entry.size(), limit);
    }

    #[test]
    fn ok_record_length_counts_itself() {
        for n in 0..2000 {
            let mut record = Vec::new();
            push_record(&mut record, "path", &b"x".repeat(n));
            let length: usize =
                std::str::from_utf8(record.split(|byte| *byte == b' ').next().unwrap())
                    .unwrap()
                    .parse()
                    .unwrap();
            assert_eq!(length, record.len());
        }
    }
}
