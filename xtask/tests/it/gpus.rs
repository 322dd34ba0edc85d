//! `docs/gpus.md`: what each GPU gets, written from the table that the check `gpu-support` holds
//! against the image.

use std::path::Path;

use crate::help::compare;

/// The declaration of the check.
const TABLE: &str = "../layers/12-comfyui/checks/gpu-support.toml";

const HEAD: &str = "# Which GPU gets what

A container refuses to start on a device before compute capability 7.5, which CUDA 13 does not know, and says so in one sentence.
On all others PyTorch works; what else does is in the tables.

| word | means |
| --- | --- |
| code | machine code for the device is in the image |
| PTX | the driver compiles it when it is first used |
| NVRTC, Triton | compiled at run time, for any device; Triton was tried for each |
| partly | less than nine tenths of the kernels run: the others are written for other devices |
| none | nothing runs. Of what is compiled here a start says so, and refuses where ComfyUI is told to use it |

Written by `XTASK_UPDATE_DOCS=1 cargo test -p xtask --test it gpus` from `layers/12-comfyui/checks/gpu-support.toml`.
The check `gpu-support` reads the libraries in the image, and fails where they hold something else.

## As published, in all variants that have them
";

const COMPILED: &str = "
`sageattention` is version 1, which `slim` has.
`comfy-kitchen` is that of free-threaded Python: Triton and PyTorch, without its CUDA kernels.
Where `onnxruntime-gpu` has nothing for a device, its nodes compute on the processor.

## Compiled here, in `megapak` and `gil`

For the architectures of `package-lists/variants.toml`; `--cuda-arch` chooses others.
`sageattention` is version 2.
The check `compiled-kernels` reads what is in the image.
";

/// A capability or architecture without its suffixes: `12.0a` is 120.
fn number(text: &str) -> u32 {
    let digits = text.trim_end_matches("+PTX").trim_end_matches(['a', 'f']);
    digits.replace('.', "").parse().unwrap()
}

/// By NVIDIA's rules of compatibility: machine code runs within its major version, from its minor
/// one on; with `a` on nothing else; PTX on everything newer.
fn word(architectures: &[&str], device: u32) -> &'static str {
    let runs = |one: &&str| {
        let code = number(one);
        match one.trim_end_matches("+PTX").ends_with('a') {
            true => code == device,
            false => code / 10 == device / 10 && code <= device,
        }
    };
    let has_ptx = |one: &&str| one.ends_with("+PTX") && number(one) <= device;
    if architectures.iter().any(runs) {
        "code"
    } else if architectures.iter().any(has_ptx) {
        "PTX"
    } else {
        "none"
    }
}

fn strings(value: &toml::Value) -> Vec<&str> {
    let values = value.as_array().unwrap().iter();
    values.map(|value| value.as_str().unwrap()).collect()
}

fn table(devices: &[(&str, &str)], columns: &[(&str, Vec<&str>)]) -> String {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let mut text = format!(
        "\n| compute capability | devices | {} |\n",
        names.join(" | ")
    );
    text.push_str(&format!("|{}\n", " --- |".repeat(columns.len() + 2)));
    for (index, (capability, device)) in devices.iter().enumerate() {
        let words: Vec<&str> = columns.iter().map(|(_, words)| words[index]).collect();
        text.push_str(&format!(
            "| {capability} | {device} | {} |\n",
            words.join(" | ")
        ));
    }
    text
}

#[test]
fn ok_docs_are_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(TABLE);
    let file: toml::Table = toml::from_str(&fs_err::read_to_string(path).unwrap()).unwrap();
    let data = &file["data"];
    let mut devices: Vec<(&str, &str)> = data["devices"]
        .as_table()
        .unwrap()
        .iter()
        .map(|(capability, names)| (capability.as_str(), names.as_str().unwrap()))
        .collect();
    devices.sort_by_key(|(capability, _)| number(capability));
    let wheels = data["wheel"].as_table().unwrap().iter();
    let wheels: Vec<(&str, Vec<&str>)> = wheels
        .map(|(name, wheel)| (name.as_str(), strings(&wheel["support"])))
        .collect();
    for (name, words) in &wheels {
        assert_eq!(words.len(), devices.len(), "{name}");
    }
    let compiled = data["compiled"].as_table().unwrap().iter();
    let compiled: Vec<(&str, Vec<&str>)> = compiled
        .map(|(name, architectures)| {
            let architectures = strings(architectures);
            let words = devices
                .iter()
                .map(|(capability, _)| word(&architectures, number(capability)));
            (name.as_str(), words.collect())
        })
        .collect();
    let page = [
        HEAD.to_owned(),
        table(&devices, &wheels),
        COMPILED.to_owned(),
        table(&devices, &compiled),
    ];
    compare("gpus.md", &page.concat());
}

#[test]
fn ok_rules_of_compatibility() {
    let megapak = ["8.0", "9.0", "12.0+PTX"];
    let found = [75, 80, 89, 90, 100, 120, 121, 130].map(|device| word(&megapak, device));
    assert_eq!(
        found,
        [
            "none", "code", "code", "code", "none", "code", "code", "PTX"
        ]
    );
    assert_eq!(word(&["12.0a"], 120), "code");
    assert_eq!(word(&["12.0a"], 121), "none");
}
