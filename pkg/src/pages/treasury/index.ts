/** The desk of the treasury: reviews, budgets, decisions and agents. Spec: docs/treasury.md, "The desk". */

import { openDesk } from '../shared/shell.js';
import { agents, changes, endAgent, revokeKey } from './agents.js';
import { answerReview, reviews } from './reviews.js';
import { budgets, decision, decisions, searchDecisions } from './spending.js';

openDesk({
  home: 'reviews',
  views: {
    reviews: { link: 'Reviews', show: reviews },
    budgets: { link: 'Budgets', show: budgets },
    decisions: { link: 'Decisions', show: decisions },
    decision: { show: decision },
    agents: { link: 'Agents', show: agents },
    changes: { link: 'Changes', show: changes },
  },
  deeds: { answer: answerReview, search: searchDecisions, end: endAgent, revoke: revokeKey },
  knock: (operator) => operator.read('/api/organizations'),
});
