// What the settings are called, and what is said about pauses, places that word is sent to, and tokens. Pure functions.

import type { Error as Failure } from '../bindings/Error';
import type { NotifyEvent } from '../bindings/NotifyEvent';
import type { NotifyKind } from '../bindings/NotifyKind';
import type { NotifyTrouble } from '../bindings/NotifyTrouble';
import type { RepositoryReport } from '../bindings/RepositoryReport';
import type { SchedulePause } from '../bindings/SchedulePause';
import type { SecretFrom } from '../bindings/SecretFrom';
import type { SettingKey } from '../bindings/SettingKey';
import type { Settings } from '../bindings/Settings';
import type { TokenReport } from '../bindings/TokenReport';
import type { AutostartWish } from '../bindings/AutostartWish';
import type { ThemeName } from '../state/theme.svelte';
import { counted } from './time';
import type { StateWord } from './words';

/** Settings that are typed: a length of time, or a number. */
export type TypedKey = Exclude<
  SettingKey,
  'schedule_enabled' | 'quiet_from' | 'quiet_to' | 'desktop_notify' | 'update_check' | 'update_channel'
>;

export interface SettingWords {
  label: string;
  about: string;
}

export const settingWords: Record<TypedKey, SettingWords> = {
  schedule_interval: {
    label: 'Time between two syncs',
    about: 'Of each mirror that says nothing else, such as 1h or 30m.',
  },
  look_at_source: {
    label: 'Look at the source',
    about: 'How often to ask whether a source on GitHub has moved, such as 1m. Empty: only when it is synced.',
  },
  parallel: { label: 'Mirrors at once', about: 'How many are synced at the same time.' },
  run_limit: { label: 'Time for one sync', about: 'After it the sync of a mirror is stopped at a safe point.' },
  request_limit: { label: 'Time for one request', about: 'After it a host counts as silent.' },
  keep_runs: { label: 'Keep syncs', about: 'How long they stay in the history, such as 365d.' },
  keep_unchanged_runs: { label: 'Keep syncs without changes', about: 'How long those stay that found nothing to do.' },
};

export const themeWord: Record<ThemeName, string> = { system: 'As the system', light: 'Light', dark: 'Dark' };

export const autostartWord: Record<AutostartWish, string> = {
  off: 'No',
  hidden: 'Yes, without the window',
  shown: 'Yes, with the window',
};

export const notifyKindWord: Record<NotifyKind, string> = { ntfy: 'ntfy', webhook: 'Webhook', command: 'Program' };

export const notifyEventWord: Record<NotifyEvent, string> = {
  master_down: 'master down',
  master_back: 'master back',
  promoted: 'a standby became master',
  waits: 'a decision waits',
  failed: 'syncs fail',
  stale: 'not looked at',
  token_ends: 'a token ends',
  sentinel_asleep: 'a sentinel sleeps',
  mended: 'well again',
};

const EVENTS = Object.keys(notifyEventWord).length;

/** What a place is told of, in a phrase. */
export function toldOf(on: readonly NotifyEvent[]): string {
  if (on.length === EVENTS) return 'everything that changes';
  return on.map((event) => notifyEventWord[event]).join(', ');
}

/** Where the token of a place is; nothing where it needs none. */
export function tokenOfPlace(token: SecretFrom): StateWord | null {
  switch (token.from) {
    case 'nowhere':
      return null;
    case 'environment':
      return { tone: 'ok', word: `Token from ${token.variable}` };
    case 'keychain':
      return { tone: 'ok', word: 'Token from the keychain' };
    case 'missing':
      return { tone: 'failed', word: `No token: ${token.variable} is not set` };
    case 'given_for_another':
      return { tone: 'waiting', word: 'Its token was given for another host' };
  }
}

/** What a setting is at the moment, as it is typed. */
export function settingText(settings: Settings, key: TypedKey): string {
  return String(settings[key] ?? '');
}

/** The time of the day, as people write it. */
function clock(moment: Date): string {
  return new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' }).format(moment);
}

