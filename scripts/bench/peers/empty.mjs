// The least that a Worker can do: what a request costs the platform alone.

export default {
  fetch() {
    return new Response(null, { status: 400 });
  },
};
