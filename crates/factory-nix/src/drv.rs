//! Reads derivation files, in the form that Nix calls ATerm.
//!
//! `nix derivation show` prints the same in JSON, whose form differs between 2.31, 2.32 and
//! 2.33. A derivation file cannot: its store path is a hash of its text, so another form would
//! move every path of every store. Reading a thousand of them takes milliseconds.

use std::collections::BTreeMap;

/// The parts of a derivation that are used here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drv {
    /// Outputs by name.
    pub outputs: BTreeMap<String, Output>,
    /// Paths of the derivations it needs.
    pub inputs: Vec<String>,
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
    /// Parses `Derive([outputs],[inputs],[sources],system,builder,[arguments],[environment])`;
    /// `None` when the text has another form, as that of a dynamic derivation
    /// (`DrvWithVersion("xp-dyn-drv",…`).
    pub fn parse(text: &str) -> Option<Self> {
        parse(text)
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
    let inputs = reader.list(|reader| {
        reader.take("(")?;
        let drv_path = reader.string()?;
        reader.take(",")?;
        reader.list(Reader::string)?;
        reader.take(")")?;
        Some(drv_path)
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
        inputs,
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
        let drv = Drv::parse(TEXT).unwrap();
        assert_eq!(drv.outputs["out"].hash, "e3b0");
        assert_eq!(drv.inputs, ["/nix/store/y.drv"]);
        assert_eq!(
            drv.attribute("origins").as_deref(),
            Some(r#"[{"registry":"url"}]"#)
        );
    }

    #[test]
    fn ok_structured_attributes() {
        let text = r#"Derive([("out","/nix/store/x","","")],[],[],"x86_64-linux","b",[],[("__json","{\"sizeBytes\":12,\"name\":\"a\",\"origins\":[1]}")])"#;
        let drv = Drv::parse(text).unwrap();
        assert_eq!(drv.attribute("sizeBytes").as_deref(), Some("12"));
        assert_eq!(drv.attribute("name").as_deref(), Some("a"));
        assert_eq!(drv.attribute("origins").as_deref(), Some("[1]"));
        assert_eq!(drv.attribute("none"), None);
    }

    /// Written by Nix 2.26.3, and with the same bytes by 2.34.8.
    #[test]
    fn ok_golden() {
        let drv = Drv::parse(include_str!("testdata/top-1.drv")).unwrap();
        let paths: Vec<_> = drv
            .outputs
            .iter()
            .map(|(name, output)| (name.as_str(), output.path.as_str()))
            .collect();
        assert_eq!(
            paths,
            [
                (
                    "dev",
                    "/nix/store/pln2bijpnrcil0j7p2b1l34hzb6hh3wi-top-1-dev"
                ),
                ("out", "/nix/store/5n59wvn0zss3sxmx6ikz74pcjafd8cjd-top-1"),
            ]
        );
        assert_eq!(
            drv.inputs,
            [
                "/nix/store/1knfchd0mgagn9db47fqvy915g2021rb-src.txt.drv",
                "/nix/store/b2ddlss6i4lvr4drkn27isvidwv82gh0-srcr.txt.drv",
            ]
        );
    }

    #[test]
    fn err_another_form() {
        assert_eq!(Drv::parse(&TEXT[..100]), None);
        let dynamic = TEXT.replacen("Derive(", "DrvWithVersion(\"xp-dyn-drv\",", 1);
        assert_eq!(Drv::parse(&dynamic), None);
    }
}
