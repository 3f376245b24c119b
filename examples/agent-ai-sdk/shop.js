// Something to buy: a server behind a gate, as `npm run gate` starts it.
import { createServer } from 'node:http';

createServer((_request, response) => {
  response.setHeader('Content-Type', 'application/json').end('{"report":"Rainfall, Tuesday"}\n');
}).listen(3000, '127.0.0.1', () => console.log('http://127.0.0.1:3000 has a report'));
