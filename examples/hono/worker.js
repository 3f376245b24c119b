import { WorkerEntrypoint } from 'cloudflare:workers';
import { Hono } from 'hono';

const app = new Hono();
app.get('/', (c) => c.text('Weather for a cent, forecasts for two.\n'));
// Who paid, as the gate says. Its own headers are the only ones of that name that come through.
app.get('/report', (c) => c.json({ report: 'Rainfall, Tuesday', payer: c.req.header('Farebox-Payer') }));
app.get('/forecasts/:city', (c) => c.json({ city: c.req.param('city'), forecast: 'Rain until Thursday' }));

/** The app: wrangler.toml binds it as ORIGIN, and the gate alone reaches it. */
export class App extends WorkerEntrypoint {
  fetch(request) {
    return app.fetch(request, this.env, this.ctx);
  }
}

// The gate, which everyone reaches. Its prices are in wrangler.toml.
export { Channel, default, Ledger } from 'farebox-gate';
