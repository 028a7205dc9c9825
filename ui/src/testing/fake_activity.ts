// What a backend says about what happened, for tests.

import type { Backend } from '../lib/backend';
import type { RunRecord } from '../lib/bindings/RunRecord';
import { FakeCalls } from './fake_calls';
import { ago, failure, totals } from './fake_values';

const runs: RunRecord[] = [
  {
    id: 'run-2',
    job: 'job-b',
    repository: 'orchestrator',
    mirror: 'mirror-1',
    trigger: 'manual',
    status: 'success',
    started_iso: ago(130),
    finished_iso: ago(125),
    error: null,
    totals,
  },
  {
    id: 'run-1',
    job: 'job-a',
    repository: 'orchestrator',
    mirror: 'mirror-1',
    trigger: 'schedule',
    status: 'failed',
    started_iso: ago(7200),
    finished_iso: ago(7180),
    error: failure(),
    totals,
  },
];

export class FakeActivity extends FakeCalls {
  runs: RunRecord[] = runs;
  history: Backend['history'] = async (choice) => {
    this.called('history', choice);
    return structuredClone(this.runs);
  };
  historyExport: Backend['historyExport'] = async (...values) => {
    this.called('historyExport', ...values);
    return '/home/you/standin-history.csv';
  };
  activity: Backend['activity'] = async (...values) => {
    this.called('activity', ...values);
    return { from_iso: ago(30 * 86_400), to_iso: ago(0), tracks: [] };
  };
}
