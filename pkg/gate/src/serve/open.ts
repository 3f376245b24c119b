/** The port of the server behind the gate: whether it is open to others, who would pay nothing there, and whether it is there at all. */
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
  const number = portOf({ protocol, port });
  const found = await Promise.all(addresses.map((address) => takes(address, number, CONNECT_MS)));
  const [at] = addresses.filter((_, index) => found[index]);
  return at === undefined ? undefined : `${protocol}//${at.includes(':') ? `[${at}]` : at}:${number}`;
}

const portOf = ({ protocol, port }: Pick<URL, 'protocol' | 'port'>): number =>
  port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);

/** How long a server elsewhere has, and between two looks at one that is down. */
const ELSEWHERE_MS = 5_000;
const PAUSE_MS = 10_000;
/** Answers of the gate where its server fails. */
const FAILED = [502, 504];

/** Hears of each answer, and says once that the server takes no connections, and once that it does again: free requests have no line in the log. */
export function watchOrigin(origin: string, tell: (text: string) => void, pause = PAUSE_MS): (status: number) => void {
  const url = new URL(origin);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  let [isDown, isLooking] = [false, false];
  const look = async (): Promise<void> => {
    isLooking = true;
    const isThere = await takes(host, portOf(url), ELSEWHERE_MS);
    if (isThere === isDown)
      tell(
        isThere
          ? `${url.origin} takes connections again\n`
          : `${url.origin} takes no connections: what is asked of it fails until it does\n`,
      );
    isDown = !isThere;
    setTimeout(() => (isDown ? void look() : (isLooking = false)), pause).unref();
  };
  return (status) => {
    if (FAILED.includes(status) && !isLooking) void look();
  };
}

function takes(host: string, port: number, timeout: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout });
    const ends = (isOpen: boolean): void => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once('connect', () => ends(true)).once('timeout', () => ends(false));
    socket.once('error', () => ends(false));
  });
}
