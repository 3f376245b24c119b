/** Whether the server behind the gate is open to others, who would pay nothing there. */
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';

/** How long a connection may take: it stays on this machine. */
const CONNECT_MS = 1_000;

/** Addresses of this machine by which others reach it. */
const outward = (): readonly string[] =>
  Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    // An address of a link alone needs the name of that link.
    .filter(({ internal, address }) => !internal && !address.startsWith('fe80:'))
    .map(({ address }) => address);

/** The first place at which the port of a server of this machine takes connections of others; none for a server elsewhere. */
export async function openTo(origin: string, addresses = outward()): Promise<string | undefined> {
  const { protocol, hostname, port } = new URL(origin);
  if (!/^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname)) return undefined;
  const number = port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
  const found = await Promise.all(addresses.map((address) => takes(address, number)));
  const [at] = addresses.filter((_, index) => found[index]);
  return at === undefined ? undefined : `${protocol}//${at.includes(':') ? `[${at}]` : at}:${number}`;
}

function takes(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_MS });
    const ends = (isOpen: boolean): void => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once('connect', () => ends(true)).once('timeout', () => ends(false));
    socket.once('error', () => ends(false));
  });
}
