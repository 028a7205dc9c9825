// The history as a person reads it: runs of one sync are one row, with what it changed in words. Pure.

import type { AuditEntry } from '../bindings/AuditEntry';
import type { RecordedChange } from '../bindings/RecordedChange';
import type { RunRecord } from '../bindings/RunRecord';
import type { RunStatus } from '../bindings/RunStatus';
import type { Trigger } from '../bindings/Trigger';
import type { RoleMark } from './audit';
import { duration } from './time';
import { plain } from './told';
import { runWord, type StateWord } from './words';

/** So many changes are named in a row. */
const NAMED = 3;
/** So many mirrors are named in a row. */
const NAMED_MIRRORS = 3;

/** One sync: the runs of all its mirrors. */
export interface Sync {
  id: string;
  /** What went wrong comes first. */
  runs: RunRecord[];
  started_iso: string;
  /** `null` while any of it goes on. */
  finished_iso: string | null;
  status: RunStatus;
  trigger: Trigger;
}

/** The worst that happened to a mirror is what happened to the sync. */
const BY_STATUS: readonly RunStatus[] = ['running', 'failed', 'blocked', 'cancelled', 'success'];

const earlier = (one: string, other: string) => (Date.parse(other) < Date.parse(one) ? other : one);
const later = (one: string, other: string) => (Date.parse(other) > Date.parse(one) ? other : one);

/** The syncs that runs belong to, newest first. A run from before jobs were written down stands for itself. */
export function syncsOf(runs: readonly RunRecord[]): Sync[] {
  const groups = new Map<string, RunRecord[]>();
  for (const run of runs) {
    const id = run.job === undefined ? `run-${run.id}` : `job-${run.job}`;
    const group = groups.get(id);
    if (group) group.push(run);
    else groups.set(id, [run]);
  }
  return [...groups].map(([id, group]) => syncOf(id, group)).sort((one, other) => newer(one, other));
}

function newer(one: { started_iso: string }, other: { started_iso: string }): number {
  return Date.parse(other.started_iso) - Date.parse(one.started_iso);
}

function syncOf(id: string, group: RunRecord[]): Sync {
  const rank = ({ status }: RunRecord) => BY_STATUS.indexOf(status);
  const runs = [...group].sort(
    (one, other) => rank(one) - rank(other) || one.mirror.localeCompare(other.mirror, 'en', { numeric: true }),
  );
  const [worst = group[0]!] = runs;
  const ends = runs.map(({ finished_iso }) => finished_iso);
  return {
    id,
    runs,
    started_iso: runs.map((run) => run.started_iso).reduce(earlier),
    finished_iso: ends.reduce((one, other) => (one === null || other === null ? null : later(one, other))),
    status: worst.status,
    trigger: worst.trigger,
  };
}

const SOME: Record<RunStatus, string> = {
  running: 'running',
  failed: 'failed',
  blocked: 'need a decision',
  cancelled: 'cancelled',
  success: 'in step',
};

/** How a sync ended: in the word of all its mirrors, or with how many of them it is so. */
export function resultOf({ runs, status }: Sync): StateWord {
  const same = runs.filter((run) => run.status === status).length;
  const { tone, word } = runWord[status];
  if (same === runs.length) return { tone, word };
  const some = same === 1 && status === 'blocked' ? 'needs a decision' : SOME[status];
  return { tone, word: `${same} of ${runs.length} ${some}` };
}

export function tookWords({ started_iso, finished_iso }: Pick<Sync, 'started_iso' | 'finished_iso'>): string {
  return finished_iso === null ? '' : duration(started_iso, finished_iso);
}

/** Changes that Standin makes for its own sake: named only where there are no others. */
const OWN = ['actions_off', 'actions_restored', 'fence'];

