//! Runs targets. Usage: see [`USAGE`].

use std::fs;
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use farebox_fuzz::driver::{self, Failure, Outcome, seeds};
use farebox_fuzz::targets::{TARGETS, Target};

const USAGE: &str = "usage: fuzz [--list] [--seconds N] [--shared N] [--seed N] [--jobs N] [--plant MUTANT] [--repeat FILE] \
    [--seeds FOLDER] [--keep FOLDER] [TARGET...]";
/// Seconds for each target, unless asked.
const SECONDS: u64 = 3;

struct Asked {
    lists: bool,
    limit: Duration,
    /// Seconds that all targets share.
    shares: Option<u64>,
    seed: u64,
    jobs: usize,
    plants: Option<String>,
    repeats: Option<String>,
    seeds: Option<String>,
    keeps: Option<String>,
    targets: Vec<&'static Target>,
}

fn main() -> ExitCode {
    let asked = match asked(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(wrong) => {
            eprintln!("{wrong}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if asked.lists {
        TARGETS.iter().for_each(|target| println!("{:22} {}", target.name, target.holds));
        return ExitCode::SUCCESS;
    }
    if let Some(folder) = &asked.seeds {
        asked.targets.iter().for_each(|target| write_seeds(target, folder));
        return ExitCode::SUCCESS;
    }
    driver::quiet();
    if let Some(folder) = &asked.keeps {
        asked.targets.iter().for_each(|target| keep(target, folder));
        return ExitCode::SUCCESS;
    }
    let failures = match &asked.repeats {
        Some(file) => repeat(&asked, file),
        None => campaigns(&asked),
    };
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Plants the defect with this name in this thread, or none.
#[cfg(feature = "planted")]
fn plant(name: Option<&str>) -> Result<(), String> {
    use farebox_core::mutant::{Mutant, plant};
    let named = |name| Mutant::named(name).ok_or(format!("no defect is called {name}"));
    plant(name.map(named).transpose()?);
    Ok(())
}

/// Plants none: the code that ships has no defects to switch on.
#[cfg(not(feature = "planted"))]
fn plant(name: Option<&str>) -> Result<(), String> {
    name.map_or(Ok(()), |name| {
        Err(format!("{name} is not compiled: npm run fuzz -- --plant {name}"))
    })
}

fn asked(words: impl Iterator<Item = String>) -> Result<Asked, String> {
    let jobs = thread::available_parallelism().map_or(1, usize::from);
    let mut asked = Asked {
        lists: false,
        limit: Duration::from_secs(SECONDS),
        shares: None,
        seed: 1,
        jobs,
        plants: None,
        repeats: None,
        seeds: None,
        keeps: None,
        targets: Vec::new(),
    };
    let mut words = words.peekable();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        let number = |text: String| text.parse::<u64>().map_err(|_| format!("{text} is no number"));
        match word.as_str() {
            "--list" => asked.lists = true,
            "--seconds" => asked.limit = Duration::from_secs(number(value()?)?),
            "--shared" => asked.shares = Some(number(value()?)?),
            "--seed" => asked.seed = number(value()?)?,
            "--jobs" => asked.jobs = number(value()?)?.max(1) as usize,
            "--repeat" => asked.repeats = Some(value()?),
            "--seeds" => asked.seeds = Some(value()?),
            "--keep" => asked.keeps = Some(value()?),
            "--plant" => {
                let name = value()?;
                plant(Some(&name))?;
                plant(None)?;
                asked.plants = Some(name);
            }
            name => {
                asked
                    .targets
                    .push(Target::named(name).ok_or(format!("no target is called {name}"))?);
            }
        }
    }
    if asked.targets.is_empty() {
        asked.targets = TARGETS.iter().collect();
    }
    if let Some(secs) = asked.shares {
        let all = Duration::from_secs(secs).saturating_mul(asked.jobs as u32);
        asked.limit = all / asked.targets.len() as u32;
    }
    Ok(asked)
}

/// Writes what a target begins with as files, and prints where its words are.
fn write_seeds(target: &Target, folder: &str) {
    fs::create_dir_all(folder).unwrap();
    let mut inputs = (target.seeds)();
    inputs.extend(seeds::kept(target.name));
    for (number, input) in inputs.iter().enumerate() {
        fs::write(format!("{folder}/{number:04}"), input).unwrap();
    }
    // Where its words are, for who calls this.
    println!("{}", seeds::dictionary(target.words));
}

/// Takes those inputs of a folder into the corpus that meet something new.
fn keep(target: &Target, folder: &str) {
    let inputs = driver::new_ones(target, seeds::files(folder.as_ref()));
    let corpus = seeds::corpus_of(target.name);
    fs::create_dir_all(&corpus).unwrap();
    let known = seeds::kept(target.name).len();
    for (number, input) in inputs.iter().enumerate() {
        fs::write(corpus.join(format!("{:04}", known + number)), input).unwrap();
    }
    println!("{}: {} inputs meet something new", target.name, inputs.len());
}

/// Runs one input again; the number of failures.
fn repeat(asked: &Asked, file: &str) -> usize {
    let [target] = asked.targets[..] else {
        eprintln!("--repeat needs one target");
        return 1;
    };
    let input = fs::read(file).unwrap_or_else(|error| panic!("{file}: {error}"));
    match driver::run(target, &input) {
        Ok(met) => println!("{}: holds, and met {met:?}", target.name),
        Err(failure) => {
            println!("{}: {}", target.name, failure.told);
            return 1;
        }
    }
    0
}

/// Runs the targets side by side; the number of failures.
fn campaigns(asked: &Asked) -> usize {
    let (begin, limit) = (Instant::now(), asked.limit);
    println!(
        "seed {}, {:.1} s for each target, {} at once",
        asked.seed,
        limit.as_secs_f64(),
        asked.jobs
    );
    let waiting = Mutex::new(asked.targets.iter().rev().collect::<Vec<_>>());
    let (total, failures) = (Mutex::new(0), Mutex::new(0));
    let work = || {
        loop {
            let Some(target) = waiting.lock().unwrap().pop() else { return };
            if asked.plants.is_some() {
                // Whatever is built once is built right.
                (0..16).for_each(|byte| _ = driver::run(target, &[byte; 32]));
            }
            plant(asked.plants.as_deref()).unwrap();
            let outcome = driver::campaign(target, asked.seed, limit);
            plant(None).unwrap();
            *total.lock().unwrap() += outcome.executions;
            *failures.lock().unwrap() += usize::from(outcome.failure.is_some());
            tell(target, &outcome, asked.seed);
        }
    };
    thread::scope(|scope| (0..asked.jobs).for_each(|_| drop(scope.spawn(work))));
    let (total, failures) = (total.into_inner().unwrap(), failures.into_inner().unwrap());
    let secs = begin.elapsed().as_secs_f64();
    println!(
        "{} targets, {total} executions in {secs:.0} s, {failures} failed",
        asked.targets.len()
    );
    failures
}

fn tell(target: &Target, outcome: &Outcome, seed: u64) {
    let Outcome { executions, elapsed, inputs, met, failure } = outcome;
    let rate = *executions as f64 / elapsed.as_secs_f64().max(0.001);
    // Each execution of a machine is a history of its own, of which no outcome is told.
    let kept = if *met == 0 {
        String::new()
    } else {
        format!(", {inputs:>4} inputs that met {met:>4} outcomes")
    };
    println!("{:22} {executions:>9} executions, {rate:>8.0} a second{kept}", target.name);
    if let Some(failure) = failure {
        tell_failure(target, failure, *executions, elapsed.as_secs_f64(), seed);
    }
}

fn tell_failure(
    target: &Target,
    Failure { input, told }: &Failure,
    executions: u64,
    secs: f64,
    seed: u64,
) {
    let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
    let folder = format!("{}/../../target/fuzz/failures", seeds::HERE);
    let file = format!("{folder}/{}-{:.16}", target.name, hex);
    fs::create_dir_all(&folder).and_then(|()| fs::write(&file, input)).unwrap();
    println!("\nFAILED: {} after {executions} executions, {secs:.1} s, seed {seed}", target.name);
    println!("{told}\nthe input, {} bytes: {hex}", input.len());
    println!("again: npm run fuzz -- {} --repeat {file}\n", target.name);
}
