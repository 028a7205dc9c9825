//! What the measuring program is told.

use std::path::PathBuf;
use std::time::Duration;

use crate::Failure;

/// The command line, understood.
pub struct Options {
    /// How many mirrors each side has, one measurement each.
    pub mirrors: Vec<usize>,
    /// How often each measurement is made; medians count.
    pub repeat: usize,
    /// JSON instead of a table.
    pub json: bool,
    /// The program `standin`.
    pub standin: PathBuf,
    /// The program `gh`.
    pub gh: PathBuf,
    /// How long the host holds back each request.
    pub latency: Duration,
    /// Whether each request of Standin is listed with its moment, to see what waits for what.
    pub timeline: bool,
}

impl Options {
    /// Reads `--mirrors 1,10,50`, `--repeat N`, `--json`, `--timeline`, `--standin PROGRAM`; gh is `$STANDIN_GH`, else on `PATH`.
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Self {
            mirrors: vec![1, 10, 50],
            repeat: 1,
            json: false,
            standin: PathBuf::from("standin"),
            gh: std::env::var_os("STANDIN_GH").map_or_else(|| PathBuf::from("gh"), PathBuf::from),
            latency: Duration::from_millis(40),
            timeline: false,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("`{argument}` wants a value"));
            match argument.as_str() {
                "--mirrors" => {
                    options.mirrors = value()?.split(',').map(count).collect::<Result<_, _>>()?;
                }
                "--repeat" => options.repeat = count(&value()?)?,
                "--standin" => options.standin = PathBuf::from(value()?),
                "--json" => options.json = true,
                "--timeline" => options.timeline = true,
                other => return Err(format!("`bench sync` does not know `{other}`").into()),
            }
        }
        Ok(options)
    }
}

fn count(text: &str) -> Result<usize, Failure> {
    match text.trim().parse() {
        Ok(count) if (1..=200).contains(&count) => Ok(count),
        _ => Err(format!("`{text}` is no number from 1 to 200").into()),
    }
}
