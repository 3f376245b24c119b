/** The tests' own payers of MPP say byte for byte what the references say: published challenges, their answers. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';

import type { Hex } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { payMpp } from '../support/mpp-payer.ts';
import { challengesIn, credentialIn, idOf, requestOf, requestText } from '../support/mpp-wire.ts';
import { strictlyRead } from '../support/mppx-client.ts';
import { payAsOkx, readOkxChallenge } from '../support/okx-payer.ts';

type HttpCase = {
  readonly name: string;
  readonly request?: { readonly headers: Readonly<Record<string, string>> };
  readonly response: { readonly headers: Readonly<Record<string, string>> };
};
type OkxCase = { readonly name: string; readonly challengeHeader: string; readonly authorization: string };

const http = vectors<{ secretKey: string; privateKey: Hex; vectors: readonly HttpCase[] }>('server-http-evm');
const okx = vectors<{ privateKey: Hex; tokenDomain: { name: string; version: string }; vectors: readonly OkxCase[] }>('okx-credentials');

describe('the payers of these tests', () => {
  it('read the published challenges, and their ids are those of the published key', () => {
    const headers = http.vectors.flatMap(({ response }) => challengesIn(response.headers['www-authenticate'] ?? ''));
    assert.equal(headers.length, 25);
    for (const challenge of headers) {
      assert.equal(idOf(http.secretKey, challenge), challenge.id);
      assert.equal(requestText(requestOf(challenge)), challenge.request);
    }
  });

  it('answer a challenge as mppx does', async () => {
    const [asked, paid] = http.vectors;
    const [challenge] = challengesIn(asked?.response.headers['www-authenticate'] ?? '');
    assert.ok(challenge);
    const { message } = await payMpp(privateKeyToAccount(http.privateKey), challenge);
    assert.deepEqual(message, credentialIn(paid?.request?.headers['authorization'] ?? ''));
  });

  it('are as strict as mppx where it counts', () => {
    const value = http.vectors[0]?.response.headers['www-authenticate'] ?? '';
    const answer = (header: string) => new Response(null, { status: 402, headers: { 'WWW-Authenticate': header } });
    assert.equal(strictlyRead(answer(value)).length, 1);
    assert.throws(() => strictlyRead(answer(value.replace(/, expires="[^"]*"/, ''))), /no expires/);
    assert.throws(() => strictlyRead(answer(`${value}, Payment id="x"`)), /Missing request/);
  });

  it('answer a challenge as OKX does, who pays the gas', async () => {
    const [transaction, , hash] = okx.vectors;
    assert.ok(transaction && hash);
    const account = privateKeyToAccount(okx.privateKey);
    const { name, version } = okx.tokenDomain;
    const signed = await payAsOkx(transaction.challengeHeader, account, {
      nowSecs: 1_700_000_000,
      nonce: `0x${'22'.repeat(32)}`,
      domain: { name, version },
    });
    assert.equal(signed.value, transaction.authorization);
    const broadcast = await payAsOkx(hash.challengeHeader, account, { broadcast: async () => `0x${'ab'.repeat(32)}` });
    assert.equal(broadcast.value, hash.authorization);
  });

  it('read no list as OKX does: two challenges in one value become a mixture', () => {
    const [first, second] = okx.vectors.map(({ challengeHeader }) => challengeHeader).filter((value, i, all) => all.indexOf(value) === i);
    const [alone, mixed] = [readOkxChallenge(first ?? ''), readOkxChallenge(`${first}, ${second}`)];
    assert.deepEqual({ ...alone }, { ...challengesIn(first ?? '')[0] });
    assert.equal(mixed.id, alone.id);
    assert.notEqual(mixed.request, alone.request);
  });
});

function vectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../vectors/mpp/${name}.json`, import.meta.url), 'utf8')) as T;
}
