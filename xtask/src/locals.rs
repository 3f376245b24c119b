//! Gives the variables that a function uses most the lowest numbers: functions that do alike then
//! look alike, which a compressor finds.

use std::cmp::Reverse;
use std::convert::Infallible;

use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{CodeSection, Function, Instruction, Module};
use wasmparser::{CompositeInnerType, FunctionBody, Operator, Parser, Payload, ValType};

/// Renumbers the variables of each function of a module. Parameters keep their places.
pub fn renumbered(module: &[u8]) -> Result<Vec<u8>, String> {
    let mut locals = Locals::of(module).map_err(|error| error.to_string())?;
    let mut renumbered = Module::new();
    locals
        .parse_core_module(&mut renumbered, Parser::new(0), module)
        .map_err(|error| format!("{error:?}"))?;
    Ok(renumbered.finish())
}

struct Locals {
    /// How many parameters each function has that is still to come.
    parameters: std::vec::IntoIter<usize>,
    /// The new number of each variable, in a function.
    new: Vec<u32>,
}

impl Locals {
    fn of(module: &[u8]) -> wasmparser::Result<Self> {
        let (mut types, mut parameters) = (Vec::new(), Vec::new());
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::TypeSection(groups) => {
                    for group in groups {
                        types.extend(group?.into_types().map(|ty| match ty.composite_type.inner {
                            CompositeInnerType::Func(function) => function.params().len(),
                            _ => 0,
                        }));
                    }
                }
                Payload::FunctionSection(functions) => {
                    for ty in functions {
                        parameters.push(types[ty? as usize]);
                    }
                }
                _ => {}
            }
        }
        Ok(Self { parameters: parameters.into_iter(), new: Vec::new() })
    }
}

impl Reencode for Locals {
    type Error = Infallible;

    fn parse_function_body(
        &mut self,
        code: &mut CodeSection,
        body: FunctionBody<'_>,
    ) -> Result<(), Error> {
        let parameters = self.parameters.next().unwrap_or_default();
        let mut types = Vec::new();
        for group in body.get_locals_reader()? {
            let (count, ty) = group?;
            types.extend((0..count).map(|_| ty));
        }
        let mut uses = vec![0_usize; parameters + types.len()];
        for operator in body.get_operators_reader()? {
            if let Some(number) = local(&mut operator?) {
                uses[*number as usize] += 1;
            }
        }
        // The format lists variables by type.
        let type_of = |number: &usize| types[number - parameters];
        let mut order: Vec<usize> = (parameters..uses.len()).collect();
        order.sort_by_key(|number| (place(type_of(number)), Reverse(uses[*number])));
        let old = (0..parameters).chain(order.iter().copied());
        self.new = vec![0; uses.len()];
        for (number, was) in (0..).zip(old) {
            self.new[was] = number;
        }
        let types = order.iter().map(|number| utils::val_type(self, type_of(number)));
        let types = types.collect::<Result<Vec<_>, _>>()?;
        let mut function = Function::new_with_locals_types(types);
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            function.instruction(&self.parse_instruction(&mut operators)?);
        }
        code.function(&function);
        Ok(())
    }

    fn instruction<'a>(&mut self, mut operator: Operator<'a>) -> Result<Instruction<'a>, Error> {
        if let Some(number) = local(&mut operator) {
            *number = self.new[*number as usize];
        }
        utils::instruction(self, operator)
    }
}

/// The variable that an instruction reads or writes.
const fn local<'a>(operator: &'a mut Operator<'_>) -> Option<&'a mut u32> {
    match operator {
        Operator::LocalGet { local_index }
        | Operator::LocalSet { local_index }
        | Operator::LocalTee { local_index } => Some(local_index),
        _ => None,
    }
}

const fn place(ty: ValType) -> u8 {
    match ty {
        ValType::I32 => 0,
        ValType::I64 => 1,
        ValType::F32 => 2,
        ValType::F64 => 3,
        ValType::V128 => 4,
        ValType::Ref(_) => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_encoder::{FunctionSection, TypeSection};
    use wasmparser::Validator;

    const I32: wasm_encoder::ValType = wasm_encoder::ValType::I32;
    const I64: wasm_encoder::ValType = wasm_encoder::ValType::I64;

    /// Functions of one parameter, each with its variables and its instructions.
    fn module(bodies: &[(&[wasm_encoder::ValType], &[Instruction<'_>])]) -> Vec<u8> {
        let mut types = TypeSection::new();
        types.ty().function([], []);
        types.ty().function([I32], []);
        let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
        for (locals, instructions) in bodies {
            functions.function(1);
            let mut function = Function::new_with_locals_types(locals.iter().copied());
            for instruction in instructions.iter().chain([&Instruction::End]) {
                function.instruction(instruction);
            }
            code.function(&function);
        }
        let mut module = Module::new();
        module.section(&types).section(&functions).section(&code);
        Validator::new().validate_all(module.as_slice()).unwrap();
        module.finish()
    }

    #[test]
    fn the_variable_that_is_used_most_has_the_lowest_number() {
        use Instruction::{Drop, I64Const, LocalGet, LocalSet, LocalTee};
        let before = module(&[
            // The parameter is used least, the fourth variable most.
            (
                &[I64, I32, I32],
                &[
                    I64Const(7),
                    LocalSet(1),
                    LocalGet(0),
                    LocalTee(3),
                    LocalSet(2),
                    LocalGet(3),
                    LocalSet(3),
                ],
            ),
            // Nothing is used.
            (&[I32, I64], &[]),
            // What is used as often stays in order.
            (&[I32, I32], &[LocalGet(1), Drop, LocalGet(2), Drop]),
        ]);
        let after = module(&[
            (
                &[I32, I32, I64],
                &[
                    I64Const(7),
                    LocalSet(3),
                    LocalGet(0),
                    LocalTee(1),
                    LocalSet(2),
                    LocalGet(1),
                    LocalSet(1),
                ],
            ),
            (&[I32, I64], &[]),
            (&[I32, I32], &[LocalGet(1), Drop, LocalGet(2), Drop]),
        ]);
        assert_eq!(renumbered(&before).unwrap(), after);
        assert_eq!(renumbered(&after).unwrap(), after);
    }

    #[test]
    fn what_is_no_module_is_an_error() {
        assert!(renumbered(b"no module").is_err());
    }
}
