/** `Farebox-Redelivery`: what a wallet signs to ask for something that it has paid for, made without any code of the gate. */
import { encodePacked, type Hex, keccak256 } from 'viem';
import type { PrivateKeyAccount } from 'viem/accounts';

import type { HeaderRow } from './raw.ts';

export type Statement = {
  /** Token, payer and nonce of the payment. */
  readonly payment: { readonly payer: string; readonly nonce: string };
  readonly asset: string;
  readonly method: string;
  readonly url: string;
};

const CHAIN_ID = 84532;

/** The header, signed now. */
export async function signStatement(signer: Pick<PrivateKeyAccount, 'signTypedData'>, statement: Statement): Promise<HeaderRow> {
  const { payment, asset, method, url } = statement;
  const message = {
    paymentKey: keccak256(
      encodePacked(
        ['string', 'uint64', 'address', 'address', 'bytes32'],
        ['eip3009', BigInt(CHAIN_ID), asset as Hex, payment.payer as Hex, payment.nonce as Hex],
      ),
    ),
    method,
    url,
    issuedAt: BigInt(Math.floor(Date.now() / 1000)),
  };
  const signature = await signer.signTypedData({
    domain: { name: 'Farebox', version: '1', chainId: CHAIN_ID },
    types: {
      Redelivery: [
        { name: 'paymentKey', type: 'bytes32' },
        { name: 'method', type: 'string' },
        { name: 'url', type: 'string' },
        { name: 'issuedAt', type: 'uint256' },
      ],
    },
    primaryType: 'Redelivery',
    message,
  });
  const text = JSON.stringify({ ...message, issuedAt: Number(message.issuedAt), signature });
  return ['Farebox-Redelivery', Buffer.from(text).toString('base64')];
}
