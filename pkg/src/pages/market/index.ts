/** The desk of the market: the compute exchange, and the skills. Spec: docs/exchange.md, "The desk". */

import { type Operator, Refused } from '../../operator/client.js';
import { openDesk } from '../shared/shell.js';
import { job, jobs, searchJobs } from './jobs.js';
import { askNow, endNow, holds } from './money.js';
import { overview } from './overview.js';
import { searchSellers, sellers } from './sellers.js';
import { invocations, searchInvocations, skills, takeBack } from './skills.js';

/** Asks the half that is served for something that only the token opens. */
async function knock(operator: Operator): Promise<unknown> {
  try {
    return await operator.read('/api/v1/operator/profiles');
  } catch (error) {
    const isOther = error instanceof Refused && error.status !== 401;
    if (!isOther) throw error;
    return operator.read('/api/marketplace/invocations', { limit: '1' });
  }
}

openDesk({
  home: 'overview',
  views: {
    overview: { link: 'Overview', show: overview },
    jobs: { link: 'Jobs', show: jobs },
    job: { show: job },
    money: { link: 'Money', show: holds },
    sellers: { link: 'Sellers', show: sellers },
    skills: { link: 'Skills', show: skills },
    invocations: { link: 'Invocations', show: invocations },
  },
  deeds: { ask: askNow, end: endNow, jobs: searchJobs, sellers: searchSellers, invocations: searchInvocations, remove: takeBack },
  knock,
});
