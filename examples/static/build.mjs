// Puts the gate's pages and your files into the one folder that wrangler.toml names. Both may have rules for headers.
import { appendFileSync, cpSync, existsSync, readFileSync, rmSync } from 'node:fs';

const own = 'public/_headers';
rmSync('.site', { recursive: true, force: true });
cpSync('node_modules/farebox-gate/pages', '.site', { recursive: true });
cpSync('public', '.site', { recursive: true, filter: (path) => path.replaceAll('\\', '/') !== own });
if (existsSync(own)) appendFileSync('.site/_headers', readFileSync(own));
