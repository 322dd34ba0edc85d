//! Reads derivation files. Their format has been the same for twenty years, unlike that of
//! `nix derivation show`, and reading a thousand of them takes milliseconds.

use std::collections::BTreeMap;

use anyhow::Result;

use factory_base::error::Failure;
use factory_base::error::Kind;

/// The parts of a derivation that matter to `fetch`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drv {
    /// Outputs by name.
    pub outputs: BTreeMap<String, Output>,
    /// Environment of the builder.
    pub environment: BTreeMap<String, String>,
}

/// One output; `hash` is empty unless the output is fixed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Store path.
    pub path: String,
    /// `sha256`, or `r:sha256` for a NAR hash.
    pub hash_algorithm: String,
    /// Hex.
    pub hash: String,
}

impl Drv {
    /// Parses `Derive([outputs],[inputs],[sources],system,builder,[arguments],[environment])`.
    ///
    /// # Errors
    /// The text is not a derivation; `path` is named.
    pub fn parse(path: &str, text: &str) -> Result<Self> {
        parse(text).ok_or_else(|| {
            Failure::new(
                Kind::Bug,
                format!("`{path}` is not a derivation as we know it"),
            )
            .into()
        })
    }

    /// A setting of the derivation, whether its attributes are structured or not.
    pub fn attribute(&self, name: &str) -> Option<String> {
        if let Some(value) = self.environment.get(name) {
            return Some(value.clone());
        }
        let all: serde_json::Value = serde_json::from_str(self.environment.get("__json")?).ok()?;
        match all.get(name)? {
            serde_json::Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }
}

fn parse(text: &str) -> Option<Drv> {
    let mut reader = Reader(text);
    reader.take("Derive(")?;
    let outputs = reader.list(|reader| {
        reader.take("(")?;
        let name = reader.string()?;
        reader.take(",")?;
        let path = reader.string()?;
        reader.take(",")?;
        let hash_algorithm = reader.string()?;
        reader.take(",")?;
        let hash = reader.string()?;
        reader.take(")")?;
        let output = Output {
            path,
            hash_algorithm,
            hash,
        };
        Some((name, output))
    })?;
    reader.take(",")?;
    reader.list(|reader| {
        reader.take("(")?;
        reader.string()?;
        reader.take(",")?;
        reader.list(Reader::string)?;
        reader.take(")")
    })?;
    reader.take(",")?;
    reader.list(Reader::string)?;
    reader.take(",")?;
    reader.string()?;
    reader.take(",")?;
    reader.string()?;
    reader.take(",")?;
    reader.list(Reader::string)?;
    reader.take(",")?;
    let environment = reader.list(|reader| {
        reader.take("(")?;
        let name = reader.string()?;
        reader.take(",")?;
        let value = reader.string()?;
        reader.take(")")?;
        Some((name, value))
    })?;
    reader.take(")")?;
    Some(Drv {
        outputs: outputs.into_iter().collect(),
        environment: environment.into_iter().collect(),
    })
}

struct Reader<'a>(&'a str);

impl Reader<'_> {
    fn take(&mut self, token: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(token)?;
        Some(())
    }

    fn string(&mut self) -> Option<String> {
        self.take("\"")?;
        let mut value = String::new();
        let mut characters = self.0.char_indices();
        while let Some((index, character)) = characters.next() {
            match character {
                '"' => {
                    self.0 = &self.0[index + 1..];
                    return Some(value);
                }
                '\\' => value.push(match characters.next()?.1 {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    other => other,
                }),
                other => value.push(other),
            }
        }
        None
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.take("[")?;
        let mut items = Vec::new();
        while self.take("]").is_none() {
            if !items.is_empty() {
                self.take(",")?;
            }
            items.push(item(self)?);
        }
        Some(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"Derive([("out","/nix/store/x-a.whl","sha256","e3b0")],[("/nix/store/y.drv",["out","lib"])],["/nix/store/s","/nix/store/t"],"x86_64-linux","/bin/sh",["-c","echo \"hi\"\n"],[("name","a.whl"),("origins","[{\"registry\":\"url\"}]"),("sizeBytes","12")])"#;

    #[test]
    fn ok_fixed_output() {
        let drv = Drv::parse("/nix/store/x.drv", TEXT).unwrap();
        assert_eq!(drv.outputs["out"].hash, "e3b0");
        assert_eq!(
            drv.attribute("origins").as_deref(),
            Some(r#"[{"registry":"url"}]"#)
        );
    }

    #[test]
    fn ok_structured_attributes() {
        let text = r#"Derive([("out","/nix/store/x","","")],[],[],"x86_64-linux","b",[],[("__json","{\"sizeBytes\":12,\"name\":\"a\",\"origins\":[1]}")])"#;
        let drv = Drv::parse("/nix/store/x.drv", text).unwrap();
        assert_eq!(drv.attribute("sizeBytes").as_deref(), Some("12"));
        assert_eq!(drv.attribute("name").as_deref(), Some("a"));
        assert_eq!(drv.attribute("origins").as_deref(), Some("[1]"));
        assert_eq!(drv.attribute("none"), None);
    }

    #[test]
    fn err_cut_off() {
        let error = Drv::parse("/nix/store/x.drv", &TEXT[..100]).unwrap_err();
        insta::assert_snapshot!(error, @"`/nix/store/x.drv` is not a derivation as we know it");
    }
}
