// The states of the settings, of the vault, and of what is so of the whole program.

import type { NotifyTrouble } from '../src/lib/bindings/NotifyTrouble';
import type { Offer } from '../src/lib/bindings/Offer';
import type { SecretState } from '../src/lib/bindings/SecretState';
import type { Settings } from '../src/lib/bindings/Settings';
import {
  ago,
  archive,
  ask,
  failure,
  FakeBackend,
  mirror,
  overview,
  plan,
  repository,
  section,
  waits,
} from '../src/testing/fake';
import type { State } from './states';

const LONG = 'THE_PASSWORD_OF_THE_DATABASE_THAT_THE_ORCHESTRATOR_OF_EVERYTHING_WRITES_TO_IN_PRODUCTION';

const base = (over: Parameters<typeof overview>[1] = {}): FakeBackend =>
  new FakeBackend(overview([repository([mirror(), archive()])], over));

/** Presses what is found so; the first of several. */
const press = (selector: string) => () => {
  const found = document.querySelector<HTMLElement>(selector);
  if (!found) throw new Error(`nothing is ${selector}`);
  found.click();
};

const settings = press('nav.more button:last-of-type');
const vault = press('#tab-vault');
const labelled = (words: string) => press(`[aria-label^="${words}"]`);

/** Types into a field and leaves it. */
const type = (id: string, text: string) => () => {
  const field = document.querySelector<HTMLInputElement>(`#${id}`);
  if (!field) throw new Error(`no field ${id}`);
  field.value = text;
  field.dispatchEvent(new Event('change', { bubbles: true }));
};

const show = (id: string) => () => document.querySelector(`#${id}`)?.scrollIntoView();

const trouble: NotifyTrouble = {
  name: 'phone',
  at_iso: ago(600),
  error: 'ntfy.sh answered 403: the topic is kept for others',
  hint: 'Give the place a token that may write there: `standin notify token phone`.',
  waiting: 3,
};

const notify: Settings['notify'] = {
  places: [
    {
      name: 'phone',
      type: 'ntfy',
      to: 'ntfy.sh',
      on: ['master_down', 'promoted'],
      token: { from: 'keychain' },
      trouble,
    },
    {
      name: 'the-team-that-answers-at-night',
      type: 'webhook',
      to: 'hooks.chat.an-organisation-with-a-long-name.example.com',
      on: [
        'master_down',
        'master_back',
        'promoted',
        'waits',
        'failed',
        'stale',
        'token_ends',
        'sentinel_asleep',
        'mended',
      ],
      token: { from: 'missing', variable: 'TEAM_HOOK_SECRET' },
      trouble: null,
    },
  ],
  quiet_hours: { from: '22:00', to: '07:00', time_zone: 'Europe/Berlin' },
  ping: 'hc-ping.com',
  ping_trouble: null,
};

function full(): FakeBackend {
  const backend = base({ pause: { since_iso: ago(60), until_iso: ago(-3600), actor: 'you@desk (desktop)' } });
  backend.held.notify = notify;
  const check = backend.tokenCheck;
  backend.tokenCheck = async (repository, mirror) => {
    if (mirror) {
      throw failure({
        code: 'keychain_unavailable',
        message: 'There is no keychain in this session',
        hint: 'Set the token in memory.',
      });
    }
    return { ...(await check(repository, mirror))!, origin: 'environment', days_left: 9 };
  };
  backend.refuseSetting = failure({
    code: 'configuration',
    message: '`[limits] run` is `soon`, which is no length of time',
    hint: 'Write a number and a unit, such as `30m` or `1h30m`.',
  });
  return backend;
}

function secrets(): FakeBackend {
  const backend = base();
  backend.places = [
    { name: 'API_KEY', source: 'vault', in_vault: true, travels: true },
    { name: 'DEPLOY_KEY', source: 'env', in_vault: true, travels: true },
    { name: LONG, source: 'vault', in_vault: true, travels: true },
    { name: 'OLD_KEY', source: null, in_vault: true, travels: false },
  ];
  const names: [string, SecretState][] = [
    ['API_KEY', 'in_step'],
    ['DATABASE_URL', 'missing_here'],
    ['DEPLOY_KEY', 'update'],
    ['OWN_KEY', 'only_on_mirror'],
    [LONG, 'needs_yes'],
  ];
  backend.plans = [
    plan({ sections: [section('secrets', { details: { secrets: { names, notices: [], sources: {} } } })] }),
  ];
  return backend;
}

