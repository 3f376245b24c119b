//! Removes from a wasm module what its script never calls.
//!
//! The platform's crate exports classes of its own. A bundler drops them from the script, but the
//! module keeps every export and all code behind it.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use walrus::{ExportItem, ModuleConfig};

/// Deletes the functions exported under names that do not occur in the script, and what only they
/// reach. Overwrites the module.
pub fn trim(wasm: &Path, script: &Path) -> Result<(), String> {
    let failed = |path: &Path| {
        let name = path.display().to_string();
        move |error: &dyn std::fmt::Display| format!("{name}: {error}")
    };
    let text = fs::read_to_string(script).map_err(|error| failed(script)(&error))?;
    let module = fs::read(wasm).map_err(|error| failed(wasm)(&error))?;
    let trimmed = trimmed(&module, &text).map_err(|error| failed(wasm)(&error))?;
    fs::write(wasm, trimmed).map_err(|error| failed(wasm)(&error))
}

fn trimmed(module: &[u8], script: &str) -> Result<Vec<u8>, String> {
    let names: HashSet<&str> = identifiers(script).collect();
    let mut config = ModuleConfig::new();
    // A profile reads the names of functions, which the module has only then.
    config.generate_producers_section(false).generate_name_section(has_names(module));
    let mut module = config.parse(module).map_err(|error| format!("{error:#}"))?;
    let unused = module.exports.iter().filter(|export| {
        matches!(export.item, ExportItem::Function(_)) && !names.contains(export.name.as_str())
    });
    let unused: Vec<_> = unused.map(walrus::Export::id).collect();
    for export in unused {
        module.exports.delete(export);
    }
    walrus::passes::gc::run(&mut module);
    Ok(module.emit_wasm())
}

fn has_names(module: &[u8]) -> bool {
    module.windows(5).any(|bytes| bytes == b"\x04name")
}

/// The words of a script: whatever may name an export, in code or text.
fn identifiers(script: &str) -> impl Iterator<Item = &str> {
    script.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != '$')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(module (func $shared) (func (export "used") call $shared) (func (export "unused") nop))`.
    const MODULE: &[u8] = &[
        0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, // magic, version
        0x01, 0x04, 0x01, 0x60, 0x00, 0x00, // type: () -> ()
        0x03, 0x04, 0x03, 0x00, 0x00, 0x00, // three functions of it
        0x07, 0x11, 0x02, 0x04, b'u', b's', b'e', b'd', 0x00, 0x01, // export "used"
        0x06, b'u', b'n', b'u', b's', b'e', b'd', 0x00, 0x02, // export "unused"
        0x0a, 0x0d, 0x03, 0x02, 0x00, 0x0b, // shared
        0x04, 0x00, 0x10, 0x00, 0x0b, // used
        0x03, 0x00, 0x01, 0x0b, // unused
    ];

    fn functions(module: &[u8], script: &str) -> (Vec<String>, usize) {
        let module = walrus::Module::from_buffer(&trimmed(module, script).unwrap()).unwrap();
        let names = module.exports.iter().map(|export| export.name.clone()).collect();
        (names, module.funcs.iter().count())
    }

    #[test]
    fn what_a_script_names_stays_with_what_it_calls() {
        let both = vec!["used".to_owned(), "unused".to_owned()];
        assert_eq!(functions(MODULE, "wasm.used();a[`unused`]()"), (both, 3));
        assert_eq!(functions(MODULE, "wasm.used();unused_too()"), (vec!["used".to_owned()], 2));
        assert_eq!(functions(MODULE, ""), (vec![], 0));
    }

    #[test]
    fn what_is_no_module_is_an_error() {
        assert!(trimmed(b"no module", "").is_err());
    }
}
