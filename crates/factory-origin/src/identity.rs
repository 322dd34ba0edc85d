//! What a document is called, made from what is in it: nothing is random, and two documents with
//! one name say the same.

use factory_model::lock::Sha256;

use crate::inventory::Inventory;

/// The hash of all that a bill of materials says.
pub(crate) fn of(inventory: &Inventory) -> Sha256 {
    let mut text = format!(
        "{:?} {} {}\n",
        inventory.project, inventory.name, inventory.version
    );
    for layer in &inventory.layers {
        text.push_str(&format!("layer {layer}\n"));
    }
    for one in &inventory.components {
        text.push_str(&format!(
            "{} {} {:?} {:?} {:?} {:?} {:?}\n",
            one.layer, one.purl, one.file, one.sha256, one.nar_hash, one.url, one.licence
        ));
        for dependency in &one.dependencies {
            text.push_str(&format!("needs {dependency}\n"));
        }
    }
    Sha256::of(text.as_bytes())
}

/// A UUID whose bits are our own (RFC 9562, section 5.8).
pub(crate) fn uuid(hash: &Sha256) -> String {
    let mut bytes = *hash.as_bytes();
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = Sha256::from_bytes(bytes).to_string();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-{}-{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_version_and_variant() {
        let uuid = uuid(&Sha256::from_bytes([0xff; 32]));
        assert_eq!(uuid, "ffffffff-ffff-8fff-bfff-ffffffffffff");
    }
}
