// The states of setting a mirror up, and of changing one that is there.

import type { MirrorLook } from '../src/lib/bindings/MirrorLook';
import {
  ago,
  archive,
  ended,
  failure,
  FakeBackend,
  job,
  mirror,
  overview,
  plan,
  repository,
  section,
  started,
  totals,
} from '../src/testing/fake';
import { archived, checks, closed, fresh, hostKey, leaving } from '../src/testing/setting_up';

type Step = (backend: FakeBackend) => void | Promise<void>;

interface State {
  backend(): FakeBackend;
  then?: Step[];
}

/** Presses the button or menu entry whose words begin so. */
function press(words: string): Step {
  return () => {
    const found = [...document.querySelectorAll('button')].find((button) =>
      (button.ariaLabel ?? button.textContent ?? '').trim().startsWith(words),
    );
    if (!found) throw new Error(`no button ${words}`);
    found.click();
  };
}

/** Chooses the radio whose label begins so. */
function pick(words: string): Step {
  return () => {
    const found = [...document.querySelectorAll('label')].find((label) => label.textContent?.trim().startsWith(words));
    if (!found) throw new Error(`no choice ${words}`);
    found.click();
  };
}

function type(id: string, text: string): Step {
  return () => {
    const field = document.getElementById(id);
    if (!(field instanceof HTMLInputElement)) throw new Error(`no field ${id}`);
    field.value = text;
    field.dispatchEvent(new Event('input', { bubbles: true }));
  };
}

const toSource: Step[] = [press('Set up a standby'), press('Next')];
const toLook: Step[] = [...toSource, pick('you/orchestrator'), press('Look at it')];
const toWhere: Step[] = [...toLook, press('Next')];
const toPlace: Step[] = [
  ...toWhere,
  type('setup-token-mirror', 'ghp_typed'),
  press('Use the token of the mirror'),
  press('Look there'),
];
const toKeep: Step[] = [...toPlace, press('Next')];
const toSentinel: Step[] = [
  ...toKeep,
  type('value-API_KEY', 'typed'),
  press('Keep the value of API_KEY'),
  press('Next'),
];
const toReview: Step[] = [...toSentinel, press('Next')];
const toSync: Step[] = [...toReview, press('Create the repository and set up')];

const place = { run: 'run-1', repository: 'orchestrator', mirror: 'standby' };
const of = job({ id: 'job-1', mirrors: ['standby'] });
const begin: Step = (backend) =>
  backend.say(
    started(of),
    { at_iso: ago(0), event: 'run_started', repo: 'backup-account/orchestrator', type: 'github', ...place },
    { at_iso: ago(0), event: 'aspect_started', aspect: 'code', ...place },
    { at_iso: ago(0), event: 'progress', aspect: 'code', phase: 'writing objects', done: 3, total: 9, ...place },
  );
function end(status: 'success' | 'failed' | 'blocked'): Step {
  return (backend) => {
    const error = status === 'failed' ? failure({ message: 'the token of backup-account may not push' }) : null;
    backend.answer.repositories[0]?.mirrors.forEach((one) => Object.assign(one, error ? { error } : {}));
    backend.say({ at_iso: ago(-4), event: 'run_finished', status, error, totals, ...place }, ended(of));
  };
}

const sure = (over: (backend: FakeBackend) => void) => (): FakeBackend => {
  const backend = fresh();
  over(backend);
  return backend;
};

const filled: Partial<MirrorLook> = {
  state: 'filled',
  is_private: false,
  notices: [
    {
      message: 'you/spare belongs to the same account as its source: if you is suspended, so is the standby',
      hint: 'Make the standby with another account, one that has its own sign-in and its own payment.',
    },
  ],
  plan: plan({
    summary: 'A sync would make 2 changes.',
    sections: [
      section('code', {
        changes: [
          { aspect: 'code', action: 'delete', name: 'refs/heads/old', before: 'a'.repeat(40), note: 'rescued first' },
          { aspect: 'code', action: 'create', name: 'refs/heads/main', after: 'b'.repeat(40) },
        ],
      }),
    ],
  }),
};

const one = (): FakeBackend => {
  const backend = new FakeBackend(overview([repository([mirror(), archive()])]));
  backend.mirrorLeaving = async () => leaving;
  backend.mirrorTest = async (_, id) => ({
    mirror: id,
    repo: 'backup-account/orchestrator',
    checks,
    host_key: hostKey,
  });
  return backend;
};
const menu = press('Actions for mirror-1');

export const setupStates: Record<string, State> = {
  'empty-by-file': { backend: fresh, then: [press('I configure by file')] },
  'setup-what': { backend: fresh, then: [press('Set up a standby')] },
  'setup-source': { backend: fresh, then: toLook },
  'setup-source-closed': { backend: sure((backend) => (backend.sourceLook = closed)), then: toLook },
  'setup-where': { backend: fresh, then: toPlace },
  'setup-where-filled': {
    backend: sure((backend) => Object.assign(backend.mirrorLook, filled)),
    then: [...toWhere, type('setup-repo', 'you/spare'), press('Look there')],
  },
  'setup-archive': {
    backend: sure((backend) => (backend.mirrorLook = archived({ host_key: hostKey }))),
    then: [
      press('Set up a standby'),
      pick('Archive'),
      ...toLook.slice(1),
      press('Next'),
      type('setup-url', 'git@nas.local:srv/orchestrator.git'),
      press('Look there'),
    ],
  },
  'setup-keep': { backend: fresh, then: toKeep },
  'setup-sentinel': { backend: fresh, then: [...toSentinel, () => document.querySelector('summary')?.click()] },
  'setup-review': { backend: fresh, then: toReview },
  'setup-trouble': {
    backend: sure((backend) => {
      const write = backend.setUp;
      const message = 'the token of standby is not kept: the keychain is locked';
      const troubles = [failure({ code: 'keychain_locked', message, hint: 'Unlock it, and try again.' })];
      backend.setUp = async (...values) => ({ ...(await write(...values)), troubles });
    }),
    then: toSync,
  },
  'setup-leave': { backend: fresh, then: [...toReview, press('Cancel')] },
  'setup-syncing': { backend: fresh, then: [...toSync, begin] },
  'setup-ready': { backend: fresh, then: [...toSync, begin, end('success')] },
  'setup-failed': { backend: fresh, then: [...toSync, begin, end('failed')] },
  'mirror-edit': {
    backend: one,
    then: [menu, press('Edit'), type('edit-place', 'backup-account/another'), press('Show what changes')],
  },
  'mirror-disable': { backend: one, then: [menu, press('Disable')] },
  'mirror-test': { backend: one, then: [menu, press('Test')] },
  'mirror-remove': { backend: one, then: [menu, press('Remove')] },
};
