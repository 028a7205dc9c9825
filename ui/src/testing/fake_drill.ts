// What a backend says about drills, and about the commits that a decision is about: for tests.

import type { Backend } from '../lib/backend';
import type { CommitList } from '../lib/bindings/CommitList';
import type { DrillReport } from '../lib/bindings/DrillReport';
import type { Offer } from '../lib/bindings/Offer';
import type { Readiness } from '../lib/bindings/Readiness';
import { FakeSetup } from './fake_setup';
import { ago, OID, OTHER_OID } from './fake_values';

export function drillReport(over: Partial<DrillReport> = {}): DrillReport {
  return {
    repository: 'orchestrator',
    mirror: 'mirror-1',
    at_iso: ago(60),
    passed: true,
    phases: [
      { what: 'brought in step', detail: '3 branches, 5 secrets, 4 workflows', seconds: 8.2 },
      { what: 'the primary goes down', detail: 'every request answers 503', seconds: 0.1 },
      {
        what: 'the standby takes over',
        detail: 'mirror-1 is TEMPORARY_MASTER, nothing was lost',
        seconds: 14.6,
        minutes_on_the_day: 78,
      },
      { what: 'handed back', detail: 'the primary is MASTER again', seconds: 11.9 },
    ],
    missing: [],
    never_travels: ['environments', 'webhooks', 'deploy keys'],
    seconds: 34.8,
    ...over,
  };
}

export class FakeDrill extends FakeSetup {
  commitList: CommitList = {
    commits: [
      { oid: OID, subject: 'Answer twice as fast', author: 'Grace', at_iso: ago(86_400) },
      { oid: OTHER_OID, subject: 'Mend the greeting', author: 'Grace', at_iso: ago(90_000) },
    ],
    count: 2,
    files: ['README.md', 'src/answer.ts'],
    file_count: 2,
  };
  played: DrillReport[] = [];
  readiness: Readiness = {
    repository: 'orchestrator',
    at_iso: ago(1),
    ready: true,
    standbys: [
      {
        mirror: 'mirror-1',
        repo: 'backup-account/orchestrator',
        ready: true,
        last_sync_iso: ago(120),
        missing_commits: 0,
        enables: ['cron.yml'],
      },
    ],
    findings: [],
    never_travels: ['environments', 'webhooks', 'deploy keys'],
  };
  commits: Backend['commits'] = async (...values) => {
    this.called('commits', ...values);
    return structuredClone(this.commitList);
  };
  rescueDrop: Backend['rescueDrop'] = async (id) => {
    this.called('rescueDrop', id);
    return {
      id,
      repository: 'orchestrator',
      mirror: 'mirror-1',
      ref_name: 'refs/heads/topic',
      oid: OTHER_OID,
      reason: 'overwrite',
      created_iso: ago(90_000),
      run: 'run-1',
    };
  };
  drills: Backend['drills'] = async (repository) => {
    this.called('drills', repository);
    return structuredClone(this.played);
  };
  drillCheck: Backend['drillCheck'] = async (repository) => {
    this.called('drillCheck', repository);
    return structuredClone(this.readiness);
  };
  drill: Backend['drill'] = async (...values) => {
    this.called('drill', ...values);
    return drillReport();
  };
  offer: Offer | null = null;
  updates: Backend['updates'] = async () => ({
    version: '0.1.0',
    channel: 'stable',
    check: true,
    owner: {
      owner: 'package_manager',
      manager: 'apt',
      package: 'standin',
      command: 'sudo apt install --only-upgrade standin',
    },
    advice: 'apt looks after this program and brings its newer versions: sudo apt install --only-upgrade standin',
  });
  updateLook: Backend['updateLook'] = async () => {
    this.called('updateLook');
    return structuredClone(this.offer);
  };
  updateTake: Backend['updateTake'] = async (version) => {
    this.called('updateTake', version);
    return `${version} is in place. It runs from the next start on.`;
  };
  notifyTest: Backend['notifyTest'] = async (name) => this.called('notifyTest', name);
  drillStop: Backend['drillStop'] = async () => {
    this.called('drillStop');
    return true;
  };
}
