// What the sentinel's state is called on screen.

import type { FileState } from '../bindings/FileState';
import type { Health } from '../bindings/Health';
import type { Installed } from '../bindings/Installed';
import type { PlaceReport } from '../bindings/PlaceReport';
import type { StateWord } from './words';
import { relativeTime } from './time';

/** The workflow's file, as it was found. */
export const fileWord: Record<FileState, string> = {
  current: 'the file is there',
  other_values: 'the file is there, with other settings than yours now',
  other_version: 'the file is there, from another version of Standin',
  edited: 'the file was changed by hand',
  foreign: 'a file of that name is there that is not Standin’s',
  missing: 'the file is not there',
};

const healthWord: Record<Health, StateWord> = {
  ok: { tone: 'ok', word: 'as it should be' },
  warning: { tone: 'waiting', word: 'something is missing' },
  failed: { tone: 'failed', word: 'does not watch' },
  unknown: { tone: 'unknown', word: 'not known' },
};

/** How a place stands. A standby without the file is none that fails: it is not set up yet. */
export function placeState(place: PlaceReport): StateWord {
  if (place.file === 'missing' && place.health !== 'ok') return { tone: 'unknown', word: 'not set up yet' };
  return healthWord[place.health];
}

/** What was found at a place, in short. */
export function placeFacts(place: PlaceReport, now: number): string[] {
  const facts: string[] = [];
  if (place.file) facts.push(fileWord[place.file]);
  if (place.workflow) facts.push(place.workflow === 'active' ? 'switched on' : 'switched off');
  if (place.last_run)
    facts.push(`last run ${relativeTime(place.last_run.at_iso, now)}, ${place.last_run.conclusion ?? 'goes on'}`);
  return facts;
}

/** Whether the file has to be written, and whether that needs a word more. */
export function fileDeed(file: FileState | null): 'none' | 'write' | 'replace' {
  if (file === 'current' || file === null) return 'none';
  return file === 'edited' || file === 'foreign' ? 'replace' : 'write';
}

export function installedWords(installed: Installed): string {
  const { repo, path, pull_request } = installed;
  switch (installed.written) {
    case 'already':
      return `${path} is in ${repo} already.`;
    case 'committed':
      return `${path} was committed to ${repo}. On the master it is switched off; the next sync brings it to the standby.`;
    case 'pull_request':
      return `A pull request waits to be merged: ${pull_request ?? repo}. After that, the next sync brings the file to the standby.`;
  }
}

/** The two tokens: which secret each becomes, and what it must be able to do. */
export const sentinelTokens = [
  {
    key: 'standin',
    secret: 'STANDIN_TOKEN',
    label: 'Token of the standby’s account',
    about: 'Fine-grained, for the standby alone: Contents, Variables and Actions to read and write.',
  },
  {
    key: 'master',
    secret: 'MASTER_TOKEN',
    label: 'Token that reads the master',
    about: 'Fine-grained, for the master alone: Contents to read. Best of an account other than the master’s owner.',
  },
] as const;
