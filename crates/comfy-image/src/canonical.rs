//! Canonical JSON: sorted keys, no white space. Digests are computed over this.

use serde::Serialize;
use serde_json::Value;

/// Renders a value canonically.
///
/// The keys are sorted here, because another crate of a workspace can switch
/// serde_json's map to insertion order.
pub(crate) fn to_string<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    let mut text = String::new();
    write(&serde_json::to_value(value)?, &mut text)?;
    Ok(text)
}

fn write(value: &Value, text: &mut String) -> Result<(), serde_json::Error> {
    match value {
        Value::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            members.sort_by_key(|(key, _)| key.as_str());
            text.push('{');
            for (index, (key, member)) in members.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&serde_json::to_string(key)?);
                text.push(':');
                write(member, text)?;
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(item, text)?;
            }
            text.push(']');
        }
        scalar => text.push_str(&serde_json::to_string(scalar)?),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_sorted_without_spaces() {
        let value: Value =
            serde_json::from_str(r#"{"b":[1, {"z":"é\n","a":null}],"B":true}"#).unwrap();
        insta::assert_snapshot!(to_string(&value).unwrap(), @r#"{"B":true,"b":[1,{"a":null,"z":"é\n"}]}"#);
    }
}
