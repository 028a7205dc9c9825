// The states of the rehearsal of a fail-over, and of the commits that a plan is about.

import type { PlannedChange } from '../src/lib/bindings/PlannedChange';
import {
  ago,
  ask,
  failure,
  FakeBackend,
  mirror,
  OID,
  OTHER_OID,
  overview,
  plan,
  repository,
  section,
} from '../src/testing/fake';
import { codePlan } from '../src/testing/fake_code';
import { drillReport } from '../src/testing/fake_drill';
import type { State, Step } from './states';

const never = () => new Promise<never>(() => {});

function ready(): FakeBackend {
  const second = mirror({ id: 'mirror-3', repo: 'an-organisation-with-a-long-name/orchestrator-of-everything' });
  const backend = new FakeBackend(overview([repository([mirror(), second])]));
  backend.played = [
    drillReport({ at_iso: ago(3 * 86_400) }),
    drillReport({
      at_iso: ago(20 * 86_400),
      passed: false,
      seconds: 71,
      phases: [],
      error: failure({
        code: 'not_found',
        message: 'no code of orchestrator is on this machine',
        hint: 'Sync it first.',
      }),
      missing: [{ severity: 'failed', message: 'RESEND_API_KEY has no value here', hint: 'Keep it in the vault.' }],
    }),
  ];
  return backend;
}

function notReady(): FakeBackend {
  const backend = ready();
  const [standby] = backend.readiness.standbys;
  backend.readiness = {
    ...backend.readiness,
    ready: false,
    standbys: [
      standby!,
      {
        ...standby!,
        mirror: 'mirror-3',
        repo: 'an-organisation-with-a-long-name/orchestrator-of-everything',
        ready: false,
        missing_commits: 17,
        enables: ['.github/workflows/cron.yml', '.github/workflows/deploy-the-site-to-production.yml'],
      },
    ],
    findings: [
      {
        place: 'mirror-3',
        severity: 'failed',
        message: 'the token lacks the permission `Secrets` (write)',
        hint: 'Give it that permission.',
      },
      { severity: 'warning', message: 'no sentinel watches the master', hint: 'Set one up.' },
    ],
  };
  return backend;
}

function stuck(): FakeBackend {
  const backend = new FakeBackend(overview([repository([mirror()])]));
  return Object.assign(backend, {
    drillCheck: () => Promise.reject(failure({ message: 'github.com could not be reached' })),
    drill: () =>
      Promise.reject(
        failure({ code: 'not_found', message: 'no command line of this version is here', hint: 'Install it.' }),
      ),
    drills: () => Promise.reject(failure({ message: 'state.db is locked', hint: 'End what holds it.' })),
  });
}

const CHANGES: PlannedChange[] = [
  { aspect: 'code', action: 'rewrite', name: 'refs/heads/topic', before: OTHER_OID, after: OID, note: 'rescued first' },
  { aspect: 'code', action: 'fast_forward', name: 'refs/heads/next', before: OTHER_OID, after: OID },
  { aspect: 'secrets', action: 'create', name: 'API_KEY' },
];

function diverged(): FakeBackend {
  const backend = new FakeBackend(overview([repository([mirror()])]));
  const question = ask({
    id: 'refs/heads/main',
    topic: 'diverged',
    words: 'Branch main is 5c1d8f00aa11 on the mirror, which did not come from the source.',
    choices: [
      { choice: 'take', label: 'Take', words: 'Bring it to the source as `rescue/mirror-1/main`.' },
      { choice: 'leave', label: 'Leave', words: 'Change nothing there.' },
    ],
  });
  const code = codePlan([
    { name: 'refs/heads/main', mirror_tip: OTHER_OID, source_tip: OID, ahead: 2, behind: 1, decision: null },
  ]);
  backend.plans = [
    plan({
      summary: 'A sync would make 3 changes; 1 decision is asked for.',
      sections: [section('code', { asks: [question], changes: CHANGES, details: { code } })],
    }),
  ];
  const long = 'a-file-with-a-name-that-does-not-end-and-has-no-place-where-it-could-be-broken-into-two.ts';
  backend.commitList = {
    commits: Array.from({ length: 12 }, (_, at) => ({
      oid: String(at).padStart(40, 'b'),
      subject: at === 1 ? `Take ${long} apart, since nobody knows what is in it any more` : `Answer faster, step ${at}`,
      author: 'Grace Brewster Murray Hopper',
      at_iso: ago(86_400 * (at + 1)),
    })),
    count: 340,
    files: ['README.md', `src/parts/of/the/orchestrator/${long}`],
    file_count: 120,
  };
  return backend;
}

const unfoldFiles: Step = () => document.querySelector<HTMLElement>('dialog .part summary')?.click();

/** `press` presses a button by its first words. */
export function drillStates(press: (words: string) => Step): Record<string, State> {
  const go = press('Rehearse a fail-over');
  const rescued = [press('Activity'), press('Rescues')];
  return {
    drill: { backend: ready, then: [go] },
    'drill-not-ready': { backend: notReady, then: [go, press('Look now')] },
    'drill-playing': { backend: () => Object.assign(ready(), { drill: never }), then: [go, press('Start the drill')] },
    'drill-passed': {
      backend: ready,
      then: [
        go,
        press('Start the drill'),
        () => document.querySelector('.end')?.scrollIntoView({ block: 'start' }),
        () => document.querySelector<HTMLElement>('dialog details:last-of-type summary')?.click(),
      ],
    },
    'drill-trouble': { backend: stuck, then: [go, press('Look now'), press('Start the drill')] },
    commits: { backend: diverged, then: [press('Preview'), unfoldFiles] },
    'commits-of-changes': {
      backend: diverged,
      then: [
        press('Preview'),
        press('Hide the commits'),
        () => document.querySelector<HTMLElement>('[aria-labelledby="plan-loses"] .fold button')?.click(),
        () => document.querySelector('[aria-labelledby="plan-loses"]')?.scrollIntoView({ block: 'start' }),
      ],
    },
    'commits-waiting': { backend: () => Object.assign(diverged(), { commits: never }), then: [press('Preview')] },
    'commits-unread': {
      backend: () =>
        Object.assign(diverged(), {
          commits: () =>
            Promise.reject(
              failure({
                code: 'not_found',
                message: 'the commit 5c1d8f00aa11 is neither on this machine nor at the mirror any more',
                hint: 'Look again.',
              }),
            ),
        }),
      then: [press('Preview')],
    },
    'rescue-drop': {
      backend: () => {
        const backend = new FakeBackend(overview([repository([mirror()])]));
        backend.rescueDrop = () => Promise.reject(failure({ message: 'state.db is locked', hint: 'Try again.' }));
        return backend;
      },
      then: [...rescued, press('Drop…'), press('Drop branch')],
    },
  };
}
