// Loads the package with one guard taken out: FAREBOX_GUARD has the file, the guard's text, which stands there once, and what stands there instead.

import { register } from 'node:module';

const { file, guard, broken } = JSON.parse(process.env.FAREBOX_GUARD ?? '{}');
const hooks = `
  export async function load(url, context, next) {
    const loaded = await next(url, context);
    if (!url.endsWith(${JSON.stringify(`/pkg/dist/${file}`)})) return loaded;
    const text = String(loaded.source);
    if (text.split(${JSON.stringify(guard)}).length !== 2) throw new Error('the guard does not stand there once');
    return { ...loaded, source: text.replace(${JSON.stringify(guard)}, () => ${JSON.stringify(broken)}) };
  }
`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
