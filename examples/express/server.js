// An app that knows nothing of payments: the gate in front of it asks for them.
import express from 'express';

const app = express();

app.get('/', (_request, response) => {
  response.send('Reports are at /report.\n');
});

app.get('/report', (request, response) => {
  // Who paid, as the gate says. Its own headers are the only ones of that name that come through.
  response.json({ report: 'Rainfall, Tuesday', payer: request.get('Farebox-Payer') });
});

// On this machine alone: whoever reached it directly would pay nothing.
const server = app.listen(3000, '127.0.0.1', (error) => {
  if (error) throw error;
  console.log(`http://127.0.0.1:${server.address().port} is the app itself`);
});
