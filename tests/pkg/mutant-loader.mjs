// Loads the package with one guard taken out: FAREBOX_GUARD has the file, the guard's text, which stands there once, and what stands there instead.

import { register } from 'node:module';

const { file, guard, broken } = JSON.parse(process.env.FAREBOX_GUARD ?? '{}');
/** The guard's text, with lines broken where the formatter likes. */
const pattern = guard
  ?.trim()
  .split(/\s+/)
  .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  .join('\\s+');
const hooks = `
  export async function load(url, context, next) {
    const loaded = await next(url, context);
    if (!url.endsWith(${JSON.stringify(`/pkg/dist/${file}`)})) return loaded;
    const text = String(loaded.source);
    const guard = new RegExp(${JSON.stringify(pattern)}, 'g');
    if (text.match(guard)?.length !== 1) throw new Error('the guard does not stand there once');
    return { ...loaded, source: text.replace(guard, () => ${JSON.stringify(broken)}) };
  }
`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
