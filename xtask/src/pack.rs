//! Rewrites a wasm module so that it compresses better and does the same.
//!
//! A compressor finds a repetition within its window only, 32 KiB for gzip: functions that share
//! most stand beside each other. And each access to memory carries the alignment that is natural to
//! it: that is a hint for the engine, not a promise, and one hint for all repeats more often.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fs;
use std::path::Path;

use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{CodeSection, FunctionSection, Module};
use wasmparser::{CodeSectionReader, CustomSectionReader, FunctionSectionReader};
use wasmparser::{Parser, Payload, TypeRef};

use crate::locals::renumbered;

/// Overwrites a file by its packed module.
pub fn pack(wasm: &Path) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", wasm.display());
    let module = fs::read(wasm).map_err(|error| failed(&error))?;
    fs::write(wasm, packed(&module).map_err(|error| failed(&error))?)
        .map_err(|error| failed(&error))
}

/// Orders the functions of a module, and drops its custom sections: none of them is read when it
/// runs.
pub fn packed(module: &[u8]) -> Result<Vec<u8>, String> {
    let module = &renumbered(module)?;
    let mut order = Order::of(module).map_err(|error| error.to_string())?;
    let mut packed = Module::new();
    order
        .parse_core_module(&mut packed, Parser::new(0), module)
        .map_err(|error| format!("{error:?}"))?;
    Ok(packed.finish())
}

/// Where each function goes. Imported functions come first and stay where they are.
struct Order {
    imported: u32,
    /// The old place of each function, in the new order.
    old: Vec<usize>,
    /// The new place of each function, in the old order.
    new: Vec<u32>,
}

impl Order {
    fn of(module: &[u8]) -> wasmparser::Result<Self> {
        let (mut imported, mut bodies) = (0, Vec::new());
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        let is_function =
                            matches!(import?.ty, TypeRef::Func(_) | TypeRef::FuncExact(_));
                        imported += u32::from(is_function);
                    }
                }
                Payload::CodeSectionEntry(body) => bodies.push(body.as_bytes()),
                _ => {}
            }
        }
        let old = similar(&bodies);
        let mut new = vec![0; old.len()];
        for (place, &was) in old.iter().enumerate() {
            new[was] = place as u32;
        }
        Ok(Self { imported, old, new })
    }
}

impl Reencode for Order {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, Error> {
        Ok(match function.checked_sub(self.imported) {
            Some(own) => self.imported + self.new[own as usize],
            None => function,
        })
    }

    fn mem_arg(&mut self, access: wasmparser::MemArg) -> Result<wasm_encoder::MemArg, Error> {
        utils::mem_arg(self, wasmparser::MemArg { align: access.max_align, ..access })
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: FunctionSectionReader<'_>,
    ) -> Result<(), Error> {
        let types = section.into_iter().collect::<wasmparser::Result<Vec<_>>>()?;
        for &was in &self.old {
            functions.function(types[was]);
        }
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: CodeSectionReader<'_>,
    ) -> Result<(), Error> {
        let bodies = section.into_iter().collect::<wasmparser::Result<Vec<_>>>()?;
        for was in self.old.clone() {
            self.parse_function_body(code, bodies[was].clone())?;
        }
        Ok(())
    }

    fn parse_custom_section(
        &mut self,
        _: &mut Module,
        _: CustomSectionReader<'_>,
    ) -> Result<(), Error> {
        Ok(())
    }
}

