// The market's module.

import { ExchangeObject, SkillsObject, sweep } from '#glue';

import { answer, Compiled, ready } from '../platform/compiled.mjs';
import { survived } from '../platform/instance.mjs';
import { Feeds } from './feeds.mjs';

export default {
  fetch: answer,

  /**
   * The trigger of `wrangler.toml`.
   *
   * @param {ScheduledController} _controller
   * @param {Record<string, unknown>} env
   */
  async scheduled(_controller, env) {
    ready(env);
    await survived(sweep(env));
  },
};

/** The market's books. */
export class Skills extends Compiled {
  /**
   * @param {DurableObjectState} state
   * @param {Record<string, unknown>} env
   */
  constructor(state, env) {
    super(state, env, SkillsObject);
  }
}

/** Sellers, quotes, jobs and held money of a network profile. */
export class Exchange extends Compiled {
  /**
   * @param {DurableObjectState} state
   * @param {Record<string, unknown>} env
   */
  constructor(state, env) {
    super(state, env, ExchangeObject);
    this.feeds = new Feeds(state, { news: () => this.compiled().news(), next: (about, after) => this.compiled().next(about, after) });
  }

  /**
   * What is seen, as JSON.
   *
   * @param {string} name
   * @param {string} letter
   */
  look(name, letter) {
    return this.compiled().look(name, letter);
  }

  /**
   * Opens a feed.
   *
   * @param {Request} request
   */
  fetch(request) {
    const [name = '', letter = '', client = ''] = ['name', 'letter', 'client'].map((field) =>
      decodeURIComponent(request.headers.get(`farebox-${field}`) ?? ''),
    );
    const seen = JSON.parse(this.compiled().open(name, letter, client, JSON.stringify(this.feeds.open())));
    if (seen.feed !== undefined) return this.feeds.answer(request, client, seen.feed);
    const { status, headers, body } = seen.reply;
    return new Response(body, { status, headers: [['content-type', 'application/json'], ...headers] });
  }

  /** @param {WebSocket} socket */
  webSocketMessage(socket) {
    this.feeds.answered(socket);
  }

  /** @param {WebSocket} socket */
  webSocketClose(socket) {
    this.feeds.gone(socket);
  }
}
