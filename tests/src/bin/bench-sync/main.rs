//! Measures Standin beside the shell script that one would write instead, in the same sandbox, where each request takes
//! as long as it would over a network. Started by `cargo xtask bench sync`.
//!
//! Each has mirrors of its own, every one in an account of its own, so that a host's limits are as real as they are. Three
//! cases follow one another: the first sync; one commit and one secret changed; nothing changed. After each case it is
//! checked that both did all of the work ([`field`]); otherwise the measurement counts for nothing and fails.

mod contestants;
mod field;
mod figures;
mod options;
mod project;

use std::process::ExitCode;

use contestants::{Contestant, Script, Side, Standin};
use field::Field;
use figures::{Case, Figures, Measured};
use options::Options;

/// Why a measurement is void.
type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bench-sync: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Failure> {
    let options = Options::parse(std::env::args().skip(1))?;
    let mut figures = Figures::default();
    for mirrors in &options.mirrors {
        for repetition in 1..=options.repeat {
            eprintln!("── {mirrors} mirror(s) each, {repetition} of {}", options.repeat);
            measure(&options, *mirrors, &mut figures).await?;
        }
    }
    if options.json {
        println!("{}", figures.json());
    } else {
        println!("{}", figures.table(options.latency));
    }
    Ok(())
}

/// All cases for one number of mirrors, in a world of their own.
async fn measure(options: &Options, mirrors: usize, figures: &mut Figures) -> Result<(), Failure> {
    let mut field = Field::prepare(options, mirrors).await?;
    let standin = Standin::new(&field, options)?;
    let script = Script::new(&field, options)?;
    for case in Case::ALL {
        if case == Case::Changed {
            field.project.change()?;
            standin.write_values(&field)?;
            script.write_values(&field)?;
        }
        let by_standin = one(&mut field, &standin, case, options.timeline).await?;
        let by_script = one(&mut field, &script, case, options.timeline).await?;
        eprintln!("   {case}: Standin {:.2} s, script {:.2} s", by_standin.seconds, by_script.seconds);
        figures.add(case, mirrors, by_standin, by_script);
    }
    field.close().await
}

async fn one(field: &mut Field, contestant: &impl Contestant, case: Case, timeline: bool) -> Result<Measured, Failure> {
    let side = contestant.side();
    field.begin(side).await;
    let time = contestant.sync().await?;
    let measured = field.measured(side, time);
    if timeline && side == Side::Standin {
        eprint!("{}", field.timeline());
    }
    field.check(side).map_err(|failure| format!("{case}, {side}: {failure}"))?;
    Ok(measured)
}