/// Begins with the longest function. Next comes whatever shares most with the functions just placed,
/// for its length: a piece that few hold says more than one that many do.
fn similar(bodies: &[&[u8]]) -> Vec<usize> {
    let holders = pieces(bodies);
    let worth = |piece: usize| (10_000 / holders[piece].len() as u64).isqrt();
    let mut held = vec![Vec::new(); bodies.len()];
    for (piece, functions) in holders.iter().enumerate() {
        for &function in functions {
            held[function].push(piece);
        }
    }
    let mut order = Vec::with_capacity(bodies.len());
    let mut is_placed = vec![false; bodies.len()];
    // Pieces that occur in the window, and what those are worth that each function holds.
    let (mut window, mut bytes) = (VecDeque::new(), 0);
    let (mut seen, mut shared) = (vec![0_u32; holders.len()], vec![0_u64; bodies.len()]);
    let mut next = (0..bodies.len()).rev().max_by_key(|&function| bodies[function].len());
    while let Some(placed) = next {
        order.push(placed);
        is_placed[placed] = true;
        for &piece in &held[placed] {
            seen[piece] += 1;
            if seen[piece] == 1 {
                holders[piece].iter().for_each(|&function| shared[function] += worth(piece));
            }
        }
        window.push_back(placed);
        bytes += bodies[placed].len();
        while bytes > WINDOW && window.len() > 1 {
            let Some(gone) = window.pop_front() else { break };
            bytes -= bodies[gone].len();
            for &piece in &held[gone] {
                seen[piece] -= 1;
                if seen[piece] == 0 {
                    holders[piece].iter().for_each(|&function| shared[function] -= worth(piece));
                }
            }
        }
        let cost = |function: usize| bodies[function].len() as u64 + 150;
        let waiting = (0..bodies.len()).rev().filter(|&function| !is_placed[function]);
        next = waiting
            .max_by(|&one, &other| (shared[one] * cost(other)).cmp(&(shared[other] * cost(one))));
    }
    order
}

/// The functions that hold each piece of code which a few of them share: what all hold says nothing.
fn pieces(bodies: &[&[u8]]) -> Vec<Vec<usize>> {
    let pieces = |(function, body): (usize, &&[u8])| {
        let keys: Vec<_> =
            PIECES.into_iter().flat_map(|bytes| body.windows(bytes).map(key)).collect();
        keys.into_iter().map(move |key| (key, function))
    };
    let mut all: Vec<(u128, usize)> = bodies.iter().enumerate().flat_map(pieces).collect();
    all.sort_unstable();
    all.dedup();
    let groups = all.chunk_by(|(one, _), (other, _)| one == other);
    groups
        .filter(|group| (2..=MOST_HOLDERS).contains(&group.len()))
        .map(|group| group.iter().map(|&(_, function)| function).collect())
        .collect()
}

/// A piece as a number; one that is shorter begins with 1.
fn key(piece: &[u8]) -> u128 {
    piece.iter().fold(1, |key, &byte| key << 8 | u128::from(byte))
}

