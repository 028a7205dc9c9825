// What the drawing of a repository shows, as data: who is master and how it is, where data flows, and what waits.

import type { MirrorReport } from '../bindings/MirrorReport';
import type { RepositoryReport } from '../bindings/RepositoryReport';
import type { Role } from '../bindings/Role';
import { byWorst, tally } from './order';
import { relativeTime } from './time';
import { healthWord, isMaster, stateOf, verdictWord, waitsForHandBack, type StateWord } from './words';

/** How many of many are drawn, and from how many on the rest is counted. */
const DRAWN = 4;

export interface Node {
  id: string;
  name: string;
  role: Role | null;
  state: StateWord;
  /** What kind it is, where that is no standby. */
  kind: string;
  /** Whether data flows to it. */
  flows: boolean;
}

export interface Drawing {
  master: { name: string; role: Role; state: StateWord };
  nodes: Node[];
  /** The rest in a line; empty where all are drawn. */
  more: string;
  /** All of it for who cannot see it. */
  words: string;
}

function ofMaster(report: RepositoryReport, now: number): StateWord {
  const standIn = report.mirrors.find((mirror) => isMaster(report, mirror));
  if (standIn) {
    const { tone, word } = healthWord[standIn.health];
    const iso = standIn.last_health_check_iso;
    return { tone, word: iso ? `${word}, looked at ${relativeTime(iso, now)}` : word };
  }
  const seen = report.master_health;
  if (!seen || seen.repo !== report.master) return { tone: 'unknown', word: 'Not looked at yet' };
  const looked = relativeTime(seen.last_health_check_iso, now);
  const tone = seen.health === 'failed' ? 'failed' : seen.health === 'ok' ? 'ok' : 'waiting';
  return { tone, word: `${verdictWord[seen.verdict].replace(/^is /, '')}, looked at ${looked}` };
}

export function drawing(report: RepositoryReport, isSyncing: (mirror: MirrorReport) => boolean, now: number): Drawing {
  const master = ofMaster(report, now);
  const role = report.mirrors.find((mirror) => isMaster(report, mirror))?.role ?? report.self_role;
  const isDown = report.master_health?.repo === report.master && report.master_health.health === 'failed';
  const others = byWorst(report.mirrors.filter((mirror) => mirror.type !== 'pull' && !isMaster(report, mirror)));
  const drawn = others.length > DRAWN + 1 ? others.slice(0, DRAWN) : others;
  const rest = others.slice(drawn.length);
  const nodes: Node[] = drawn.map((mirror) => {
    const syncing = isSyncing(mirror);
    const waits = waitsForHandBack(report, mirror);
    return {
      id: mirror.id,
      name: mirror.repo,
      role: mirror.role,
      state: syncing ? { tone: 'running', word: 'Syncing' } : stateOf(mirror.standing),
      kind: mirror.type === 'git' ? 'Archive' : '',
      flows: syncing || (!waits && !isDown && mirror.enabled && report.enabled),
    };
  });
  // A clone that follows: its own repository is none of its mirrors.
  if (report.self_role !== 'MASTER' && !report.mirrors.some((mirror) => mirror.id === 'source')) {
    const state = { tone: 'unknown', word: 'Follows' } as const;
    nodes.unshift({ id: '', name: report.repository, role: report.self_role, state, kind: '', flows: !isDown });
  }
  const more = rest.length > 0 ? `${rest.length} more: ${tally(rest)}` : '';
  const named = (found: Node[]): string =>
    found
      .map(({ name, kind, state }) => `${name} (${[kind, state.word].filter(Boolean).join(', ').toLowerCase()})`)
      .join(', ');
  const still = nodes.filter((node) => !node.flows);
  const words = [
    `${report.master} is ${role}, ${master.word}.`,
    `Data flows from it to ${[named(nodes.filter((node) => node.flows)), more].filter(Boolean).join(', and ') || 'nowhere'}.`,
    ...(still.length > 0 ? [`Nothing flows to ${named(still)}.`] : []),
  ].join(' ');
  return { master: { name: report.master, role, state: master }, nodes, more, words };
}