const offer: Offer = {
  version: '0.2.0',
  notes: 'https://github.com/an-organisation-with-a-long-name/standin/releases/tag/v0.2.0',
  file: { url: 'https://standin.example.com/f', size: 18_200_000, sha256: '00' },
};

/** A program that brings its newer versions itself, and found one. */
function ownUpdates(): FakeBackend {
  const backend = base({ newer: offer });
  backend.updates = async () => ({
    version: '0.1.0',
    channel: 'stable',
    check: true,
    owner: { owner: 'itself', file: '/home/you/Standin.AppImage' },
    advice: null,
  });
  backend.updateTake = () =>
    Promise.reject(failure({ message: 'The download was cut after 3.1 MB', hint: 'Take it again.' }));
  backend.notifyTest = () =>
    Promise.reject(
      failure({ message: 'nobody shows notifications in this session', hint: 'Start a notification service.' }),
    );
  return backend;
}

const words = (text: string) => () => {
  const found = [...document.querySelectorAll('button')].find((one) => one.textContent?.trim().startsWith(text));
  if (!found) throw new Error(`no button ${text}`);
  found.click();
};

export const programStates: Record<string, State> = {
  settings: { backend: () => base(), then: [settings] },
  'settings-trouble': {
    backend: full,
    then: [settings, type('setting-run_limit-field', 'soon'), show('settings-schedule')],
  },
  'settings-notify': { backend: full, then: [settings, show('settings-notify')] },
  'settings-tokens': { backend: full, then: [settings, show('settings-tokens')] },
  'settings-limits': {
    backend: full,
    then: [settings, type('setting-run_limit-field', 'soon'), show('settings-limits')],
  },
  'settings-desktop': { backend: ownUpdates, then: [settings, words('Show one'), show('settings-notify')] },
  'settings-about': { backend: () => base(), then: [settings, show('settings-about')] },
  newer: { backend: ownUpdates },
  'newer-offer': { backend: ownUpdates, then: [settings, words('Take 0.2.0'), show('settings-about')] },
  'settings-unread': {
    backend() {
      const backend = base();
      const locked = failure({ code: 'storage', message: 'state.db is locked', hint: 'End the other program.' });
      backend.settings = () => Promise.reject(locked);
      backend.autostart = () => Promise.reject(locked);
      return backend;
    },
    then: [settings],
  },
  vault: { backend: secrets, then: [vault] },
  'vault-empty': { backend: () => base(), then: [vault, labelled('Vault'), press('.deeds button')] },
  'vault-compared': { backend: secrets, then: [vault, press('.deeds button:nth-of-type(2)')] },
  'vault-set': { backend: secrets, then: [vault, labelled('Replace…, the value of API_KEY')] },
  'vault-remove': { backend: secrets, then: [vault, labelled('Remove…, API_KEY')] },
  paused: {
    backend() {
      const backend = base({ pause: { since_iso: ago(60), until_iso: null, actor: 'you@desk (desktop)' } });
      backend.answer.repositories[0]!.notify = [trouble];
      return backend;
    },
  },
  decided: {
    backend() {
      const standing = { ...waits };
      const backend = new FakeBackend(overview([repository([mirror({ status: 'blocked', standing })])]));
      const question = ask({
        id: 'refs/heads/main',
        topic: 'diverged',
        words: 'Branch main is another on the mirror.',
        choices: [{ choice: 'take', label: 'Take', words: 'Bring it to the source.' }],
      });
      backend.plans = [plan({ sections: [section('code', { asks: [question] })] })];
      backend.resolve = async () => {
        backend.plans = [plan({ sections: [section('code', { asks: [{ ...question, decided: 'take' }] })] })];
        return 'Decided; the next sync does it.';
      };
      return backend;
    },
    then: [
      labelled('Preview a sync of mirror-1'),
      press('dialog input[type="radio"]'),
      labelled('Decide about'),
      press('dialog footer .quiet'),
    ],
  },
  'wide-list': {
    backend: () => base(),
    then: [
      () =>
        void document
          .querySelector('[role="separator"]')
          ?.dispatchEvent(new KeyboardEvent('keydown', { key: 'End', bubbles: true })),
    ],
  },
  'ways-to-sync': { backend: () => base(), then: [labelled('More ways to sync mirror-1')] },
};
