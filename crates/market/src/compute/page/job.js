// Shows one job to who has its token, and follows its feed. The token stays in this tab: it comes behind `#` or from the field, and
// goes into a header. Whatever a seller delivered is put on the page as text.

const id = document.querySelector('main').dataset.job;
const at = (name) => document.getElementById(name);
const PLACE = `farebox-job-${id}`;
const AGAIN_MS = 2_000;
// The exchange writes its own list of hidden characters here.
const HIDDEN = /[HIDDEN_CLASS]/gu;

let cursor = '';
let token = '';
let isShowing = false;

/** What this tab keeps of the token, where the browser lets it. */
function kept(given) {
  try {
    if (given !== undefined) sessionStorage.setItem(PLACE, given);
    return sessionStorage.getItem(PLACE) ?? '';
  } catch {
    return '';
  }
}

/** What is not seen, or turns the text around it, by its number; lines and tabs stay. */
const visible = (text) =>
  text.replace(HIDDEN, (char) =>
    char === '\n' || char === '\t' ? char : `‹U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}›`,
  );

function resultOf(result) {
  if (result === null || result === undefined) return undefined;
  if (typeof result === 'string') return result;
  if (typeof result.text === 'string' && Object.keys(result).length === 1) return result.text;
  return JSON.stringify(result, null, 2);
}

const asked = (path, headers) =>
  fetch(`/api/v1/jobs/${encodeURIComponent(id)}${path}`, { cache: 'no-store', headers: { authorization: `Bearer ${token}`, ...headers } });

/** Reads the job; whether it could be read. */
async function read() {
  const response = await asked('', {});
  if (!response.ok) {
    at('feed').textContent =
      response.status === 403 || response.status === 404 ? 'This token reads no such job.' : 'The job could not be read.';
    // What is crowded now is asked again.
    return response.status >= 500 || [408, 425, 429].includes(response.status);
  }
  const job = await response.json();
  at('job').hidden = false;
  at('open').hidden = true;
  at('status').textContent = visible(String(job.status));
  at('status').className = `tone ${['done', 'failed'].includes(job.status) ? job.status : 'neutral'}`;
  at('seller').textContent = visible(String(job.seller_id));
  const result = resultOf(job.result);
  at('result').textContent = result === undefined ? 'None yet.' : visible(result);
  return true;
}

function add(line) {
  const item = document.createElement('li');
  const tone = document.createElement('span');
  tone.className = `tone ${['positive', 'warning', 'critical'].includes(line.tone) ? line.tone : 'neutral'}`;
  tone.textContent = visible(String(line.title));
  const time = document.createElement('time');
  time.className = 'quiet';
  time.dateTime = String(line.timestamp);
  time.textContent = String(line.timestamp).replace('T', ' ').replace('Z', ' UTC');
  item.append(tone, ' ', time, document.createElement('br'), visible(String(line.message)));
  at('events').append(item);
}

/** Follows the feed until it ends. */
async function follow() {
  const response = await asked('/feed', { accept: 'text/event-stream', ...(cursor === '' ? {} : { 'last-event-id': cursor }) });
  if (!response.ok || response.body === null) throw new Error(`${response.status}`);
  at('feed').textContent = 'Live.';
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + value).split('\n\n');
    rest = parts.pop();
    let isNews = false;
    for (const part of parts) {
      const field = (name) =>
        part
          .split('\n')
          .find((line) => line.startsWith(`${name}: `))
          ?.slice(name.length + 2);
      cursor = field('id') ?? cursor;
      const data = field('data');
      if (data === undefined || field('event') === 'ready') continue;
      add(JSON.parse(data));
      isNews = true;
    }
    if (isNews) await read();
  }
}

/** Shows the job under the newest token, in one loop: two would add each line twice. */
async function show() {
  kept(token);
  if (isShowing) return;
  isShowing = true;
  for (let refused; refused !== token; ) {
    const shown = token;
    try {
      if (!(await read())) {
        refused = shown;
        continue;
      }
      await follow();
    } catch {
      at('feed').textContent = 'Not live; trying again.';
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
  isShowing = false;
}

at('open').addEventListener('submit', (event) => {
  event.preventDefault();
  token = at('token').value.trim();
  show();
});

token = location.hash.slice(1) || kept();
// Where the browser keeps nothing, a reload reads it in the address again.
if (location.hash !== '' && kept(token) === token) history.replaceState(null, '', location.pathname);
if (token !== '') show();
