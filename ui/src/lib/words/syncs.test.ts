import { describe, expect, it } from 'vitest';

import type { RecordedChange } from '../bindings/RecordedChange';
import { ago, failure, madeChanges, run, totals } from '../../testing/fake';
import type { RoleMark } from './audit';
import {
  actorOf,
  actors,
  changedAnything,
  changedWords,
  errorWords,
  hasWords,
  merged,
  mirrorWords,
  resultOf,
  rowsOf,
  shortWords,
  syncsOf,
  tookWords,
  whatWords,
} from './syncs';

function change(name: string, over: Partial<RecordedChange> = {}): RecordedChange {
  return { aspect: 'code', action: 'fast_forward', name, outcome: 'done', at_iso: ago(0), ...over } as RecordedChange;
}

const made = (id: string, changes: RecordedChange[], amount = changes.length) =>
  run(id, 60, { changes, totals: { ...totals, changes: amount } });

const one = (...runs: Parameters<typeof syncsOf>[0]) => syncsOf(runs)[0]!;

describe('runs', () => {
  it('of one job are one sync; one without a job stands for itself', () => {
    const found = syncsOf([
      run('a', 10, { job: 'all', mirror: 'm1' }),
      run('b', 12, { job: 'all', mirror: 'm2' }),
      run('c', 99, { job: undefined }),
      run('d', 98, { job: undefined }),
    ]);
    expect(found.map(({ runs }) => runs.map(({ id }) => id))).toEqual([['a', 'b'], ['d'], ['c']]);
  });

  it('make a sync as long as from the first beginning to the last end, and open while one goes on', () => {
    const first = run('a', 100, { job: 'all', finished_iso: ago(90) });
    const second = run('b', 95, { job: 'all', finished_iso: ago(40) });
    expect(tookWords(one(first, second))).toBe('1 min 0 s');
    expect(tookWords(one(first, { ...second, finished_iso: null, status: 'running' }))).toBe('');
  });

  it.each([
    [['success', 'success'], 'ok', 'In step'],
    [['success', 'failed'], 'failed', '1 of 2 failed'],
    [['blocked', 'success', 'success'], 'waiting', '1 of 3 needs a decision'],
    [['blocked', 'blocked', 'success'], 'waiting', '2 of 3 need a decision'],
    [['failed', 'failed'], 'failed', 'Failed'],
    [['failed', 'running'], 'running', '1 of 2 running'],
    [['cancelled', 'success'], 'unknown', '1 of 2 cancelled'],
  ] as const)('ended as the worst of them: %o', (statuses, tone, word) => {
    const runs = statuses.map((status, at) => run(`r${at}`, 60, { job: 'all', status }));
    expect(resultOf(one(...runs))).toEqual({ tone, word });
  });

  it('are told by the names of their mirrors while those are few', () => {
    const of = (amount: number) =>
      one(...Array.from({ length: amount }, (_, at) => run(`r${at}`, 60, { job: 'all', mirror: `m-${at + 1}` })));
    expect(mirrorWords(of(2))).toBe('m-1, m-2');
    expect(mirrorWords(of(12))).toBe('12 mirrors');
  });
});

