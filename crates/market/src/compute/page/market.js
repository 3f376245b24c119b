// Keeps /exchange up to date: what the server writes is put in the place of what stands there.

const main = document.querySelector('main');
const told = document.getElementById('feed');
const EVERY_MS = 5_000;
const SOON_MS = 400;
let waiting;

async function refresh() {
  clearTimeout(waiting);
  waiting = undefined;
  if (document.hidden) return;
  let text;
  try {
    const response = await fetch(location.href, { headers: { accept: 'text/html' } });
    if (!response.ok) return;
    text = await response.text();
  } catch {
    return;
  }
  const fresh = new DOMParser().parseFromString(text, 'text/html');
  for (const part of document.querySelectorAll('[data-live]')) {
    const next = fresh.getElementById(part.id);
    // Who reads with the keyboard keeps their place.
    if (next === null || next.innerHTML === part.innerHTML || part.contains(document.activeElement)) continue;
    const open = part.querySelector('details')?.open ?? false;
    part.replaceChildren(...next.childNodes);
    const details = part.querySelector('details');
    if (details !== null) details.open = open;
  }
}

function soon() {
  waiting ??= setTimeout(refresh, SOON_MS);
}

const live = new Set();
function tell(profile, isLive) {
  const was = live.size;
  if (isLive) live.add(profile);
  else live.delete(profile);
  if (live.size !== was) told.textContent = live.size > 0 ? 'Live.' : 'Not live; trying again.';
}

for (const profile of main.dataset.profiles.split(' ')) {
  const feed = new EventSource(`/api/v1/feed?network_profile=${encodeURIComponent(profile)}`);
  feed.addEventListener('open', () => tell(profile, true));
  feed.addEventListener('error', () => tell(profile, false));
  feed.addEventListener('message', soon);
}
setInterval(refresh, EVERY_MS);
document.addEventListener('visibilitychange', refresh);
