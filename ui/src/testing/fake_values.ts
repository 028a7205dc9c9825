// What a backend answers in tests: reports, plans and events as they come over the wire.

import type { RolePlan } from '../lib/bindings/RolePlan';
import type { AspectReport } from '../lib/bindings/AspectReport';
import type { Ask } from '../lib/bindings/Ask';
import type { Aspect } from '../lib/bindings/Aspect';
import type { Error as Failure } from '../lib/bindings/Error';
import type { Job } from '../lib/bindings/Job';
import type { MasterHealth } from '../lib/bindings/MasterHealth';
import type { MirrorReport } from '../lib/bindings/MirrorReport';
import type { Overview } from '../lib/bindings/Overview';
import type { Plan } from '../lib/bindings/Plan';
import type { Section } from '../lib/bindings/Section';
import type { RepositoryReport } from '../lib/bindings/RepositoryReport';
import type { Stamped } from '../lib/bindings/Stamped';
import type { Standing } from '../lib/bindings/Standing';
import type { StandingWord } from '../lib/bindings/StandingWord';
import type { Tone } from '../lib/bindings/Tone';

export const NOW = Date.parse('2026-02-07T18:03:10Z');
export const OID = '093f7683e987c0ffee00112233445566778899aa';
export const OTHER_OID = '5c1d8f00aa11bb22cc33dd44ee55ff6677889900';

export function ago(seconds: number): string {
  return new Date(NOW - seconds * 1000).toISOString().replace('.000Z', 'Z');
}

export const unknown: AspectReport = { status: 'unknown', last_sync_iso: null };
export const skipped: AspectReport = { status: 'skipped', last_sync_iso: null };

export function stands(word: StandingWord, tone: Tone, label: string, reason = ''): Standing {
  return { word, tone, label, reason, since_iso: null, actions: [] };
}

export const inStep = stands('in_step', 'ok', 'in step');
export const failed = stands('failed', 'failed', 'failed');
export const waits = stands('waits', 'waiting', 'waits for your decision');

export function mirror(over: Partial<MirrorReport> = {}): MirrorReport {
  return {
    id: 'mirror-1',
    repo: 'backup-account/orchestrator',
    type: 'github',
    role: 'SLAVE',
    enabled: true,
    standing: inStep,
    status: 'success',
    code: { status: 'ok', last_sync_iso: ago(125), detail: '093f7683e987', last_commit: OID, behind: 0 },
    secrets: { status: 'ok', last_sync_iso: ago(125), detail: '5/5', synced_count: 5, total: 5 },
    variables: { status: 'ok', last_sync_iso: ago(125), detail: '3/3', synced_count: 3, total: 3 },
    workflows: { status: 'ok', last_sync_iso: ago(125), detail: '1 active, 3 held' },
    health: 'ok',
    last_health_check_iso: ago(3700),
    next_sync_iso: null,
    ...over,
  };
}

export function neverSynced(over: Partial<MirrorReport> = {}): MirrorReport {
  return mirror({
    standing: stands('never_synced', 'unknown', 'never synced'),
    status: 'idle',
    code: unknown,
    secrets: unknown,
    variables: unknown,
    workflows: unknown,
    health: 'unknown',
    last_health_check_iso: null,
    ...over,
  });
}

export function archive(over: Partial<MirrorReport> = {}): MirrorReport {
  return mirror({
    id: 'mirror-2',
    repo: 'ssh://git@backup.example.com/orchestrator.git',
    type: 'git',
    role: null,
    secrets: skipped,
    variables: skipped,
    workflows: skipped,
    ...over,
  });
}

export const UPSTREAM = 'https://git.example.com/team/library.git';

/** The copy of an upstream. */
export function copy(over: Partial<MirrorReport> = {}): MirrorReport {
  const known = mirror(over).code.last_sync_iso ?? undefined;
  return mirror({
    id: 'copy',
    repo: UPSTREAM,
    type: 'pull',
    role: null,
    secrets: skipped,
    variables: skipped,
    workflows: skipped,
    is_mirror: true,
    mirror_url: UPSTREAM,
    path: '/home/you/.local/share/standin/library/pull/copy.git',
    sync_status: 'success',
    ...(known ? { last_synced_at: known } : {}),
    ...over,
  });
}

export function repository(mirrors: MirrorReport[], over: Partial<RepositoryReport> = {}): RepositoryReport {
  return {
    repository: 'orchestrator',
    enabled: true,
    standing: mirrors.find((mirror) => mirror.standing.tone !== 'ok')?.standing ?? inStep,
    self_role: 'MASTER',
    master: 'you/orchestrator',
    epoch: 1,
    last_full_sync_iso: ago(125),
    seen: null,
    open_change: null,
    mirrors,
    ...over,
  };
}

