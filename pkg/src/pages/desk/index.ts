/** The desk of the gate: an operator sees every payment, and decides what waits. Spec: docs/operations.md, "The desk". */

import { type Deed, openDesk } from '../shared/shell.js';
import { DEEDS } from './actions.js';
import { channels, clients, facilitators } from './health.js';
import { overview } from './overview.js';
import { payment, payments, searchDeed } from './payments.js';
import { forgetDays } from './totals.js';

/** A deed that changes what the days come to. */
const counted =
  (deed: Deed): Deed =>
  async (...asked) => {
    try {
      return await deed(...asked);
    } finally {
      forgetDays();
    }
  };

openDesk({
  home: 'overview',
  views: {
    overview: { link: 'Overview', show: overview },
    payments: { link: 'Payments', show: payments },
    payment: { show: payment },
    clients: { link: 'Failing clients', show: clients },
    facilitators: { link: 'Facilitators', show: facilitators },
    channels: { link: 'Channels', show: channels },
  },
  deeds: { search: searchDeed, ...Object.fromEntries(Object.entries(DEEDS).map(([name, deed]) => [name, counted(deed)])) },
  knock: (operator) => operator.read('/_farebox/payments', { limit: '1' }),
});
