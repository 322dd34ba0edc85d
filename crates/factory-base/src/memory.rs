//! What `/proc/meminfo` says, proc_meminfo(5).

/// A field such as `MemTotal`, in bytes; `None` where it is not told.
pub fn field(meminfo: &str, name: &str) -> Option<u64> {
    let (_, value) = meminfo
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(field, _)| *field == name)?;
    let kibibytes: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_fields() {
        let text = "MemTotal:       24683656 kB\nMemAvailable:   23068672 kB\nBuffers: 1 kB\n";
        assert_eq!(field(text, "MemTotal"), Some(24_683_656 * 1024));
        assert_eq!(field(text, "MemAvailable"), Some(22 << 30));
        let text = "MemTotal:        8031234 kB\nMemFree: 1 kB\n";
        assert_eq!(field(text, "MemTotal"), Some(8_031_234 * 1024));
        assert_eq!(field(text, "MemAvailable"), None);
        assert_eq!(field("MemAvailable: x kB\n", "MemAvailable"), None);
        for other in ["Mem", "Buffers"] {
            assert_eq!(field(text, other), None, "{other}");
        }
        for wrong in [
            "what",
            "MemTotal: x kB\n",
            "MemTotal: 1\n",
            "MemTotal: 1 MB\n",
        ] {
            assert_eq!(field(wrong, "MemTotal"), None, "{wrong}");
        }
    }
}