/** A change as a few words: `main`, `topic added`, `RESEND_API_KEY updated`. */
export function shortWords({ aspect, action, name }: Pick<RecordedChange, 'aspect' | 'action' | 'name'>): string {
  const short = name.replace(/^refs\/(heads|tags|notes)\//, '').replace(/^\.github\/workflows\//, '');
  switch (action) {
    case 'create':
      return `${short} added`;
    case 'fast_forward':
      return short;
    case 'rewrite':
      return `${short} rewritten`;
    case 'delete':
      return `${short} ${aspect === 'code' ? 'deleted' : 'removed'}`;
    case 'update':
      return `${short} updated`;
    case 'hold':
      return `${short} held`;
    case 'release':
      return `${short} released`;
    case 'default_branch':
      return `${short} made the default branch`;
    case 'actions_off':
      return 'Actions switched off around the push';
    case 'actions_restored':
      return 'Actions settings restored';
    case 'fence':
      return 'fence moved';
  }
}

/** What runs changed, in a line; empty where they changed nothing. What was done to several mirrors is named once. */
export function changedWords(runs: readonly RunRecord[]): string {
  const named = new Map<string, boolean>();
  let unseen = 0;
  for (const { changes = [], totals } of runs) {
    const done = changes.filter(({ outcome }) => outcome === 'done');
    for (const change of done) named.set(shortWords(change), OWN.includes(change.action));
    unseen = Math.max(unseen, totals.changes - done.length);
  }
  const others = [...named].filter(([, isOwn]) => !isOwn).map(([words]) => words);
  const words = others.length > 0 ? others : [...named.keys()];
  if (words.length === 0) return unseen > 0 ? `${unseen} ${unseen === 1 ? 'change' : 'changes'}` : '';
  const rest = words.length - Math.min(words.length, NAMED) + Math.max(0, unseen);
  const shown = words.slice(0, NAMED).join(', ');
  return rest > 0 ? `${shown} and ${rest} more` : shown;
}

/** What went wrong first, in plain words; empty where nothing did. */
export function errorWords(runs: readonly RunRecord[]): string {
  for (const run of runs) {
    if (run.error) return plain(run.error.message);
    const refused = run.changes?.find(({ outcome }) => outcome === 'failed');
    if (refused?.outcome === 'failed') return plain(refused.error.message);
  }
  return '';
}

/** What stands for a sync in its row. */
export function whatWords(sync: Sync): string {
  const changed = changedWords(sync.runs);
  if (changed) return changed;
  return sync.status === 'running' ? 'Nothing changed yet' : 'Nothing changed';
}

/** The mirrors of a sync by name, or how many they are. */
export function mirrorWords({ runs }: Sync): string {
  return runs.length > NAMED_MIRRORS ? `${runs.length} mirrors` : runs.map(({ mirror }) => mirror).join(', ');
}

/** Whether what is loaded of a sync has each of the words that were typed: in names, in errors, in the mirror. */
export function hasWords(sync: Sync, text: string): boolean {
  const wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (wanted.length === 0) return true;
  const said = sync.runs
    .flatMap(({ mirror, error, changes = [] }) => [
      mirror,
      error ? `${error.message} ${error.hint}` : '',
      ...changes.map((change) => {
        const why = change.outcome === 'failed' ? change.error.message : '';
        return `${change.name} ${shortWords(change)} ${why}`;
      }),
    ])
    .join('\n')
    .toLowerCase();
  return wanted.every((word) => said.includes(word));
}

export function changedAnything({ runs }: Sync): boolean {
  return runs.some(({ totals, changes = [] }) => totals.changes > 0 || changes.length > 0);
}

export type Row = { kind: 'sync'; sync: Sync } | { kind: 'role'; mark: RoleMark };

/** Syncs with the changes of master between them, newest first. Below the last sync none is told while more are to come. */
export function rowsOf(syncs: readonly Sync[], marks: readonly RoleMark[], more: boolean): Row[] {
  const last = syncs.at(-1);
  const until = more && last ? Date.parse(last.started_iso) : -Infinity;
  const rows: [number, Row][] = [
    ...syncs.map((sync): [number, Row] => [Date.parse(sync.started_iso), { kind: 'sync', sync }]),
    ...marks.map((mark): [number, Row] => [Date.parse(mark.at_iso), { kind: 'role', mark }]),
  ];
  return rows
    .filter(([at]) => at >= until)
    .sort(([one], [other]) => other - one)
    .map(([, row]) => row);
}

/** Who did what by hand, by mirror and second: the trail is written in the moment in which a run ends. */
export function actors(trail: readonly AuditEntry[]): Map<string, string> {
  const syncs = trail.filter(({ action, mirror }) => action === 'sync' && mirror !== null);
  return new Map(syncs.map(({ mirror, at_iso, actor }) => [momentOf(mirror ?? '', at_iso), actor]));
}

/** Who began a sync; empty where nobody did, or where the trail does not reach back so far. */
export function actorOf({ runs, trigger }: Sync, known: ReadonlyMap<string, string>): string {
  if (trigger !== 'manual') return '';
  for (const { mirror, finished_iso } of runs) {
    const actor = finished_iso === null ? undefined : known.get(momentOf(mirror, finished_iso));
    if (actor !== undefined) return actor;
  }
  return '';
}

function momentOf(mirror: string, iso: string): string {
  return `${mirror} ${Math.floor(Date.parse(iso) / 1000)}`;
}

/** The runs that are known after some were read anew: what did not change stays the same object, what is older stays. */
export function merged(known: readonly RunRecord[], read: readonly RunRecord[], isAll: boolean): RunRecord[] {
  const before = new Map(known.map((run) => [run.id, run]));
  const fresh = read.map((run) => {
    const old = before.get(run.id);
    return old && JSON.stringify(old) === JSON.stringify(run) ? old : run;
  });
  const last = fresh.at(-1);
  if (isAll || !last) return fresh;
  const ids = new Set(fresh.map(({ id }) => id));
  const older = known.filter((run) => !ids.has(run.id) && Date.parse(run.started_iso) <= Date.parse(last.started_iso));
  return [...fresh, ...older];
}
