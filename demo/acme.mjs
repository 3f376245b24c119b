// The organization of the demo: two agents and three policies, one for both and one for each.

/** The merchants' origins that are there. */
const originsOf = (/** @type {import('./treasury-world.mjs').Merchants} */ { gate, hono, version1, mpp, fastapi, scripted }) =>
  [gate, hono, version1, mpp, fastapi, scripted].flatMap((merchant) => (merchant === undefined ? [] : [merchant.url]));

/**
 * `acme`: 2.05 USDC a month, and a person is asked above 0.50. The buyer may buy everywhere, the reporter at one merchant and for 0.05
 * a day.
 *
 * @param {import('./treasury-world.mjs').Merchants} merchants
 * @returns {import('./treasury-world.mjs').OrganizationSeed[]}
 */
export function acme(merchants) {
  const { hono, mpp } = merchants;
  return [
    {
      name: 'acme',
      policy: {
        allowedOrigins: originsOf(merchants),
        perMonth: { USDC: '2.05' },
        reviewAbove: { USDC: '0.50' },
        // Its version of `mppx` wants a nonce of an earlier form.
        ...(mpp === undefined ? {} : { mpp: { [new URL(mpp.url).host]: { nonce: 'joined' } } }),
      },
      agents: [
        { name: 'buyer', policy: { perPayment: { USDC: '2.00' } } },
        { name: 'reporter', policy: { allowedOrigins: hono === undefined ? [] : [hono.url], perDay: { USDC: '0.05' } } },
      ],
    },
  ];
}
