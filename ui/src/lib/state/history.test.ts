import { describe, expect, it } from 'vitest';

import type { HistoryChoice } from '../bindings/HistoryChoice';
import { ago, failure, FakeBackend, overview, run } from '../../testing/fake';
import { History, PAGE } from './history.svelte';

function historyOf(amount: number): { backend: FakeBackend; history: History; asked: () => HistoryChoice[] } {
  const backend = new FakeBackend(overview([]));
  backend.runs = Array.from({ length: amount }, (_, at) => run(`run-${at}`, 600 * (at + 1)));
  const asked = () => backend.calls.filter(([name]) => name === 'history').map(([, choice]) => choice as HistoryChoice);
  return { backend, history: new History(backend, 'orchestrator'), asked };
}

const rowIds = ({ rows }: History) => rows.map((row) => (row.kind === 'sync' ? row.sync.id : row.mark.title));

describe('a history of more runs than are answered at once', () => {
  it('loads the page before the last run as soon as rows of it are asked for', async () => {
    const { history, asked } = historyOf(230);
    await history.retry();
    for (let shown = PAGE; shown < 200; shown += PAGE) await history.older();
    expect(asked()).toHaveLength(1);
    expect(history.more).toBe(true);
    await history.older();
    expect(asked()).toHaveLength(2);
    expect(history.runs).toHaveLength(230);
    expect(history.more).toBe(false);
  });

  it('loses none that began in the very moment of the last, and shows none twice', async () => {
    const { backend, history } = historyOf(198);
    const same = (id: string) => run(id, 600 * 300, { job: `job-${id}` });
    backend.runs = [...backend.runs, same('x'), same('y'), same('z')];
    await history.retry();
    history.limit = 200;
    await history.older();
    expect(rowIds(history).slice(-3).sort()).toEqual(['job-job-x', 'job-job-y', 'job-job-z']);
    expect(new Set(rowIds(history)).size).toBe(201);
  });

  it('keeps what is loaded where the older ones cannot be read, and says why', async () => {
    const { backend, history } = historyOf(230);
    await history.retry();
    history.limit = 200;
    backend.history = () => Promise.reject(failure({ message: 'state.db is locked' }));
    await history.older();
    expect(history.olderFailure?.message).toBe('state.db is locked');
    expect(history.runs).toHaveLength(200);
    expect(history.limit).toBe(200);
  });

  it('keeps the older ones when the newest are read anew', async () => {
    const { backend, history } = historyOf(230);
    await history.retry();
    history.limit = 200;
    await history.older();
    backend.runs = [run('new', 5), ...backend.runs];
    await history.first.read();
    expect(rowIds(history)).toHaveLength(231);
    expect(rowIds(history)[0]).toBe('job-job-new');
    expect(history.more).toBe(false);
  });
});

describe('a run that is looked for', () => {
  it('is unfolded where it is, with what hides it taken away', async () => {
    const { history, asked } = historyOf(120);
    await history.retry();
    history.text = 'nothing like it';
    expect(await history.find('run-90')).toBe('job-job-run-90');
    expect(history.text).toBe('');
    expect(history.limit).toBeGreaterThan(90);
    expect(history.open.has('job-job-run-90')).toBe(true);
    expect(asked()).toHaveLength(1);
  });

  it('that is not loaded is asked for with what was there before it', async () => {
    const { history, asked } = historyOf(230);
    await history.choose({ status: 'success' });
    expect(await history.find('run-220')).toBe('job-job-run-220');
    const last = asked().at(-1);
    expect(last?.status).toBeNull();
    expect(Date.parse(last?.until_iso ?? '')).toBeGreaterThan(Date.parse(ago(600 * 221)));
    expect(rowIds(history)[0]).toBe('job-job-run-220');
  });

  it('that is gone is said to be', async () => {
    const { history } = historyOf(3);
    await history.retry();
    expect(await history.find('run-x')).toBeNull();
  });
});

describe('changes of master in a list', () => {
  it('are left out where syncs are picked by how they went, or by another mirror', async () => {
    const { backend, history } = historyOf(2);
    const entry = { actor: 'you', action: 'promote', repository: 'orchestrator', mirror: 'mirror-1', outcome: 'ok' };
    backend.audit = async () => [{ ...entry, at_iso: ago(700), detail: '' }];
    await history.retry();
    expect(rowIds(history)[1]).toBe('mirror-1 became master');
    await history.choose({ mirror: 'mirror-2' });
    expect(rowIds(history)).toEqual([]);
    await history.choose({ mirror: null, status: 'success' });
    expect(rowIds(history)).toEqual(['job-job-run-0', 'job-job-run-1']);
  });
});

describe('answers that come in another order', () => {
  it('are dropped where they are of an earlier question', async () => {
    const { backend, history } = historyOf(2);
    const answer = backend.history;
    let late: () => void = () => {};
    backend.history = async (choice) => {
      if (choice.mirror === null) await new Promise<void>((done) => (late = done));
      return answer(choice);
    };
    const first = history.retry();
    await history.choose({ mirror: 'mirror-2' });
    late();
    await first;
    expect(history.runs).toEqual([]);
  });
});
