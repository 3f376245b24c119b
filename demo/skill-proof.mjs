// What a seller signs to publish, change or take back a skill: EIP-712 typed data that names the market and the whole request.

import { createHash, randomBytes } from 'node:crypto';

const TYPES = {
  SkillAction: [
    { name: 'action', type: 'string' },
    { name: 'market', type: 'string' },
    { name: 'skill', type: 'string' },
    { name: 'name', type: 'string' },
    { name: 'price', type: 'string' },
    { name: 'callUrl', type: 'string' },
    { name: 'payTo', type: 'address' },
    { name: 'content', type: 'bytes32' },
    { name: 'nonce', type: 'bytes32' },
    { name: 'validBefore', type: 'uint64' },
  ],
};
const VALID_SECS = 600;

/**
 * The body of a request with its `proof`.
 *
 * @param {object} request
 * @param {string} request.market the market's origin
 * @param {'publish' | 'version' | 'deactivate' | 'rotate'} request.action
 * @param {Record<string, any>} request.skill the body without proof
 * @param {string} [request.id] of the skill, if the body does not name it
 * @param {Pick<import('viem/accounts').PrivateKeyAccount, 'address' | 'signTypedData'>} request.account who owns the skill
 * @param {number} [request.now] unix seconds
 */
export async function signedSkill({ market, action, skill, id = skill.skillId ?? '', account, now = Date.now() / 1000 }) {
  const { proof: _, ...body } = skill;
  const nonce = /** @type {const} */ (`0x${randomBytes(32).toString('hex')}`);
  const validBefore = Math.floor(now) + VALID_SECS;
  const signature = await account.signTypedData({
    domain: { name: 'Farebox Market', version: '1' },
    types: TYPES,
    primaryType: 'SkillAction',
    message: {
      action,
      market,
      skill: id,
      name: body.name ?? '',
      price: priceText(body),
      callUrl: body.callUrl ?? '',
      payTo: body.payTo ?? account.address,
      content: `0x${createHash('sha256').update(canonical(body)).digest('hex')}`,
      nonce,
      validBefore: BigInt(validBefore),
    },
  });
  return { ...body, proof: { nonce, validBefore, signature } };
}

/**
 * How the price stands in what is signed.
 *
 * @param {Record<string, any>} body
 */
function priceText({ price, priceXLM }) {
  if (typeof price === 'string') return price;
  if (price !== undefined) return canonical(price);
  return priceXLM === undefined ? '' : `${priceXLM} XLM`;
}

/**
 * JSON as RFC 8785 writes it.
 *
 * @param {any} value
 * @returns {string}
 */
function canonical(value) {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  return `{${Object.keys(value)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`)
    .join(',')}}`;
}
