// What the answers of the wizard come to: which steps there are, and what is asked of the backend. Pure.

import type { Aspect } from '../bindings/Aspect';
import type { ConfigSetting } from '../bindings/ConfigSetting';
import type { Given } from '../bindings/Given';
import type { MirrorKey } from '../bindings/MirrorKey';
import type { MirrorLook } from '../bindings/MirrorLook';
import type { MirrorRequest } from '../bindings/MirrorRequest';
import type { SourceLook } from '../bindings/SourceLook';
import { ASPECTS } from '../words/words';

/** The kinds of mirror that can be set up here. */
export type SetupKind = 'github' | 'git' | 'pull';

export type Step = 'what' | 'source' | 'where' | 'keep' | 'sentinel' | 'review' | 'sync';

/** What was answered so far. No token and no value is ever among it. */
export interface Answers {
  kind: SetupKind;
  /** The repository that the mirror is added to; null where `source` makes it. */
  repository: string | null;
  source: string;
  /** The clone that the source was found in. */
  clone: string | null;
  /** A standby's `owner/name`. */
  repo: string;
  /** An archive's path or URL. */
  url: string;
  /** The private key for an archive at an ssh address; empty for what ssh itself would use. */
  key: string;
  /** The folder of a copy; empty for one of Standin's own. */
  path: string;
  /** Time between two pulls; empty for the schedule's. */
  interval: string;
  sync: readonly Aspect[];
}

/** The steps of a kind, in order: a sentinel watches from a standby on GitHub alone. */
export function stepsOf(kind: SetupKind): Step[] {
  const all: Step[] = ['what', 'source', 'where', 'keep', 'sentinel', 'review', 'sync'];
  return kind === 'github' ? all : all.filter((step) => step !== 'sentinel');
}

/** The steps that ask something, where the repository is known already: its source is not asked for again. */
function asked(answers: Answers): Step[] {
  const isKnown = answers.repository !== null && answers.source === '';
  return stepsOf(answers.kind).filter((step) => step !== 'source' || !isKnown);
}

/** The step so many steps away; the same one at either end. */
export function stepFrom(answers: Answers, step: Step, by: 1 | -1): Step {
  const steps = asked(answers);
  return steps[steps.indexOf(step) + by] ?? step;
}

/** What is said of the mirror; nothing where that is the default. */
export function settingsOf(answers: Answers, isGitHub = true): ConfigSetting<MirrorKey>[] {
  const settings: ConfigSetting<MirrorKey>[] = [];
  const say = (key: MirrorKey, value: Given) => {
    if (value !== '') settings.push({ key, value });
  };
  switch (answers.kind) {
    case 'github': {
      say('repo', answers.repo.trim());
      const kept = ASPECTS.filter((aspect) => answers.sync.includes(aspect) && (isGitHub || aspect === 'code'));
      if (kept.length < ASPECTS.length) say('sync', kept);
      break;
    }
    case 'git':
      say('url', answers.url.trim());
      if (isSsh(answers.url)) say('ssh_key_path', answers.key.trim());
      break;
    case 'pull':
      say('path', answers.path.trim());
      say('interval', answers.interval.trim());
      break;
  }
  return settings;
}

/** What is asked of the backend. Of the source alone, where the mirror has no place yet. */
export function requestOf(answers: Answers, settings: ConfigSetting<MirrorKey>[]): MirrorRequest {
  const { kind, repository, source, clone } = answers;
  const isKnown = repository !== null;
  return {
    repository,
    form: null,
    change: {
      change: 'add',
      source: isKnown ? null : source.trim(),
      clone: isKnown ? null : clone,
      mirror: null,
      kind,
      settings,
    },
  };
}

const SLUG = /^(?:([^/\s:@]+\.[^/\s:@]+)\/)?([^/\s:@.~][^/\s:@]*)\/([^/\s:@]+)$/;

/** The host that a place is at: `owner/name` is on GitHub, a path is nowhere. */
export function hostOf(place: string): string {
  const text = place.trim();
  const url = /^[a-z+]+:\/\/(?:[^@/]*@)?([^/:]+)/i.exec(text);
  if (url) return (url[1] ?? '').toLowerCase();
  const slug = SLUG.exec(text);
  if (slug) return (slug[1] ?? 'github.com').toLowerCase();
  return /^(?:[^@/\s]+@)?([^/:\s]+):(?!\\)/.exec(text)?.[1]?.toLowerCase() ?? '';
}

/** The owner of a repository at a host, whichever way it is written; empty where none is. */
export function ownerOf(place: string): string {
  const text = place.trim().replace(/(\.git)?\/*$/, '');
  const slug = SLUG.exec(text);
  if (slug) return slug[2] ?? '';
  return /(?:^[a-z+]+:\/\/[^/]+\/|^[^/\s]+@[^/:\s]+:)([^/]+)\/[^/]+$/i.exec(text)?.[1] ?? '';
}

/** The name of a repository: the last part of where it is. */
export function nameOf(place: string): string {
  return (
    place
      .trim()
      .replace(/(\.git)?[/\\]*$/, '')
      .split(/[/\\:]/)
      .at(-1) ?? ''
  );
}

/** Whether two places belong to one account: who loses one loses the other. */
export function isSameAccount(source: string, place: string): boolean {
  const [one, other] = [ownerOf(source).toLowerCase(), ownerOf(place).toLowerCase()];
  return one !== '' && one === other && hostOf(source) === hostOf(place);
}

/** Whether git goes there by ssh. */
export function isSsh(place: string): boolean {
  return /^(ssh:\/\/|git\+ssh:\/\/|[^@/\s]+@[^/:\s]+:)/i.test(place.trim());
}

/** Whether git goes there by HTTP, with a token. */
export function isHttp(place: string): boolean {
  return /^https?:\/\//i.test(place.trim());
}

/** Names of secrets that have no value here and none that was typed. */
export function wanting(look: SourceLook | null, typed: readonly string[]): string[] {
  const part = look?.parts.find(({ aspect }) => aspect === 'secrets');
  return (part?.without_value ?? []).filter((name) => !typed.includes(name));
}

/** Whether what was found at the place lets one go on. */
export function isUsable(kind: SetupKind, look: MirrorLook, create: boolean): boolean {
  if (look.host_key) return false;
  if (kind !== 'github') return look.error === null;
  return look.state === 'absent' ? create : look.state !== 'unseen';
}
