// Compiles the contracts of the local chain, and the escrow of the exchange, with the pinned solc.
//
//   node demo/token/compile.mjs    writes Token.json and the others beside the sources
//
// The artefacts are committed so that the chain starts without a compiler; a test compiles again and
// compares byte for byte. No metadata goes into the bytecode, so it depends on source and settings alone.

import { readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

import solc from 'solc';

/** Paths of the sources from this folder. */
export const contracts = [
  'Token',
  'Multicall',
  'Wallet',
  'WalletFactory',
  'BatchSettlement',
  'DepositCollector',
  'PaymentChannel',
  'Permit2',
  'ExactPermit2Proxy',
  'UptoPermit2Proxy',
  '../../contracts/ComputeEscrow',
];

const settings = { evmVersion: 'cancun', optimizer: { enabled: true, runs: 200 }, metadata: { appendCBOR: false, bytecodeHash: 'none' } };

/**
 * Compiles a contract of `<path>.sol` and returns the exact text of its artefact.
 *
 * @param {string} path from this folder
 * @param {string} [name] of the contract, if it is not that of the file
 * @returns {string}
 */
export function compile(path, name = basename(path)) {
  const source = new URL(`${path}.sol`, import.meta.url);
  const file = `${basename(path)}.sol`;
  const contents = (/** @type {string} */ beside) => readFileSync(new URL(beside, source), 'utf8');
  const input = {
    language: 'Solidity',
    sources: { [file]: { content: contents(file) } },
    settings: { ...settings, outputSelection: { [file]: { [name]: ['abi', 'evm.bytecode.object', 'evm.deployedBytecode.object'] } } },
  };
  const imported = (/** @type {string} */ path) => ({ contents: contents(path) });
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: imported }));
  /** @type {{formattedMessage: string}[]} */
  const complaints = output.errors ?? [];
  if (complaints.length > 0) {
    throw new Error(complaints.map((complaint) => complaint.formattedMessage).join('\n'));
  }
  const { abi, evm } = output.contracts[file][name];
  const artefact = {
    contract: name,
    compiler: solc.version(),
    settings,
    abi,
    bytecode: `0x${evm.bytecode.object}`,
    runtime: `0x${evm.deployedBytecode.object}`,
  };
  return `${JSON.stringify(artefact, null, 2)}\n`;
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  for (const path of contracts) {
    const artefact = new URL(`${path}.json`, import.meta.url);
    writeFileSync(artefact, compile(path));
    console.log(fileURLToPath(artefact));
  }
}
