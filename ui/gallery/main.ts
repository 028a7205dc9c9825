// The gallery: the window in a named state, for pictures and checks. Not part of the application.
// `?state=worst-day&theme=dark&size=150`; with `npm run dev` it is at /gallery/.

import '../src/styles/tokens.css';
import '../src/styles/base.css';

import { mount, tick } from 'svelte';

import App from '../src/App.svelte';
import { NOW } from '../src/testing/fake';
import { states } from './states';

const asked = new URLSearchParams(location.search);
const name = asked.get('state') ?? 'in-step';
const state = states[name];

// Every picture is taken at the same moment.
Date.now = () => NOW + performance.now();

async function settled(): Promise<void> {
  await tick();
  await new Promise((done) => setTimeout(done, 20));
  await new Promise((done) => requestAnimationFrame(done));
}

const theme = asked.get('theme');
const target = document.getElementById('app');
if (!state) {
  document.body.textContent = `No state ${name}. There are: ${Object.keys(states).join(', ')}`;
} else if (target) {
  localStorage.clear();
  // As a person sets it, whatever the system says.
  if (theme) localStorage.setItem('standin.theme', theme);
  const backend = state.backend();
  mount(App, { target, props: { backend } });
  const size = asked.get('size');
  if (size) document.documentElement.style.fontSize = `${size}%`;
  await settled();
  for (const step of state.then ?? []) {
    await step(backend);
    await settled();
  }
}
document.documentElement.dataset['gallery'] = state ? 'ready' : 'unknown';
