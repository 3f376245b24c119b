/** The oldest of the host that has most of these: so no host takes the place of another one's. None of nothing. */
export function oldestOfFullest<T>(all: Iterable<T>, urlOf: (it: T) => string): T | undefined {
  const shares = new Map<string, { readonly first: T; count: number }>();
  for (const it of all) {
    const url = urlOf(it);
    const host = URL.canParse(url) ? new URL(url).host : '';
    const share = shares.get(host) ?? { first: it, count: 0 };
    share.count += 1;
    shares.set(host, share);
  }
  return [...shares.values()].sort((one, other) => other.count - one.count)[0]?.first;
}