/** Until when nothing is synced by itself: `Paused until 18:00`, `Paused until tomorrow, 08:00`. */
export function pauseWords(pause: SchedulePause, now: number): string {
  if (pause.until_iso === null) return 'Paused until resumed';
  const until = new Date(pause.until_iso);
  const days = Math.round((midnight(until) - midnight(new Date(now))) / 86_400_000);
  if (days <= 0) return `Paused until ${clock(until)}`;
  if (days === 1) return `Paused until tomorrow, ${clock(until)}`;
  const date = new Intl.DateTimeFormat('en', { weekday: 'short', day: 'numeric', month: 'short' }).format(until);
  return `Paused until ${date}, ${clock(until)}`;
}

function midnight(moment: Date): number {
  return new Date(moment.getFullYear(), moment.getMonth(), moment.getDate()).getTime();
}

/** The hour at which tomorrow begins for who is at work. */
export const MORNING = 8;

/** So many minutes from now it is tomorrow morning, by the clock of this machine. */
export function minutesUntilTomorrow(now: number): number {
  const moment = new Date(now);
  const morning = new Date(moment.getFullYear(), moment.getMonth(), moment.getDate() + 1, MORNING);
  return Math.ceil((morning.getTime() - now) / 60_000);
}

/** Word that did not arrive, each place once, the latest first. */
export function troubles(reports: readonly RepositoryReport[]): NotifyTrouble[] {
  const found = new Map<string, NotifyTrouble>();
  for (const trouble of reports.flatMap((report) => report.notify ?? [])) {
    const known = found.get(trouble.name);
    if (!known || known.at_iso < trouble.at_iso) found.set(trouble.name, trouble);
  }
  return [...found.values()].sort((one, other) => other.at_iso.localeCompare(one.at_iso));
}

/** Whether the page of a repository is there for its master alone. */
export function isWorstDay(report: RepositoryReport | null): boolean {
  return report !== null && ['master_gone', 'master_down', 'change_open'].includes(report.standing.word);
}

/** What a place is called in a sentence. */
export function placeName(name: string): string {
  return name === 'ping_url' ? 'the ping' : name;
}

export function waitingWords(waiting: number): string {
  return waiting === 0 ? '' : `${counted(waiting, 'message')} ${waiting === 1 ? 'waits' : 'wait'} to be sent again.`;
}

/** What is known of a token: nothing yet, that it is looked at, why it does not work, or what the host says. */
export type TokenSeen = null | 'checking' | { failure: Failure } | { report: TokenReport | null };

/** From so many days on it is time for a new one. */
const SOON = 14;

export function tokenState(seen: TokenSeen): StateWord {
  if (seen === null) return { tone: 'unknown', word: 'Not checked' };
  if (seen === 'checking') return { tone: 'running', word: 'Checking' };
  if ('failure' in seen) return { tone: 'failed', word: 'Does not work' };
  const { report } = seen;
  if (report === null) return { tone: 'unknown', word: 'Nothing to check' };
  if (report.rights.some((right) => right.state === 'missing')) return { tone: 'waiting', word: 'Lacks rights' };
  if (report.days_left === null) return { tone: 'ok', word: 'Works' };
  const left = `${counted(report.days_left, 'day')} left`;
  return report.days_left <= SOON ? { tone: 'waiting', word: left } : { tone: 'ok', word: left };
}

/** How the keychain of this session is, as far as the tokens told. */
export function keychainState(seen: readonly TokenSeen[]): StateWord {
  const codes = seen.map((one) =>
    one !== null && one !== 'checking' && 'failure' in one ? one.failure.code : undefined,
  );
  if (codes.includes('keychain_unavailable')) {
    return { tone: 'waiting', word: 'None in this session: tokens that are typed stay in memory' };
  }
  if (codes.includes('keychain_locked')) return { tone: 'waiting', word: 'Locked' };
  if (codes.includes('keychain_failed')) return { tone: 'failed', word: 'It does not answer as it should' };
  const reports = seen.flatMap((one) => (one !== null && one !== 'checking' && 'report' in one ? [one.report] : []));
  const kept = reports.filter((report) => report?.origin === 'keychain').length;
  if (kept > 0) return { tone: 'ok', word: `It answers; ${counted(kept, 'token')} from it` };
  if (codes.includes('keychain_empty')) return { tone: 'ok', word: 'It answers, and lacks a token' };
  if (reports.length > 0) return { tone: 'unknown', word: 'No token comes from it' };
  return { tone: 'unknown', word: 'Not asked yet' };
}