export function overview(repositories: RepositoryReport[], over: Partial<Overview> = {}): Overview {
  return {
    version: '0.1.0',
    repositories,
    mistakes: [],
    notices: [],
    pause: null,
    running: [],
    places: {
      env_file: '/home/you/orchestrator/.env',
      config_file: '/home/you/.config/standin/standin.toml',
    },
    wanted: null,
    newer: null,
    drill: null,
    ...over,
  };
}

export function section(aspect: Aspect, over: Partial<Section> = {}): Section {
  return {
    aspect,
    failure: null,
    changes: [],
    asks: [],
    impossible: [],
    facts: [],
    notices: [],
    details: null,
    ...over,
  };
}

export function ask(over: Partial<Ask> & { id: string }): Ask {
  return { topic: 'guard', words: 'Is it meant?', facts: [], choices: [], decided: null, ...over };
}

export function plan(over: Partial<Plan> = {}): Plan {
  return {
    repository: 'orchestrator',
    mirror: 'mirror-1',
    kind: 'github',
    from: 'you/orchestrator',
    to: 'backup-account/orchestrator',
    at_iso: ago(0),
    summary: 'Everything is in step. A sync would change nothing.',
    asks: [],
    sections: [
      section('code', { facts: ['4 refs in step'] }),
      section('secrets', { facts: ['1 secret in step'] }),
      section('variables', { facts: ['1 variable in step'] }),
      section('workflows', { facts: ['0 active, 1 held'] }),
    ],
    notices: [],
    seal: '5ea1',
    ...over,
  };
}

export function failure(over: Partial<Failure> = {}): Failure {
  return {
    code: 'network',
    message: 'backup-account/orchestrator could not be reached',
    hint: 'Check the connection and sync again.',
    retryable: true,
    ...over,
  };
}

/** A promotion while the old master is gone. */
export function rolePlan(over: Partial<RolePlan> = {}): RolePlan {
  return {
    repository: 'orchestrator',
    mirror: 'mirror-1',
    kind: 'failover',
    headline: 'make backup-account/orchestrator TEMPORARY_MASTER, since you/orchestrator is gone',
    old: 'you/orchestrator',
    new: 'backup-account/orchestrator',
    epoch: 1,
    epoch_after: 2,
    steps: ['name backup-account/orchestrator master in epoch 2', 'give it the workflows of a master'],
    last_sync_iso: ago(125),
    missing_refs: [],
    missing_commits: 0,
    missing_secrets: [],
    missing_variables: [],
    missing_workflows: [],
    enables: ['.github/workflows/cron.yml'],
    hand_back: null,
    never_travels: ['webhooks'],
    blockers: [],
    notices: [],
    ...over,
  };
}

/** What a look at the master found. */
export function masterHealth(cause: MasterHealth['cause'], over: Partial<MasterHealth> = {}): MasterHealth {
  const down = ['ill', 'silent', 'damaged', 'stale'].includes(cause);
  const well = cause === 'well' || cause === 'renamed';
  const verdict = well ? 'well' : down ? 'down' : cause === 'gone' ? 'gone' : 'unknown';
  return {
    place: 'source',
    repo: 'you/orchestrator',
    verdict,
    cause,
    health: cause === 'well' ? 'ok' : verdict === 'down' || verdict === 'gone' ? 'failed' : 'warning',
    detail: `you/orchestrator: HTTP 503`,
    hint: '',
    since_iso: ago(12 * 60),
    last_health_check_iso: ago(20),
    ...over,
  };
}

export const totals = { changes: 2, api_requests: 9, gh_calls: 1, git_calls: 2, bytes_sent: 1234, bytes_received: 900 };

/** A sync that goes on. */
export function job(over: Partial<Job> = {}): Job {
  return {
    id: 'job-0',
    what: 'sync',
    repository: 'orchestrator',
    mirrors: ['mirror-1'],
    of_all: false,
    trigger: 'manual',
    since_iso: ago(0),
    ...over,
  };
}

export function started(of: Job): Stamped {
  return { at_iso: ago(0), event: 'job_started', job: of };
}

/** The end of a sync in which everything worked. */
export function ended(of: Job): Stamped {
  const end = { kind: 'sync' as const, synced: of.mirrors.length, failed: 0, blocked: 0 };
  return { at_iso: ago(-4), event: 'job_ended', job: of, end };
}
