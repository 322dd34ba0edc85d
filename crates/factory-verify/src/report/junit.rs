//! The report as JUnit XML, which every CI system shows.
//!
//! There is no specification; this is what Jenkins, GitLab and pytest agree on:
//! <https://github.com/testmoapp/junitxml>

use std::fmt::Write as _;
use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use quick_xml::writer::ElementWriter;

use super::{CheckReport, Outcome, Report, Verdict};

type Xml = Writer<Vec<u8>>;

/// One suite for each layer, and one for the distributions that were imported.
///
/// # Errors
/// The text cannot be written to memory.
pub fn junit(report: &Report) -> io::Result<String> {
    let suites = suites(report);
    let cases = || suites.iter().flat_map(|suite| &suite.cases);
    let seconds = report.checks.iter().map(|check| check.seconds).sum();
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 4);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let root = xml
        .create_element("testsuites")
        .with_attribute(("name", format!("verify {}", report.variant).as_str()));
    with_counts(root, cases())
        .with_attribute(("timestamp", report.date.as_str()))
        .with_attribute(("time", time(seconds).as_str()))
        .write_inner_content(|xml| {
            suites
                .iter()
                .try_for_each(|suite| write_suite(xml, suite, &report.date))
        })?;
    let mut text = String::from_utf8_lossy(&xml.into_inner()).into_owned();
    text.push('\n');
    Ok(text)
}

struct Suite<'a> {
    name: &'a str,
    properties: Vec<(&'static str, &'a str)>,
    cases: Vec<Case<'a>>,
}

struct Case<'a> {
    name: &'a str,
    class: &'a str,
    seconds: f64,
    verdict: Verdict,
    reason: &'a str,
    command: Option<&'a str>,
    output: String,
}

fn suites(report: &Report) -> Vec<Suite<'_>> {
    let mut suites: Vec<Suite> = Vec::new();
    for check in &report.checks {
        if !suites.iter().any(|suite| suite.name == check.layer) {
            let of_layer = report.checks.iter().filter(|it| it.layer == check.layer);
            suites.push(Suite {
                name: &check.layer,
                properties: properties(report),
                cases: of_layer.map(check_case).collect(),
            });
        }
    }
    suites.extend(imports_suite(report));
    suites
}

fn properties(report: &Report) -> Vec<(&'static str, &str)> {
    let mut properties = vec![
        ("variant", report.variant.as_str()),
        ("runtime", report.runtime.version.as_str()),
        ("gpu-access", report.gpu.access.as_str()),
    ];
    if let Some(image) = &report.image {
        properties.push(("image", image.reference.as_str()));
        properties.push(("image-id", image.id.as_str()));
        let digest = image.manifest_digest.iter();
        properties.extend(digest.map(|digest| ("manifest-digest", digest.as_str())));
    }
    for device in &report.gpu.devices {
        properties.push(("device", device.name.as_str()));
        properties.push(("driver", device.driver_version.as_str()));
    }
    properties
}

fn check_case(check: &CheckReport) -> Case<'_> {
    Case {
        name: &check.name,
        class: &check.layer,
        seconds: check.seconds,
        verdict: check.result,
        reason: check.reason.as_deref().unwrap_or_default(),
        command: check.command.as_deref(),
        output: check.output.join("\n"),
    }
}

fn imports_suite(report: &Report) -> Option<Suite<'_>> {
    let imports = report.imports.as_ref()?;
    let cases = imports.distributions.iter().map(|one| Case {
        name: &one.name,
        class: crate::check::IMPORTS,
        seconds: one.seconds,
        verdict: match one.outcome {
            Outcome::Imported | Outcome::NoModule => Verdict::Passed,
            Outcome::NeedsGpu | Outcome::NeedsComfyUi => Verdict::Skipped,
            Outcome::Absent => Verdict::Absent,
            Outcome::Failed => Verdict::Failed,
        },
        reason: one.reason.as_deref().unwrap_or_default(),
        command: None,
        output: one.output.clone(),
    });
    Some(Suite {
        name: crate::check::IMPORTS,
        properties: Vec::new(),
        cases: cases.collect(),
    })
}

