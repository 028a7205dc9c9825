// The states of the activity of a repository.

import type { AuditEntry } from '../src/lib/bindings/AuditEntry';
import type { Dot } from '../src/lib/bindings/Dot';
import type { RunRecord } from '../src/lib/bindings/RunRecord';
import {
  ago,
  archive,
  dot,
  failure,
  FakeBackend,
  madeChanges,
  mirror,
  overview,
  repository,
  run,
  totals,
  track,
} from '../src/testing/fake';
import type { State, Step } from './states';

const HOUR = 3600;
const DAY = 24 * HOUR;

/** The runs of a month, some of which did not go well. */
function month(of: string, bad: (day: number) => Partial<Dot> | null): Dot[] {
  return Array.from({ length: 120 }, (_, at) => {
    const seconds = 30 * DAY - at * 6 * HOUR - 600;
    const long = { finished_iso: ago(seconds - (at % 7 === 0 ? 900 : 6)), changes: at % 3 };
    return dot(`${of}-${at}`, seconds, { ...long, ...bad(Math.floor(at / 4)) });
  });
}

const outage = (first: number, last: number) => (day: number) =>
  day >= first && day <= last ? { status: 'failed' as const, changes: 0 } : null;

const promotion: AuditEntry = {
  at_iso: ago(5 * HOUR),
  actor: 'you@desk (desktop)',
  action: 'promote',
  repository: 'orchestrator',
  mirror: 'mirror-1',
  detail: 'make backup-account/orchestrator temporary_master, since you/orchestrator is gone: done',
  outcome: 'ok',
};

const refused: AuditEntry = {
  ...promotion,
  at_iso: ago(6 * HOUR),
  detail: 'make backup-account/orchestrator temporary_master, since you/orchestrator is gone: open',
  outcome: 'backup-account/orchestrator answered HTTP 502 to `PUT actions/permissions`',
};

function syncs(): RunRecord[] {
  const all = { job: 'job-all', totals, trigger: 'manual' as const, changes: madeChanges };
  const many = Array.from({ length: 7 }, (_, at) => ({ ...madeChanges[0]!, name: `refs/heads/feature/${at}` }));
  return [
    run('now', 4, { status: 'running', finished_iso: null }),
    run('a', 130, all),
    run('b', 130, {
      ...all,
      mirror: 'mirror-2',
      status: 'failed',
      changes: [],
      totals: { ...totals, changes: 0 },
      error: failure({
        message: 'ssh://git@backup.example.com/orchestrator.git could not be reached: `Connection refused`',
      }),
    }),
    run('c', HOUR, { trigger: 'source_refs', changes: many, totals: { ...totals, changes: 31 } }),
    run('d', 2 * HOUR, {
      status: 'blocked',
      error: failure({ code: 'guard_held', message: 'main waits for a decision' }),
    }),
    ...Array.from({ length: 60 }, (_, at) => run(`old-${at}`, (7 + at) * HOUR)),
  ];
}

function busy(): FakeBackend {
  const backend = new FakeBackend(overview([repository([mirror(), archive()])]));
  backend.runs = syncs();
  backend.tracks = [
    track('mirror-1', month('one', outage(12, 13))),
    track('mirror-2', month('two', outage(24, 29)), { repo: 'ssh://git@backup.example.com/orchestrator.git' }),
  ];
  backend.audit = async () => [
    { ...promotion, action: 'sync', at_iso: ago(125), detail: '2 changes' },
    promotion,
    refused,
  ];
  return backend;
}

function crowded(): FakeBackend {
  const backend = busy();
  backend.answer = overview([repository(Array.from({ length: 14 }, (_, at) => mirror({ id: `mirror-${at + 1}` })))]);
  backend.tracks = Array.from({ length: 14 }, (_, at) =>
    track(`mirror-${at + 1}`, at === 7 ? [] : month(`m${at}`, outage(at === 3 ? 26 : at + 5, at === 3 ? 29 : at + 5))),
  );
  return backend;
}

function unread(): FakeBackend {
  const backend = busy();
  const locked = () =>
    Promise.reject(failure({ code: 'storage', message: 'state.db is locked', hint: 'End what holds it.' }));
  return Object.assign(backend, { history: locked, activity: locked });
}

/** What would be read if the answer came. */
function waiting(): FakeBackend {
  const never = () => new Promise<never>(() => {});
  return Object.assign(busy(), { history: never, activity: never });
}

const focusChart: Step = () => {
  const [first] = document.querySelectorAll<HTMLElement>('[role="listbox"]');
  if (!first) throw new Error('no line of the chart');
  first.focus();
};

const unfold: Step = () => {
  const found = document.querySelector<HTMLElement>('[data-sync="job-job-all"]');
  if (!found) throw new Error('no sync of all');
  found.click();
  found.scrollIntoView({ block: 'start' });
};

const toList: Step = () => document.querySelector('ul[aria-label="Syncs"]')?.scrollIntoView({ block: 'start' });

/** `press` presses a button by its first words. */
export function activityStates(press: (words: string) => Step): Record<string, State> {
  const go = press('Activity');
  const empty = (): FakeBackend =>
    Object.assign(new FakeBackend(overview([repository([mirror()])])), {
      runs: [],
      tracks: [track('mirror-1', [], { in_step_before_iso: null })],
    });
  return {
    activity: { backend: busy, then: [go, focusChart] },
    'activity-list': { backend: busy, then: [go, toList] },
    'activity-unfolded': { backend: busy, then: [go, unfold] },
    'activity-crowded': { backend: crowded, then: [go] },
    'activity-empty': { backend: empty, then: [go] },
    'activity-waiting': { backend: waiting, then: [go] },
    'activity-unread': { backend: unread, then: [go] },
    rescues: {
      backend: () => new FakeBackend(overview([repository([mirror()])])),
      then: [go, press('Rescues')],
    },
    'rescue-restore': {
      backend: () => {
        const backend = new FakeBackend(overview([repository([mirror()])]));
        backend.rescueRestore = () =>
          Promise.reject(
            failure({ message: '`refs/heads/topic` is taken on mirror `mirror-1`: it is at 093f7683e987' }),
          );
        return backend;
      },
      then: [go, press('Rescues'), press('Restore…'), press('Restore branch')],
    },
  };
}
