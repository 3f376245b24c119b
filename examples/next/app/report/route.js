// Knows nothing of payments: the gate in front of it asks for them.
export function GET(request) {
  // Who paid, as the gate says. Its own headers are the only ones of that name that come through.
  return Response.json({ report: 'Rainfall, Tuesday', payer: request.headers.get('farebox-payer') });
}
