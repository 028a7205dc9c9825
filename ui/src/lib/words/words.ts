// What each state of the wire is called on screen. One place, so that a state has one name everywhere.

import type { Aspect } from '../bindings/Aspect';
import type { AspectReport } from '../bindings/AspectReport';
import type { Change } from '../bindings/Change';
import { changeActionWords } from '../bindings/changeActionWords';
import type { DecisionChoice } from '../bindings/DecisionChoice';
import type { Health } from '../bindings/Health';
import type { MasterVerdict } from '../bindings/MasterVerdict';
import type { MirrorReport } from '../bindings/MirrorReport';
import type { MirrorType } from '../bindings/MirrorType';
import type { RepositoryReport } from '../bindings/RepositoryReport';
import type { RescueReason } from '../bindings/RescueReason';
import type { RoleChangeEnd } from '../bindings/RoleChangeEnd';
import type { RunStatus } from '../bindings/RunStatus';
import type { SentinelStatus } from '../bindings/SentinelStatus';
import type { Standing } from '../bindings/Standing';
import type { Tone } from '../bindings/Tone';
import type { Trigger } from '../bindings/Trigger';
import { behindWords } from './freshness';
import { relativeTime } from './time';

export interface StateWord {
  tone: Tone;
  word: string;
}

export const ASPECTS: readonly Aspect[] = ['code', 'secrets', 'variables', 'workflows'];

export const aspectWord: Record<Aspect, string> = {
  code: 'Code',
  secrets: 'Secrets',
  variables: 'Variables',
  workflows: 'Workflows',
};

/** What is done to an aspect, as the lines of a sync name it. */
export const aspectDeed: Record<Aspect, string> = {
  code: 'Code push',
  secrets: 'Secrets sync',
  variables: 'Variables sync',
  workflows: 'Workflows sync',
};

/** The same for one mirror: a copy of an upstream pulls. */
export function deedOf(type: MirrorType | undefined, aspect: Aspect): string {
  return type === 'pull' && aspect === 'code' ? 'Code pull' : aspectDeed[aspect];
}

/** How an aspect ended, in the one line of a sync. */
export const summaryWord: Record<Tone, string> = {
  ok: 'done',
  failed: 'failed',
  waiting: 'needs a decision',
  unknown: 'left out',
  running: 'goes on',
};

/** What the answers to a question are called, the recommended one first. */
export const decisionWord: Record<DecisionChoice, string> = {
  take: 'Bring home',
  overwrite: 'Put the master’s there',
  leave: 'Leave',
};

export function aspectState(report: AspectReport): StateWord {
  switch (report.status) {
    case 'ok':
      if (report.behind) return { tone: 'waiting', word: 'Behind' };
      return report.apart ? { tone: 'waiting', word: 'Left apart' } : { tone: 'ok', word: 'In step' };
    case 'failed':
      return report.at_source ? { tone: 'waiting', word: 'Not compared' } : { tone: 'failed', word: 'Failed' };
    case 'blocked':
      return { tone: 'waiting', word: 'Needs a decision' };
    case 'skipped':
      return { tone: 'unknown', word: 'Not kept in step' };
    case 'unknown':
      return { tone: 'unknown', word: 'Never synced' };
  }
}

export const verdictWord: Record<MasterVerdict, string> = {
  well: 'is well',
  down: 'is down',
  gone: 'is gone',
  unknown: 'cannot be judged',
};

/** How a mirror or repository stands, as core says it; the word begins with a capital on screen. */
export function stateOf(standing: Standing): StateWord {
  const [first = '', ...rest] = standing.label;
  return { tone: standing.tone, word: first.toUpperCase() + rest.join('') };
}

/** What waited for a decision, once all of it was decided here. */
export const DECIDED: StateWord = { tone: 'waiting', word: 'Decided, sync to carry out' };

/** Whether the reason of a standing says what no aspect and no error says. */
export function saysMore({ word, reason }: Standing): boolean {
  return reason !== '' && ['behind', 'left_apart', 'never_synced'].includes(word);
}

/** How the sentinel of a standby is, as it was at the last look. */
export function sentinelWords(sentinel: SentinelStatus, now: number): string {
  if (sentinel.health !== 'ok') return `Sentinel: ${sentinel.detail ?? 'it does not watch'}`;
  return sentinel.last_check_iso ? `Sentinel awake ${relativeTime(sentinel.last_check_iso, now)}` : 'Sentinel set up';
}

