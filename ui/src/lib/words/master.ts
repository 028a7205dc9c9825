// What a look at the master calls for, in words: what happened, what the standby has, what would be lost, what to press.
// A pure function of what core says and of the clock.

import type { MasterCause } from '../bindings/MasterCause';
import type { MasterHealth } from '../bindings/MasterHealth';
import type { MirrorReport } from '../bindings/MirrorReport';
import type { RepositoryReport } from '../bindings/RepositoryReport';
import { counted, relativeTime, spanWords } from './time';
import { stateOf } from './words';

/** What a person can press. */
export type Deed = 'promote' | 'wait' | 'look' | 'token' | 'source';

/** The standby that would take over, or why none could. */
export interface BestStandby {
  mirror: MirrorReport;
  /** Whether nothing known keeps it from becoming master. */
  fit: boolean;
  /** How it stands. */
  word: string;
  /** What would be lost, in a sentence. */
  lost: string;
}

export interface MasterNews {
  tone: 'failed' | 'waiting';
  title: string;
  /** What is known, a sentence each. */
  story: string[];
  /** What the host said, for whoever reports it. */
  details: string;
  /** Left out where nothing is to be decided about a standby. */
  standby: BestStandby | null;
  /** Why there is nothing to switch to; empty where there is. */
  noStandby: string;
  /** What can be pressed, the best first. */
  deeds: Deed[];
  /** What can be pressed below "More": it is not what is called for. */
  more: Deed[];
}

/** Below this, what is down may be back before anybody has decided. */
const MAY_RETURN = 15 * 60 * 1000;

/** Below this is nobody called; `null` while the master is well and nobody waits for it. */
export function masterNews(report: RepositoryReport, now: number): MasterNews | null {
  const seen = report.master_health;
  if (!seen || (seen.verdict === 'well' && seen.cause !== 'renamed')) return null;
  if (report.mirrors.some((mirror) => mirror.role === 'TEMPORARY_MASTER')) return null;
  const standby = bestStandby(report, seen, now);
  const found = told(report, seen, now);
  const canSwitch = standby?.fit ?? false;
  const offered = (deed: Deed) => deed !== 'promote' || canSwitch;
  return {
    tone: seen.health === 'failed' || seen.health === 'warning' ? found.tone : 'waiting',
    title: found.title,
    story: found.story,
    details: seen.detail,
    standby: found.switches ? standby : null,
    noStandby: found.switches && !canSwitch ? whyNone(standby) : found.noStandby,
    deeds: found.deeds.filter(offered),
    more: found.more.filter(offered),
  };
}

interface Told {
  tone: 'failed' | 'waiting';
  title: string;
  story: string[];
  /** Whether a change of master is to be thought of. */
  switches: boolean;
  noStandby: string;
  deeds: Deed[];
  more: Deed[];
}

