//! Writes values and what this project makes of them, or asks libraries of Rust about them. Usage: see [`USAGE`].

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use farebox_fuzz::differential::{KINDS, Kind};
use farebox_fuzz::driver;

const USAGE: &str =
    "usage: differential --list | differential (--lines | --ask) KIND SEED FROM COUNT";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match carry_out(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("{wrong}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(words: &[String]) -> Result<(), String> {
    if words == ["--list"] {
        KINDS.iter().for_each(|kind| println!("{:16} {}", kind.name, kind.holds));
        return Ok(());
    }
    let [act, kind, numbers @ ..] = words else { return Err(USAGE.into()) };
    let kind = Kind::named(kind).ok_or(format!("no kind is called {kind}\n{USAGE}"))?;
    let numbers: Vec<u64> = numbers.iter().filter_map(|word| word.parse().ok()).collect();
    let [seed, from, count] = numbers[..] else { return Err(USAGE.into()) };
    let mut all = from..from.saturating_add(count);
    match act.as_str() {
        "--lines" => {
            let mut out = BufWriter::new(io::stdout().lock());
            let written = all.try_for_each(|number| writeln!(out, "{}", kind.line(seed, number)));
            written.and_then(|()| out.flush()).map_err(|error| error.to_string())
        }
        "--ask" => {
            driver::quiet();
            let mut asked = all.map(|number| (number, kind.ask(seed, number)));
            match asked.find_map(|(number, answer)| Some((number, answer.err()?))) {
                None => {
                    println!("ASKED {}", kind.library);
                    Ok(())
                }
                Some((number, differs)) => {
                    Err(format!("{differs}\nDIFFERS {number}\n{}", kind.line(seed, number)))
                }
            }
        }
        _ => Err(USAGE.into()),
    }
}