export function isMaster(report: RepositoryReport, mirror: MirrorReport): boolean {
  // A copy of an upstream shows the very place of its upstream.
  return mirror.type !== 'pull' && mirror.repo === report.master;
}

/** Whether it is the configured source while a standby stands in for it: nothing is synced to it until it is master again. */
export function waitsForHandBack(report: RepositoryReport, mirror: MirrorReport): boolean {
  return mirror.id === 'source' && report.mirrors.some((other) => other.role === 'TEMPORARY_MASTER');
}

export const healthWord: Record<Health, StateWord> = {
  unknown: { tone: 'unknown', word: 'Health not checked' },
  ok: { tone: 'ok', word: 'Healthy' },
  warning: { tone: 'waiting', word: 'Needs attention' },
  failed: { tone: 'failed', word: 'Not usable' },
};

export const runWord: Record<RunStatus, StateWord> = {
  running: { tone: 'running', word: 'Running' },
  success: { tone: 'ok', word: 'In step' },
  failed: { tone: 'failed', word: 'Failed' },
  blocked: { tone: 'waiting', word: 'Needs a decision' },
  cancelled: { tone: 'unknown', word: 'Cancelled' },
};

export const triggerWord: Record<Trigger, string> = {
  manual: 'by hand',
  schedule: 'on schedule',
  env_file: '.env changed',
  source_refs: 'source changed',
  webhook: 'pushed to GitHub',
  upstream: 'source moved',
  hook: 'git hook',
};

export const typeWord: Record<MirrorType, string> = {
  github: 'GitHub standby',
  git: 'Git archive',
  pull: 'Pull mirror',
  follow: 'Follower clone',
  workspace: 'Workspace folder',
};

export const roleEndWord: Record<RoleChangeEnd, string> = {
  done: 'The master has changed',
  rolled_back: 'The change of master was taken back',
  open: 'The change of master stopped and is open',
};

export const rescueReasonWord: Record<RescueReason, string> = {
  rewrite: 'the source rewrote it',
  delete: 'the source deleted it',
  overwrite: 'you chose Overwrite',
  take: 'you chose Take',
  turned: 'another repository became master without it',
};

/** A ref as a person names it: `branch main`, `tag v1.0`. */
export function refWords(name: string): string {
  if (name.startsWith('refs/heads/')) return `branch ${name.slice('refs/heads/'.length)}`;
  if (name.startsWith('refs/tags/')) return `tag ${name.slice('refs/tags/'.length)}`;
  return name;
}

export function shortOid(oid: string): string {
  return /^[0-9a-f]{40,64}$/.test(oid) ? oid.slice(0, 12) : oid;
}

function subject(change: Change): string {
  switch (change.aspect) {
    case 'code':
      return refWords(change.name);
    case 'secrets':
      return `secret ${change.name}`;
    case 'variables':
      return `variable ${change.name}`;
    case 'workflows':
      return change.name.replace(/^\.github\/workflows\//, '');
  }
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A change in words: `Fast-forward branch main`, or `Fast-forwarded branch main` once it is made. */
export function changeWords(change: Change, done: boolean): string {
  return sentence(changeActionWords[change.action][done ? 1 : 0].replace('{}', () => subject(change)));
}

/** The tips of a change: `093f7683e987 → 5c1d…`. */
export function changeTips(change: Change): string {
  if (change.aspect !== 'code') return '';
  const before = change.before ? shortOid(change.before) : '';
  const after = change.after ? shortOid(change.after) : '';
  if (before && after) return `${before} → ${after}`;
  return after || (before && `was ${before}`);
}

export interface Figure {
  text: string;
  /** A commit is shown in a fixed-width font. */
  commit: boolean;
}

/** The figures of an aspect: `093f7683e987 · 0 commits behind`, `5/5`. */
export function figures(aspect: Aspect, report: AspectReport, now: number): Figure[] {
  const found: Figure[] = [];
  const say = (text: string) => found.push({ text, commit: false });
  if (aspect === 'code') {
    const commit = report.last_commit ?? report.detail;
    if (commit && /^[0-9a-f]{12,64}$/.test(commit)) found.push({ text: commit.slice(0, 12), commit: true });
    else if (commit) say(commit);
    const behind = behindWords(report, now);
    if (behind) say(behind);
  } else if (report.synced_count !== undefined && report.total !== undefined) {
    say(`${report.synced_count}/${report.total}`);
  } else if (report.detail) {
    say(report.detail);
  }
  return found;
}
