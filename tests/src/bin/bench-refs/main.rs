//! Measures the sync of very many refs to a mirror in a folder beside what git itself takes for it. Started by
//! `cargo xtask bench refs`.
//!
//! Two shapes of a source: all tags on one commit, and tags spread over two hundred commits, some of them annotated. For each
//! number of tags: the first sync beside `git push --mirror --atomic`, then a sync with nothing to do beside
//! `git ls-remote`. After each it is checked that the mirror has every ref; otherwise the measurement counts for nothing.

mod measure;
mod source;

use std::path::PathBuf;
use std::process::ExitCode;

use measure::{Row, measure};
use source::Shape;

/// Why a measurement is void.
type Failure = Box<dyn std::error::Error>;

/// The command line, understood.
struct Options {
    /// How many tags, one measurement each.
    tags: Vec<usize>,
    /// Programs `standin` to be measured one after the other, each in a world of its own.
    standin: Vec<PathBuf>,
}

impl Options {
    /// Reads `--tags 2000,20000` and `--standin PROGRAM`, which may be given more than once to compare versions.
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Self { tags: vec![2_000, 20_000], standin: Vec::new() };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("`{argument}` wants a value"));
            match argument.as_str() {
                "--tags" => options.tags = value()?.split(',').map(str::parse).collect::<Result<_, _>>()?,
                "--standin" => options.standin.push(value()?.into()),
                other => return Err(format!("`bench refs` does not know `{other}`").into()),
            }
        }
        Ok(options)
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bench-refs: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let options = Options::parse(std::env::args().skip(1))?;
    println!("{}", Row::HEAD);
    for program in &options.standin {
        for &tags in &options.tags {
            for shape in Shape::ALL {
                println!("{}", measure(program, shape, tags)?);
            }
        }
    }
    Ok(())
}