describe('what changed', () => {
  it.each([
    [change('refs/heads/main'), 'main'],
    [change('refs/tags/v1', { action: 'create' }), 'v1 added'],
    [change('refs/heads/old', { action: 'delete' }), 'old deleted'],
    [change('refs/heads/main', { action: 'rewrite' }), 'main rewritten'],
    [change('API_KEY', { aspect: 'secrets', action: 'create' }), 'API_KEY added'],
    [change('MODE', { aspect: 'variables', action: 'delete' }), 'MODE removed'],
    [change('.github/workflows/cron.yml', { aspect: 'workflows', action: 'hold' }), 'cron.yml held'],
  ])('is a few words: %o', (given, words) => {
    expect(shortWords(given)).toBe(words);
  });

  it('names three, and counts the rest', () => {
    const names = ['a', 'b', 'c', 'd', 'e'].map((name) => change(`refs/heads/${name}`));
    expect(changedWords([made('r', names.slice(0, 3))])).toBe('a, b, c');
    expect(changedWords([made('r', names)])).toBe('a, b, c and 2 more');
    expect(changedWords([made('r', names, 40)])).toBe('a, b, c and 37 more');
    expect(changedWords([made('r', [], 40)])).toBe('40 changes');
  });

  it('names once what was done to several mirrors', () => {
    const main = change('refs/heads/main');
    expect(changedWords([made('r', [main]), made('s', [main, change('refs/heads/topic')])])).toBe('main, topic');
  });

  it('leaves out what failed, and what Standin does for itself beside other things', () => {
    const refused = change('API_KEY', { aspect: 'secrets', outcome: 'failed', error: failure() });
    const fence = change('refs/standin/fence', { action: 'fence' });
    expect(changedWords([made('r', [fence, change('refs/heads/main'), refused], 2)])).toBe('main');
    expect(changedWords([made('r', [fence])])).toBe('fence moved');
    expect(errorWords([made('r', [refused], 0)])).toBe('backup-account/orchestrator could not be reached');
  });

  it('is said to be nothing where it is nothing', () => {
    expect(whatWords(one(run('r', 60)))).toBe('Nothing changed');
    expect(whatWords(one(run('r', 60, { status: 'running' })))).toBe('Nothing changed yet');
    expect(changedAnything(one(run('r', 60)))).toBe(false);
    expect(changedAnything(one(made('r', [], 3)))).toBe(true);
  });
});

describe('words that are looked for', () => {
  const sync = one(run('r', 60, { error: failure({ message: 'HTTP 403' }), changes: madeChanges }));

  it.each([
    ['', true],
    ['resend', true],
    ['main 403', true],
    ['main 404', false],
    ['mirror-1 UPDATED', true],
  ])('are found in names, errors and mirrors: %s', (text, found) => {
    expect(hasWords(sync, text)).toBe(found);
  });
});

describe('rows', () => {
  const mark = (seconds: number): RoleMark => ({
    at_iso: ago(seconds),
    mirror: 'm',
    tone: 'ok',
    title: '',
    detail: '',
    error: '',
    actor: '',
  });
  const syncs = syncsOf([run('a', 100), run('b', 200)]);
  const kinds = (rows: ReturnType<typeof rowsOf>) => rows.map(({ kind }) => kind).join(' ');

  it('have changes of master where they happened', () => {
    expect(kinds(rowsOf(syncs, [mark(50), mark(150), mark(250)], false))).toBe('role sync role sync role');
  });

  it('tell none from before what is loaded while more is to come', () => {
    expect(kinds(rowsOf(syncs, [mark(150), mark(250)], true))).toBe('sync role sync');
  });
});

describe('who began a sync', () => {
  const entry = (seconds: number, mirror: string) => ({
    at_iso: ago(seconds),
    actor: `you@${mirror}`,
    action: 'sync',
    repository: 'orchestrator',
    mirror,
    detail: '',
    outcome: 'ok',
  });

  it('is known by hand from the trail, by the moment of its end', () => {
    const known = actors([entry(55, 'mirror-1'), entry(55, 'mirror-2')]);
    expect(actorOf(one(run('r', 60, { trigger: 'manual' })), known)).toBe('you@mirror-1');
    expect(actorOf(one(run('r', 60)), known)).toBe('');
    expect(actorOf(one(run('r', 70, { trigger: 'manual' })), known)).toBe('');
  });
});

describe('runs that are read anew', () => {
  const [newest, middle, oldest] = [run('c', 10), run('b', 20), run('a', 30)];

  it('stay the same objects where nothing changed, and keep the older ones', () => {
    const known = [middle, oldest];
    const found = merged(known, [structuredClone(newest), structuredClone(middle)], false);
    expect(found.map(({ id }) => id)).toEqual(['c', 'b', 'a']);
    expect(found[1]).toBe(middle);
    expect(found[2]).toBe(oldest);
    expect(merged(known, [{ ...middle, status: 'failed' }, oldest], true)[0]?.status).toBe('failed');
  });

  it('are all there is where there are no more', () => {
    expect(merged([middle, oldest], [newest], true)).toEqual([newest]);
  });
});
