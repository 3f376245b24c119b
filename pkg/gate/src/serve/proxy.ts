/** What a proxy in front of the gate may have left out: its own trust, and the host that clients ask. */
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

import { plainAddress, senderOf, targetOf } from './inner.js';

/** Addresses of this machine and of its private networks. */
const NEAR = new BlockList();
for (const [network, bits] of [
  ['127.0.0.0', 8],
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const)
  NEAR.addSubnet(network, bits, 'ipv4');
for (const [network, bits] of [
  ['::1', 128],
  ['fc00::', 7],
  ['fe80::', 10],
] as const)
  NEAR.addSubnet(network, bits, 'ipv6');

const isNear = (address: string): boolean => isIP(address) !== 0 && NEAR.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');

/** Networks that have to ask for this machine itself, one after the other, before that is the word of the proxy: a stranger writes any host. */
const MANY = 3;

/** Tells what a request shows that its proxy lacks. */
type Lack = (asked: IncomingMessage) => string | undefined;

/** Tells what requests show that their proxy lacks: each front has one such warning, by whether it trusts its proxy. */
export function proxyTeller(
  trustsProxy: boolean,
  networkOf: (address: string) => string,
  log: (text: string) => void = () => {},
): (asked: IncomingMessage) => void {
  return once(trustsProxy ? wrongHosts(networkOf) : untrusted, log);
}

/** Tells of a lack one time. */
function once(lack: Lack, log: (text: string) => void): (asked: IncomingMessage) => void {
  let isTold = false;
  return (asked) => {
    if (isTold || asked.headers['x-forwarded-for'] === undefined) return;
    const text = lack(asked);
    if (text === undefined) return;
    isTold = true;
    log(`${text}\n`);
  };
}

/** A sender that is near and names another one may be a proxy, and then all of its clients count as one. */
function untrusted({ socket }: IncomingMessage): string | undefined {
  const address = plainAddress(socket.remoteAddress ?? '');
  if (!isNear(address)) return undefined;
  return `a request of ${address} has X-Forwarded-For: if that is a proxy of yours, add --trust-proxy, else all of its clients share the limits of one`;
}

/** A host that only this side of the proxy knows stands in terms and receipts, and a payer refuses the receipt of another host than it asked. */
function wrongHosts(networkOf: (address: string) => string): Lack {
  const networks = new Set<string>();
  return (asked) => {
    const [, host = ''] = targetOf(asked) ?? [];
    const [client] = senderOf(asked, true) ?? [];
    // It is refused, and no network of its own.
    if (client === undefined) return undefined;
    const name = bareName(host);
    const isWrong = isHere(name) || ((isNear(name) || !/[.:]/.test(name)) && !isNear(client));
    if (!isWrong) {
      networks.clear();
      return undefined;
    }
    networks.add(networkOf(client));
    // No stranger asks from this machine.
    if (networks.size < MANY && !isHere(client)) return undefined;
    return (
      `WARNING: the proxy asks for the host ${host}: prices and receipts name it, and buyers who asked for another one pay and refuse the receipt. ` +
      'Let the proxy pass the host of its client on, in nginx by proxy_set_header Host $http_host;'
    );
  };
}

/** A host without its port. */
const bareName = (host: string): string => host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');

/** Whether a host means this machine itself, which no client behind a proxy asks for. */
const isHere = (name: string): boolean => /^(?:localhost|127(?:\.\d+){3}|::1)$/i.test(name);