/// How far back a compressor looks.
const WINDOW: usize = 32 * 1024;
/// Bytes of pieces: two, three and six instructions, so that long repetitions count more.
const PIECES: [usize; 3] = [5, 8, 15];
const MOST_HOLDERS: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_encoder::{
        ConstExpr, ElementSection, Elements, EntityType, ExportKind, ExportSection, Function,
        ImportSection, Instruction, MemArg, MemorySection, MemoryType, RefType, TableSection,
        TableType, TypeSection, ValType,
    };
    use wasmparser::{Operator, Validator};

    /// One imported function, and these: function `n` adds 40 constants of a kind that every third
    /// one has, and calls the next one.
    fn module(functions: u32) -> Vec<u8> {
        let mut types = TypeSection::new();
        types.ty().function([], [ValType::I32]);
        types.ty().function([ValType::I32], [ValType::I32]);
        let mut imports = ImportSection::new();
        imports.import("script", "given", EntityType::Function(1));
        let (mut own, mut code) = (FunctionSection::new(), CodeSection::new());
        for number in 0..functions {
            own.function(0);
            let mut body = Function::new([]);
            body.instruction(&Instruction::I32Const(number as i32));
            for step in 0..40 {
                body.instruction(&Instruction::I32Const((number % 3 * 1_000_003 + step) as i32));
                body.instruction(&Instruction::I32Add);
            }
            let access = MemArg { offset: 8, align: number % 3, memory_index: 0 };
            body.instruction(&Instruction::I32Load(access));
            let callee = if number + 1 < functions { number + 2 } else { 0 };
            body.instruction(&Instruction::Drop);
            if callee == 0 {
                body.instruction(&Instruction::I32Const(7));
            }
            body.instruction(&Instruction::Call(callee)).instruction(&Instruction::End);
            code.function(&body);
        }
        let mut tables = TableSection::new();
        let table = |size| TableType {
            element_type: RefType::FUNCREF,
            table64: false,
            minimum: size,
            maximum: None,
            shared: false,
        };
        tables.table(table(u64::from(functions)));
        let mut memories = MemorySection::new();
        memories.memory(MemoryType {
            minimum: 1,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        let mut exports = ExportSection::new();
        exports.export("first", ExportKind::Func, 1);
        exports.export("last", ExportKind::Func, functions);
        let listed: Vec<u32> = (0..functions).collect();
        let mut elements = ElementSection::new();
        elements.active(None, &ConstExpr::i32_const(0), Elements::Functions(listed.into()));
        let mut module = Module::new();
        module.section(&types).section(&imports).section(&own).section(&tables).section(&memories);
        module.section(&exports).section(&elements).section(&code);
        module.finish()
    }

    /// What each export and each element does: its instructions, with those of what it calls.
    fn told(module: &[u8]) -> Vec<String> {
        Validator::new().validate_all(module).unwrap();
        let (mut bodies, mut roots) = (Vec::new(), Vec::new());
        for payload in Parser::new(0).parse_all(module) {
            match payload.unwrap() {
                Payload::ExportSection(exports) => {
                    let exports = exports.into_iter().map(Result::unwrap);
                    roots.extend(exports.map(|export| (export.name.to_owned(), export.index)));
                }
                Payload::ElementSection(elements) => {
                    for element in elements {
                        let wasmparser::ElementItems::Functions(functions) = element.unwrap().items
                        else {
                            panic!("no functions");
                        };
                        let functions = functions.into_iter().map(Result::unwrap);
                        roots.extend(functions.map(|function| ("element".to_owned(), function)));
                    }
                }
                Payload::CodeSectionEntry(body) => bodies.push(body),
                _ => {}
            }
        }
        roots.iter().map(|(name, function)| format!("{name}{}", does(*function, &bodies))).collect()
    }

    fn does(function: u32, bodies: &[wasmparser::FunctionBody<'_>]) -> String {
        let Some(own) = function.checked_sub(1) else { return "given".to_owned() };
        let operators = bodies[own as usize].get_operators_reader().unwrap();
        let each = operators.into_iter().map(|operator| match operator.unwrap() {
            Operator::Call { function_index } => format!("({})", does(function_index, bodies)),
            Operator::I32Load { memarg } => format!("load {} ", memarg.offset),
            other => format!("{other:?} "),
        });
        each.collect()
    }

    #[test]
    fn what_each_export_and_element_does_stays() {
        let before = module(9);
        let after = packed(&before).unwrap();
        assert_ne!(before, after);
        assert_eq!(told(&before), told(&after));
    }

    #[test]
    fn functions_that_share_most_stand_together() {
        let after = packed(&module(9)).unwrap();
        let kinds = Parser::new(0).parse_all(&after).filter_map(|payload| match payload.unwrap() {
            Payload::CodeSectionEntry(body) => {
                let first = body.get_operators_reader().unwrap().into_iter().next();
                match first.unwrap().unwrap() {
                    Operator::I32Const { value } => Some(value % 3),
                    other => panic!("{other:?}"),
                }
            }
            _ => None,
        });
        let mut kinds: Vec<_> = kinds.collect();
        kinds.dedup();
        assert_eq!(kinds.len(), 3, "{kinds:?}");
    }

    #[test]
    fn what_is_no_module_is_an_error() {
        assert!(packed(b"no module").is_err());
    }
}
