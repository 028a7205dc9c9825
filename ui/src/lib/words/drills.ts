// What a drill and a look whether a standby could take over are called. Pure.

import type { DrillFinding } from '../bindings/DrillFinding';
import type { DrillPhase } from '../bindings/DrillPhase';
import type { DrillReport } from '../bindings/DrillReport';
import type { MirrorReport } from '../bindings/MirrorReport';
import type { Readiness } from '../bindings/Readiness';
import type { RepositoryReport } from '../bindings/RepositoryReport';
import type { StandbyReadiness } from '../bindings/StandbyReadiness';
import { counted, relativeTime } from './time';
import type { StateWord } from './words';

/** The mirrors that a drill can be played with. */
export function rehearsable({ mirrors }: RepositoryReport): MirrorReport[] {
  return mirrors.filter(({ type, enabled }) => type === 'github' && enabled);
}

export function drillState({ passed }: DrillReport): StateWord {
  return passed ? { tone: 'ok', word: 'Passed' } : { tone: 'failed', word: 'Not passed' };
}

/** What the head of the panel says: when it was rehearsed last, and how that went. */
export function lastDrillWords(drills: readonly DrillReport[] | null, now: number): string {
  if (drills === null) return '';
  const [last] = drills;
  if (!last) return 'Never rehearsed.';
  return `${last.mirror} was rehearsed ${relativeTime(last.at_iso, now)}: ${drillState(last).word.toLowerCase()}.`;
}

export function secondsWords(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

export function phaseTitle({ what }: DrillPhase): string {
  return what.charAt(0).toUpperCase() + what.slice(1);
}

/** How long a phase took here, and would take on the day. */
export function phaseTime({ seconds, minutes_on_the_day }: DrillPhase): string {
  const here = secondsWords(seconds);
  if (minutes_on_the_day === undefined) return here;
  return `${here}, ${counted(Math.round(minutes_on_the_day), 'minute')} on the day`;
}

export function readinessState({ ready }: Readiness): StateWord {
  return ready
    ? { tone: 'ok', word: 'Yes, every standby could take over' }
    : { tone: 'failed', word: 'No, not everything is ready' };
}

export function standbyState({ ready }: StandbyReadiness): StateWord {
  return ready ? { tone: 'ok', word: 'Ready' } : { tone: 'failed', word: 'Not ready' };
}

/** What is known of a standby, a phrase each. */
export function standbyFacts(standby: StandbyReadiness, now: number): string[] {
  const { last_sync_iso, missing_commits, enables } = standby;
  return [
    last_sync_iso === null ? 'never in step' : `in step ${relativeTime(last_sync_iso, now)}`,
    ...(missing_commits === null
      ? []
      : [missing_commits === 0 ? 'no commit missing' : `${counted(missing_commits, 'commit')} missing`]),
    enables.length === 0 ? 'no workflow would run there' : `would run there: ${enables.join(', ')}`,
  ];
}

export function findingWords({ place, message }: DrillFinding): string {
  return place === undefined ? message : `${place}: ${message}`;
}
