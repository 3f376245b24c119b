/** The npm package with anvil, a chain on this machine, for this platform. */
export const ANVIL = `@foundry-rs/anvil-${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`;
