// What every page shows: its title, what happens step by step, and what it bought.

/** The gate, which the page's address names. */
export const gate = new URLSearchParams(location.search).get('gate') ?? '';
export const asked = new URLSearchParams(location.search);

/** Adds a line. */
export function line(text) {
  const item = document.createElement('li');
  item.textContent = text;
  document.querySelector('#lines').append(item);
}

/** Shows results as they come; `data-done` on the document tells that there are no more. */
export async function show(title, work) {
  document.title = title;
  document.querySelector('h1').textContent = title;
  const button = document.querySelector('button');
  const results = [];
  const run = async (name, task) => {
    try {
      results.push({ name, value: await task() });
    } catch (error) {
      results.push({
        name,
        code: typeof error.code === 'string' ? error.code : error.name,
        message: error.message,
        signed: error.signed ?? null,
      });
    }
    line(`${name}: ${JSON.stringify(results.at(-1).value ?? results.at(-1).code)}`);
  };
  const begin = async () => {
    button.disabled = true;
    await work(run);
    document.querySelector('output').textContent = JSON.stringify(results);
    document.documentElement.dataset.done = 'yes';
  };
  button.addEventListener('click', begin);
  // The button is what a person presses; where nobody does, the page begins by itself.
  if (!asked.has('wait')) await begin();
}