/// The element that says what became of a case, unless it passed.
fn element(verdict: Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Passed => None,
        Verdict::Skipped | Verdict::Absent => Some("skipped"),
        Verdict::Failed => Some("failure"),
        // An error, in JUnit's words, is a test that could not say what is wrong.
        Verdict::Crashed | Verdict::TimedOut => Some("error"),
    }
}

fn with_counts<'x, 'c>(
    element_writer: ElementWriter<'x, Vec<u8>>,
    cases: impl Iterator<Item = &'c Case<'c>> + Clone,
) -> ElementWriter<'x, Vec<u8>> {
    let count = |name| {
        let of_name = |case: &&Case| element(case.verdict) == Some(name);
        cases.clone().filter(of_name).count().to_string()
    };
    element_writer
        .with_attribute(("tests", cases.clone().count().to_string().as_str()))
        .with_attribute(("skipped", count("skipped").as_str()))
        .with_attribute(("failures", count("failure").as_str()))
        .with_attribute(("errors", count("error").as_str()))
}

fn write_suite(xml: &mut Xml, suite: &Suite, date: &str) -> io::Result<()> {
    let element = xml
        .create_element("testsuite")
        .with_attribute(("name", suite.name));
    with_counts(element, suite.cases.iter())
        .with_attribute(("timestamp", date))
        .write_inner_content(|xml| {
            if !suite.properties.is_empty() {
                let element = xml.create_element("properties");
                element.write_inner_content(|xml| write_properties(xml, &suite.properties))?;
            }
            suite
                .cases
                .iter()
                .try_for_each(|case| write_case(xml, case))
        })?;
    Ok(())
}

fn write_properties(xml: &mut Xml, properties: &[(&str, &str)]) -> io::Result<()> {
    for (name, value) in properties {
        xml.create_element("property")
            .with_attribute(("name", *name))
            .with_attribute(("value", printable(value).as_str()))
            .write_empty()?;
    }
    Ok(())
}

fn write_case(xml: &mut Xml, case: &Case) -> io::Result<()> {
    let element_writer = xml
        .create_element("testcase")
        .with_attribute(("name", case.name))
        .with_attribute(("classname", case.class))
        .with_attribute(("time", time(case.seconds).as_str()));
    let element = element(case.verdict);
    if element.is_none() && case.output.is_empty() {
        element_writer.write_empty()?;
        return Ok(());
    }
    element_writer.write_inner_content(|xml| {
        if let Some(element) = element {
            write_verdict(xml, element, case)?;
        }
        if !case.output.is_empty() {
            xml.create_element("system-out")
                .write_text_content(BytesText::new(&printable(&case.output)))?;
        }
        Ok(())
    })?;
    Ok(())
}

fn write_verdict(xml: &mut Xml, element: &str, case: &Case) -> io::Result<()> {
    let writer = xml.create_element(element);
    let reason = printable(case.reason);
    if element == "skipped" {
        let message = format!("{}: {reason}", case.verdict.text());
        writer
            .with_attribute(("message", message.as_str()))
            .write_empty()?;
        return Ok(());
    }
    let writer = writer
        .with_attribute(("message", reason.as_str()))
        .with_attribute(("type", case.verdict.text()));
    match case.command {
        Some(command) => {
            let text = printable(&format!("command: {command}"));
            writer.write_text_content(BytesText::new(&text))?;
        }
        None => {
            writer.write_empty()?;
        }
    }
    Ok(())
}

/// Seconds with three digits behind the point.
fn time(seconds: f64) -> String {
    let mut text = String::new();
    let _ = write!(text, "{seconds:.3}");
    text
}

/// Without what XML 1.0 cannot hold: control characters, among them the escape that begins
/// a colour. <https://www.w3.org/TR/xml/#charsets>
fn printable(text: &str) -> String {
    let allowed = |c: &char| {
        matches!(c, '\t' | '\n' | '\r') || (*c >= ' ' && !matches!(c, '\u{fffe}' | '\u{ffff}'))
    };
    text.chars().filter(allowed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_without_what_xml_cannot_hold() {
        let text = "a\u{1b}[31m\0b\tc\u{fffe}é\n";
        assert_eq!(printable(text), "a[31mb\tcé\n");
    }
}
