//! Removes from a wasm module what its script never calls, and shortens the names they share.
//!
//! The platform's crate exports classes of its own. A bundler drops them from the script, but the
//! module keeps every export and all code behind it.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use walrus::{ExportItem, ModuleConfig};

/// Deletes the functions exported under names that do not occur in the script, and what only they
/// reach; shortens the names of what the script gives to the module. Overwrites both.
pub fn trim(wasm: &Path, script: &Path) -> Result<(), String> {
    let failed = |path: &Path| {
        let name = path.display().to_string();
        move |error: &dyn std::fmt::Display| format!("{name}: {error}")
    };
    let text = fs::read_to_string(script).map_err(|error| failed(script)(&error))?;
    let module = fs::read(wasm).map_err(|error| failed(wasm)(&error))?;
    let (trimmed, renamed) = trimmed(&module, &text).map_err(|error| failed(wasm)(&error))?;
    fs::write(wasm, trimmed).map_err(|error| failed(wasm)(&error))?;
    fs::write(script, renamed).map_err(|error| failed(script)(&error))
}

fn trimmed(module: &[u8], script: &str) -> Result<(Vec<u8>, String), String> {
    let names: HashSet<&str> = identifiers(script).collect();
    let mut config = ModuleConfig::new();
    // A profile reads the names of functions, which the module has only then.
    let is_profiled = has_names(module);
    config.generate_producers_section(false).generate_name_section(is_profiled);
    let mut module = config.parse(module).map_err(|error| format!("{error:#}"))?;
    let unused = module.exports.iter().filter(|export| {
        matches!(export.item, ExportItem::Function(_)) && !names.contains(export.name.as_str())
    });
    let unused: Vec<_> = unused.map(walrus::Export::id).collect();
    for export in unused {
        module.exports.delete(export);
    }
    walrus::passes::gc::run(&mut module);
    let shorter = shortened(module.imports.iter().map(|import| import.name.as_str()), &names);
    for import in module.imports.iter_mut() {
        if let Some(name) = shorter.get(&import.name) {
            import.name.clone_from(name);
        }
    }
    let module = module.emit_wasm();
    let script = renamed(script, &shorter);
    Ok((module, script))
}

/// Names of a letter or two for what the glue gives to the module: the long ones and their hashes are
/// read by that module alone. No word of the script gets a second meaning.
fn shortened<'a>(
    imports: impl Iterator<Item = &'a str>,
    names: &HashSet<&str>,
) -> HashMap<String, String> {
    let free = (1..).map(letters).filter(|name| !names.contains(name.as_str()));
    let of_glue = imports.filter(|name| name.starts_with("__wb") && names.contains(name));
    of_glue.map(str::to_owned).zip(free).collect()
}

/// The name of a number from 1 on: `a` to `z`, `aa` and so on.
fn letters(number: u32) -> String {
    let mut rest = number;
    let mut name = Vec::new();
    while rest > 0 {
        rest -= 1;
        name.push(char::from(b'a' + (rest % 26) as u8));
        rest /= 26;
    }
    name.into_iter().rev().collect()
}

/// The script with other names.
fn renamed(script: &str, names: &HashMap<String, String>) -> String {
    let mut renamed = String::with_capacity(script.len());
    for piece in script.split_inclusive(|letter| !is_of_a_word(letter)) {
        let word = piece.trim_end_matches(|letter| !is_of_a_word(letter));
        renamed += names.get(word).map_or(word, String::as_str);
        renamed += &piece[word.len()..];
    }
    renamed
}

fn has_names(module: &[u8]) -> bool {
    module.windows(5).any(|bytes| bytes == b"\x04name")
}

/// The words of a script: whatever may name an export, in code or text.
fn identifiers(script: &str) -> impl Iterator<Item = &str> {
    script.split(|letter| !is_of_a_word(letter))
}

fn is_of_a_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == '$'
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
        let module = walrus::Module::from_buffer(&trimmed(module, script).unwrap().0).unwrap();
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
    fn imports_get_letters_that_are_no_words_of_the_script() {
        let names =
            ["__wbg_get_2080c49015e35254", "__wbg_get_e6325ad374eff861", "askPrice", "__wbg_c"];
        let script =
            format!("let of={{{}:a,{}:b,{}:c}},d=`{}`", names[0], names[1], names[2], names[0]);
        let words = identifiers(&script).collect();
        let shorter = shortened(names.into_iter(), &words);
        assert_eq!(renamed(&script, &shorter), "let of={e:a,f:b,askPrice:c},d=`e`");
        assert_eq!(shorter.len(), 2);
        assert_eq!([1, 26, 27, 703].map(letters), ["a", "z", "aa", "aaa"]);
    }

    #[test]
    fn what_is_no_module_is_an_error() {
        assert!(trimmed(b"no module", "").is_err());
    }
}