function told(report: RepositoryReport, seen: MasterHealth, now: number): Told {
  const { repo } = seen;
  const since = spanWords(now - Date.parse(seen.since_iso));
  const mayReturn = now - Date.parse(seen.since_iso) < MAY_RETURN;
  const down = (title: string, story: string[]): Told => ({
    tone: 'failed',
    title,
    story,
    switches: true,
    noStandby: '',
    deeds: mayReturn ? ['wait', 'promote', 'look'] : ['promote', 'wait', 'look'],
    more: [],
  });
  const notTold = (title: string, story: string[], deeds: Deed[], more: Deed[] = []): Told => ({
    tone: 'waiting',
    title,
    story: [...story, 'This says nothing about the master, and makes no standby worse.'],
    switches: false,
    noStandby: '',
    deeds,
    more,
  });
  const alone = 'A standby of the same host answers at the same time, so it is this repository, not all of the host.';
  const cause: MasterCause = seen.cause;
  switch (cause) {
    case 'ill':
      return down(`${repo} has been down for ${since}`, ['It answers with server errors.', alone]);
    case 'silent':
      return down(`${repo} has not answered for ${since}`, [alone]);
    case 'damaged':
      return down(`${repo} cannot be read`, [`For ${since}, what is in it cannot be read, though it is there.`, alone]);
    case 'stale':
      return down(`${repo} has given no sign of life`, [`It answers, but its heartbeat has stood still for ${since}.`]);
    case 'gone':
      return {
        ...down(`${repo} is gone`, [
          'Deleted, suspended or renamed: its host says that it is not there, to a token that is valid.',
          `Seen so for ${since}.`,
        ]),
        deeds: ['promote', 'look'],
        more: ['source', 'wait'],
      };
    case 'host_ill':
      return {
        ...notTold(
          'All of the host seems to be ill',
          [`${repo} and its standbys fail in the same way, for ${since}.`],
          ['look'],
        ),
        noStandby: 'Nothing to switch to: the standbys on this host are as ill. It will be back.',
      };
    case 'no_network':
      return {
        ...notTold(
          'Nothing answers from here',
          [`Neither ${repo} nor a standby can be reached, for ${since}.`, 'Look whether this machine is connected.'],
          ['look'],
        ),
        noStandby: '',
      };
    case 'token_missing':
      return notTold(`There is no token to look at ${repo} with`, [], ['token', 'look']);
    case 'token_refused':
      return notTold(
        `The token for ${repo} was refused`,
        ['It has ended, or was taken back.'],
        ['token', 'look'],
        ['promote'],
      );
    case 'token_barred':
      return notTold(
        `The host keeps the token for ${repo} out`,
        [withoutCommands(seen.hint)],
        ['token', 'look'],
        ['promote'],
      );
    case 'limited':
      return notTold(`The host limits the requests of the token for ${repo}`, ['It passes by itself.'], ['look']);
    case 'not_proven':
      return notTold(
        `Whether ${repo} is gone cannot be told`,
        ['Its host says that it is not there, but the token is not proven valid: it may have lost its rights.'],
        ['token', 'look'],
        ['promote'],
      );
    case 'no_comparison':
      return notTold(
        `${repo} does not answer, and nothing is there to compare with`,
        ['No standby on the same host could be read at the same time.'],
        ['look'],
        ['promote'],
      );
    case 'replaced':
      return notTold(`${repo} is no longer the master`, [seen.detail], ['look']);
    case 'renamed':
      return {
        tone: 'waiting',
        title: `${repo} was renamed`,
        story: [seen.detail, withoutCommands(seen.hint)],
        switches: false,
        noStandby: '',
        deeds: ['source', 'look'],
        more: [],
      };
    case 'well':
    case 'unclear':
      return notTold(`How ${report.master} is cannot be told`, [seen.detail], ['look'], ['promote']);
  }
}

/** Hints are written for a terminal; what the window has buttons for is left out. */
function withoutCommands(hint: string): string {
  return hint
    .split(/(?<=[.;])\s+/)
    .filter((sentence) => !sentence.includes('`standin '))
    .join(' ');
}

const UNFIT = ['cannot_take_over', 'waits', 'failed', 'never_synced', 'change_open', 'switched_off'];
const ORDER = ['in_step', 'left_apart', 'behind', 'syncing', 'attention', 'stale'];

/** The standby that is the nearest to the master. */
export function bestStandby(report: RepositoryReport, seen: MasterHealth, now: number): BestStandby | null {
  const standbys = report.mirrors.filter(
    (mirror) => mirror.role === 'SLAVE' && mirror.enabled && mirror.id !== 'source',
  );
  const rank = (mirror: MirrorReport) => {
    const place = ORDER.indexOf(mirror.standing.word);
    return UNFIT.includes(mirror.standing.word) ? 100 : place < 0 ? 50 : place;
  };
  const age = (mirror: MirrorReport) => Date.parse(mirror.code.last_sync_iso ?? '1970-01-01T00:00:00Z');
  const [best] = [...standbys].sort((one, other) => rank(one) - rank(other) || age(other) - age(one));
  if (!best) return null;
  return {
    mirror: best,
    fit: rank(best) < 100,
    word: stateOf(best.standing).word,
    lost: lost(report, best, seen, now),
  };
}

function lost(report: RepositoryReport, mirror: MirrorReport, seen: MasterHealth, now: number): string {
  const { code } = mirror;
  if (!code.last_sync_iso) return 'everything: it was never in step';
  const before = Date.parse(seen.since_iso) - Date.parse(code.last_sync_iso);
  const moved = report.seen && code.last_commit && report.seen.commit !== code.last_commit;
  const newer = moved && Date.parse(report.seen?.at_iso ?? '') > Date.parse(code.last_sync_iso);
  if (code.behind) return `${counted(code.behind, 'commit')} of the default branch`;
  if (newer) return `what was committed after ${relativeTime(code.last_sync_iso, now)}`;
  const when = before > 0 ? `${spanWords(before)} before that was seen` : 'after that was first seen';
  return `nothing that Standin knows of (last in step ${when})`;
}

function whyNone(standby: BestStandby | null): string {
  if (!standby) return 'Nothing to switch to: no standby on GitHub is configured.';
  const { reason } = standby.mirror.standing;
  return `Nothing to switch to: ${standby.mirror.repo} ${reason ? `cannot take over (${reason})` : 'cannot take over'}.`;
}
