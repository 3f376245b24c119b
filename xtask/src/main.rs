//! The steps that need Rust: wasm-bindgen as a library, and the rules of gate, treasury and market for `npm run check`.
//!
//! `cargo run -p xtask -- check` reads one JSON object of variables and prints what the gate thinks of it, and `check treasury` or `check market`
//! what those think, see [`check`]. `cargo run -p xtask -- redirect <url> <location>` prints where a facilitator's redirect is followed to, or an
//! empty line. `cargo run -p xtask -- trim <wasm> <script>` removes from a module what its script never calls, see [`trim`]. `cargo run -p xtask -- bindgen <wasm> <out-dir> --target worker|named-worker|web` writes `index.js` and
//! `index_bg.wasm` (for `web` also `index.d.ts`) into `<out-dir>`; `named-worker` keeps the names of functions, for a profile. As a library it builds in seconds;
//! the wasm-bindgen program takes minutes or a download.

mod check;
#[cfg(feature = "house")]
mod house;
mod trim;

use std::env;
use std::io::{Read, stdin};
use std::path::PathBuf;
use std::process::ExitCode;

use farebox_core::facilitator::redirect::target;
use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    if let Some(judge) = judge_of(&words) {
        let mut vars = String::new();
        return match stdin().read_to_string(&mut vars) {
            Ok(_) => {
                println!("{}", judge(&vars));
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("the variables cannot be read: {error}");
                ExitCode::FAILURE
            }
        };
    }
    if let [command, wasm, script] = words.as_slice()
        && command == "trim"
    {
        return ended(trim::trim(wasm.as_ref(), script.as_ref()));
    }
    if let [command, url, location] = words.as_slice()
        && command == "redirect"
    {
        println!("{}", target(url, location).unwrap_or_default());
        return ExitCode::SUCCESS;
    }
    #[cfg(feature = "house")]
    if let [command, root] = words.as_slice()
        && command == "house"
    {
        return ended(house::measure(root.as_ref()).map(|table| println!("{table:#}")));
    }
    let Some(glue) = Glue::parse(&words) else {
        eprintln!(
            "usage: xtask bindgen <wasm> <out-dir> --target worker|named-worker|web, xtask trim <wasm> <script>, xtask redirect <url> <location>, or xtask check [treasury|market]"
        );
        return ExitCode::from(2);
    };
    ended(glue.generate())
}

/// The rules that the words name.
fn judge_of(words: &[String]) -> Option<fn(&str) -> serde_json::Value> {
    if words == ["check"] {
        return Some(check::judge);
    }
    match words {
        [command, of] if command == "check" && of == "treasury" => Some(check::judge_treasury),
        [command, of] if command == "check" && of == "market" => Some(check::judge_market),
        _ => None,
    }
}

fn ended(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// What to generate glue for, and where to.
struct Glue {
    wasm: PathBuf,
    out_dir: PathBuf,
    target: Target,
}

/// Who loads the glue: a bundler that knows wasm modules, or a page that fetches the file.
enum Target {
    Worker,
    /// The same with the names of functions, for a profile.
    NamedWorker,
    Web,
}

impl Glue {
    fn parse(words: &[String]) -> Option<Self> {
        let [command, wasm, out_dir, flag, target] = words else {
            return None;
        };
        if command != "bindgen" || flag != "--target" {
            return None;
        }
        let target = match target.as_str() {
            "worker" => Target::Worker,
            "named-worker" => Target::NamedWorker,
            "web" => Target::Web,
            _ => return None,
        };
        Some(Self { wasm: wasm.into(), out_dir: out_dir.into(), target })
    }

    fn generate(&self) -> Result<(), String> {
        if !self.wasm.is_file() {
            return Err(format!("{} is missing: build it first", self.wasm.display()));
        }
        let mut bindgen = Bindgen::new();
        bindgen.input_path(&self.wasm).out_name("index");
        let described = match self.target {
            // After a panic the instance is poisoned: the entry module is told, and may start a new one.
            Target::Worker | Target::NamedWorker => bindgen
                .typescript(false)
                .module(true)
                .map(|bindgen| bindgen.reset_state_function(true).force_enable_abort_handler(true)),
            // Without: the handler takes instructions that Node 20 does not know.
            Target::Web => bindgen.typescript(true).web(true),
        };
        described
            .and_then(|bindgen| {
                // Names of functions make half of the download; a panic's message names its place without them.
                bindgen
                    .remove_name_section(!matches!(self.target, Target::NamedWorker))
                    .remove_producers_section(true)
                    .generate(&self.out_dir)
            })
            .map_err(|error| format!("wasm-bindgen: {error:#}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Option<Glue> {
        let words: Vec<String> = line.split(' ').map(String::from).collect();
        Glue::parse(&words)
    }

    #[test]
    fn only_the_documented_command_line_is_understood() {
        let cases = [
            ("bindgen a.wasm out --target worker", true),
            ("bindgen a.wasm out --target named-worker", true),
            ("bindgen a.wasm out --target web", true),
            ("bindgen a.wasm out --target node", false),
            ("bindgen a.wasm out", false),
            ("bindgen a.wasm out --target web extra", false),
            ("bundle a.wasm out --target web", false),
            ("bindgen a.wasm out -t web", false),
        ];
        for (line, understood) in cases {
            assert_eq!(parse(line).is_some(), understood, "{line}");
        }
    }

    #[test]
    fn a_missing_wasm_file_is_named() {
        let glue = parse("bindgen no/such.wasm out --target web").unwrap();
        assert_eq!(glue.generate().unwrap_err(), "no/such.wasm is missing: build it first");
    }
}
