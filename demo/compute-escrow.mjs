// The escrow contract of an exchange on the local chain, and what it says of its payments.

import { readFileSync } from 'node:fs';

import { createWalletClient, getAddress, http } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';

/** @type {{abi: import('viem').Abi, bytecode: `0x${string}`}} */
const { abi, bytecode } = JSON.parse(readFileSync(new URL('../contracts/ComputeEscrow.json', import.meta.url), 'utf8'));
const ETHER = '0x8ac7230489e80000';

/** How far a payment is in the contract, by its number there. */
export const ENTRY_STATES = /** @type {const} */ (['none', 'funded', 'released', 'refunded']);

/**
 * Deploys the contract, and gives its gateway gas.
 *
 * @param {import('./chain.mjs').Chain} chain
 * @param {{address: `0x${string}`, privateKey: `0x${string}`}} gateway the account that it obeys
 */
export async function deployEscrow(chain, gateway) {
  const deployer = privateKeyToAccount(generatePrivateKey());
  for (const { address } of [deployer, gateway]) await chain.rpc('anvil_setBalance', [address, ETHER]);
  /** @param {import('viem').Account} account */
  const walletOf = (account) => createWalletClient({ account, chain: chain.chain, transport: http(chain.url) });
  const deployed = await walletOf(deployer).deployContract({ abi, bytecode, args: [gateway.address, chain.token.address] });
  const { contractAddress } = await chain.publicClient.waitForTransactionReceipt({ hash: deployed });
  if (!contractAddress) throw new Error('the escrow contract was not deployed');
  const address = getAddress(contractAddress);
  /** @param {string} functionName @param {unknown[]} [args] */
  const read = (functionName, args = []) => chain.publicClient.readContract({ address, abi, functionName, args });
  return {
    address,
    /**
     * What it says of a payment.
     *
     * @param {string} payment the 64 digits of its name
     */
    async entry(payment) {
      const [buyer, seller, amount, settlement, state] = /** @type {[string, string, bigint, string, 0 | 1 | 2 | 3]} */ (
        await read('payments', [`0x${payment}`])
      );
      return { buyer, seller, amount, settlement, state: ENTRY_STATES[state] };
    },
    /** @returns {Promise<bigint>} the sum of all payments that are funded */
    liabilities: async () => /** @type {bigint} */ (await read('totalLiabilities')),
    /**
     * What the owner of the gateway does by hand.
     *
     * @param {string} functionName
     * @param {unknown[]} args
     */
    async byHand(functionName, args) {
      const hash = await walletOf(privateKeyToAccount(gateway.privateKey)).writeContract({ address, abi, functionName, args });
      return chain.publicClient.waitForTransactionReceipt({ hash });
    },
  };
}
