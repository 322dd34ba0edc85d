//! The command line.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;

use crate::error::{EXIT_ENVIRONMENT, Error};
use crate::install::install;
use crate::name::check_name;
use crate::request::{Link, Request};

const HELP: &str = "\
Install a wheel into a package tree

Example: wheel-install --package 'idna 3.11' --wheel idna-3.11-py3-none-any.whl \\
           --python-directory python3.14t --out tree

Options:
  --package TEXT          name and version, for messages
  --wheel PATH            the wheel, or a directory with one wheel in it
  --python-directory NAME directory below /usr/local/lib
  --out DIR               the tree, which must not be there yet
  --metadata-only         install *.dist-info alone
  --shared-from-bytes N   second copies of files of this size become links
  --link PATH TARGET COPY the file PATH of site-packages becomes a link to TARGET;
                          COPY has the same bytes
  --version               print the version
  --help                  print this

NIX_BUILD_CORES is how many members are unpacked at a time; 0 means all cores.

Exit status:
  0   done
  1   the wheel is refused
  2   usage
  3   environment: disk, permission
  70  a bug in this program
";

/// What the arguments ask for.
#[derive(Debug)]
enum Command {
    Install(Box<Request>, PathBuf),
    Print(String),
}

/// Runs with the arguments behind the program's name, and returns the exit status.
pub fn run(arguments: &[OsString]) -> u8 {
    let done = parse(arguments).and_then(|command| match command {
        Command::Install(request, out) => install(&request, &out, threads()).map(|()| 0),
        Command::Print(text) => Ok(print(&text)),
    });
    done.unwrap_or_else(|error| {
        // Where nobody reads, nobody can be told.
        match std::io::stderr().write_all(error.render().as_bytes()) {
            Ok(()) | Err(_) => error.exit_code(),
        }
    })
}

fn print(text: &str) -> u8 {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => 0,
        Err(_) => EXIT_ENVIRONMENT,
    }
}

/// The arguments that are left.
struct Arguments<'a>(std::slice::Iter<'a, OsString>);

impl Arguments<'_> {
    fn path(&mut self, option: &str) -> Result<PathBuf, Error> {
        let value = self.0.next();
        let value = value.ok_or_else(|| usage(format!("`{option}` has too few values")))?;
        Ok(PathBuf::from(value))
    }

    fn text(&mut self, option: &str) -> Result<String, Error> {
        let value = self.path(option)?.into_os_string();
        let value = value.into_string();
        value.map_err(|_| usage(format!("a value of `{option}` is not UTF-8")))
    }
}

fn usage(text: impl Into<String>) -> Error {
    Error::Usage(text.into())
}

fn parse(arguments: &[OsString]) -> Result<Command, Error> {
    let (mut package, mut wheel, mut python_directory, mut out) = (None, None, None, None);
    let mut metadata_only = false;
    let mut shared_from_bytes = u64::MAX;
    let mut links = BTreeMap::new();
    let mut arguments = Arguments(arguments.iter());
    while let Some(option) = arguments.0.next() {
        let option = option.to_string_lossy();
        match &*option {
            "--help" => return Ok(Command::Print(HELP.to_owned())),
            "--version" => {
                let version = env!("CARGO_PKG_VERSION");
                return Ok(Command::Print(format!("wheel-install {version}\n")));
            }
            "--package" => package = Some(arguments.text(&option)?),
            "--wheel" => wheel = Some(arguments.path(&option)?),
            "--python-directory" => python_directory = Some(arguments.text(&option)?),
            "--out" => out = Some(arguments.path(&option)?),
            "--metadata-only" => metadata_only = true,
            "--shared-from-bytes" => {
                let number = arguments.text(&option)?.parse();
                shared_from_bytes =
                    number.map_err(|_| usage(format!("`{option}` takes a number of bytes")))?;
            }
            "--link" => {
                let path = arguments.text(&option)?;
                let target = arguments.text(&option)?;
                let copy = arguments.path(&option)?;
                links.insert(path, Link { target, copy });
            }
            _ => return Err(usage(format!("unknown argument `{option}`"))),
        }
    }
    let missing = |option: &str| usage(format!("`{option}` is missing"));
    let python_directory: String = python_directory.ok_or_else(|| missing("--python-directory"))?;
    check_name(&python_directory)
        .map_err(|reason| usage(format!("`{python_directory}` is no directory: {reason}")))?;
    let request = Request {
        package: package.ok_or_else(|| missing("--package"))?,
        wheel: wheel.ok_or_else(|| missing("--wheel"))?,
        python_directory,
        metadata_only,
        shared_from_bytes,
        links,
    };
    let out = out.ok_or_else(|| missing("--out"))?;
    Ok(Command::Install(Box::new(request), out))
}

/// As many as Nix grants a build, or as there are.
fn threads() -> NonZeroUsize {
    let granted = std::env::var("NIX_BUILD_CORES")
        .ok()
        .and_then(|text| text.parse().ok())
        .and_then(NonZeroUsize::new);
    granted.unwrap_or_else(|| thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
}
