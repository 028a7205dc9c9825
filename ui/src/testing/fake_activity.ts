// What a backend says about what happened, for tests.

import type { Backend } from '../lib/backend';
import type { Activity } from '../lib/bindings/Activity';
import type { Dot } from '../lib/bindings/Dot';
import type { RecordedChange } from '../lib/bindings/RecordedChange';
import type { RunRecord } from '../lib/bindings/RunRecord';
import type { Track } from '../lib/bindings/Track';
import { FakeCalls } from './fake_calls';
import { ago, failure, OID, OTHER_OID, totals } from './fake_values';

/** So many runs the backend answers at most. */
const LISTED = 200;

export const madeChanges: RecordedChange[] = [
  {
    aspect: 'code',
    action: 'fast_forward',
    name: 'refs/heads/main',
    before: OTHER_OID,
    after: OID,
    outcome: 'done',
    at_iso: ago(127),
  },
  { aspect: 'secrets', action: 'update', name: 'RESEND_API_KEY', outcome: 'done', at_iso: ago(126) },
];

/** A run that began so many seconds ago. */
export function run(id: string, seconds: number, over: Partial<RunRecord> = {}): RunRecord {
  return {
    id,
    job: `job-${id}`,
    repository: 'orchestrator',
    mirror: 'mirror-1',
    trigger: 'schedule',
    status: 'success',
    started_iso: ago(seconds),
    finished_iso: ago(seconds - 5),
    error: null,
    totals: { ...totals, changes: 0 },
    ...over,
  };
}

const runs: RunRecord[] = [
  run('run-2', 130, { job: 'job-b', trigger: 'manual', totals, changes: madeChanges }),
  run('run-1', 7200, { job: 'job-a', status: 'failed', finished_iso: ago(7180), error: failure() }),
];

/** A dot of a chart. */
export function dot(run: string, seconds: number, over: Partial<Dot> = {}): Dot {
  return {
    run,
    started_iso: ago(seconds),
    finished_iso: ago(seconds - 5),
    status: 'success',
    runs: 1,
    changes: 0,
    ...over,
  };
}

export function track(mirror: string, dots: Dot[], over: Partial<Track> = {}): Track {
  return { mirror, repo: `backup-account/${mirror}`, in_step_before_iso: ago(30 * 86_400 + 3600), dots, ...over };
}

export class FakeActivity extends FakeCalls {
  runs: RunRecord[] = runs;
  tracks: Track[] = [track('mirror-1', [dot('run-1', 7200, { status: 'failed' }), dot('run-2', 130, { changes: 2 })])];
  /** Answers as the real one does: what was asked for, newest first, and not more than it lists. */
  history: Backend['history'] = async (choice) => {
    this.called('history', choice);
    const { mirror, status, trigger, until_iso, text } = choice;
    const said = ({ error, changes = [] }: RunRecord) => [error?.message ?? '', ...changes.map(({ name }) => name)];
    const words = (text ?? '').toLowerCase();
    const found = this.runs.filter(
      (run) =>
        (mirror === null || run.mirror === mirror) &&
        (status === null || run.status === status) &&
        (trigger === null || run.trigger === trigger) &&
        (words === '' || said(run).some((one) => one.toLowerCase().includes(words))) &&
        (until_iso === null || Date.parse(run.started_iso) < Date.parse(until_iso)),
    );
    return structuredClone(found.slice(0, LISTED));
  };
  run: Backend['run'] = async (id) => {
    const found = this.runs.find((run) => run.id === id);
    return found ? { ...structuredClone(found), changes: structuredClone(found.changes ?? []) } : null;
  };
  historyExport: Backend['historyExport'] = async (...values) => {
    this.called('historyExport', ...values);
    return '/home/you/standin-history.csv';
  };
  activity: Backend['activity'] = async (...values): Promise<Activity> => {
    this.called('activity', ...values);
    const [, days] = values;
    return { from_iso: ago(days * 86_400), to_iso: ago(0), tracks: structuredClone(this.tracks) };
  };
}
