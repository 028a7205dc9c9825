// What can be said of a mirror that is there, and what a form about it comes to. Pure.

import type { Aspect } from '../bindings/Aspect';
import type { ConfigChange } from '../bindings/ConfigChange';
import type { Given } from '../bindings/Given';
import type { MirrorKey } from '../bindings/MirrorKey';
import type { MirrorReport } from '../bindings/MirrorReport';
import { ASPECTS } from '../words/words';
import { isSsh } from './setup_request';

/** What is to become of a setting whose value the window is not told. */
export type Wish = 'as_it_is' | 'default' | 'set' | 'yes' | 'no';

export interface Setting {
  key: MirrorKey;
  label: string;
  about: string;
  /** What holds where nothing is said. */
  fallback: string;
  how: 'text' | 'list' | 'yes_or_no';
}

export interface Answer {
  wish: Wish;
  text: string;
}

const schedule: Setting = {
  key: 'schedule',
  label: 'When it is synced by itself',
  about: 'Such as 15m, off, or 0 3 * * * for every day at three.',
  fallback: 'as the program’s schedule says',
  how: 'text',
};

const key: Setting = {
  key: 'ssh_key_path',
  label: 'Private key',
  about: 'The path of its file.',
  fallback: 'as ssh itself chooses',
  how: 'text',
};

const hooks: Setting = {
  key: 'hooks',
  label: 'Hooks of the folder',
  about: 'Whether the hooks that stand in it run, and the programs that its own settings name.',
  fallback: 'they do not run',
  how: 'yes_or_no',
};

const ofCopy: readonly Setting[] = [
  {
    key: 'path',
    label: 'Folder of the copy',
    about: 'A whole path. What stands in another folder is not moved.',
    fallback: 'beside Standin’s own data',
    how: 'text',
  },
  {
    key: 'refs',
    label: 'What is copied',
    about: 'Refspecs of git with a space between, such as +refs/heads/*:refs/heads/*.',
    fallback: 'every branch and tag',
    how: 'list',
  },
  {
    key: 'interval',
    label: 'How often it is pulled',
    about: 'Such as 15m or 6h.',
    fallback: 'as often as the schedule says',
    how: 'text',
  },
  {
    key: 'timeout',
    label: 'How long one pull may take',
    about: 'Such as 30m.',
    fallback: 'as long as the limits say',
    how: 'text',
  },
];

/** What can be said of a mirror beside its place and what is kept in step. */
export function settingsFor({ type, repo, mirror_url }: MirrorReport): Setting[] {
  const isFolder = repo.startsWith('/') || /^[a-z]:[/\\]/i.test(repo);
  switch (type) {
    case 'git':
      return [schedule, ...(isSsh(repo) ? [key] : []), ...(isFolder ? [hooks] : [])];
    case 'pull':
      return [...ofCopy, ...(isSsh(mirror_url ?? repo) ? [key] : [])];
    case 'github':
    case 'follow':
    case 'workspace':
      return [schedule];
  }
}

/** Where a mirror is, as the form shows it. */
export function placeOf(mirror: MirrorReport): string {
  return mirror.mirror_url ?? mirror.repo;
}

/** What is kept in step of it now. */
export function keptOf(mirror: MirrorReport): Aspect[] {
  return ASPECTS.filter((aspect) => mirror[aspect].status !== 'skipped');
}

function valueOf({ how }: Setting, { wish, text }: Answer): Given | null {
  if (wish === 'default') return null;
  if (how === 'yes_or_no') return wish === 'yes';
  return how === 'list' ? text.trim().split(/\s+/) : text.trim();
}

/** What is said now that was not said before. */
export function changesOf(
  mirror: MirrorReport,
  place: string,
  kept: readonly Aspect[],
  answers: Readonly<Partial<Record<MirrorKey, Answer>>>,
): ConfigChange<MirrorKey>[] {
  const changes: ConfigChange<MirrorKey>[] = [];
  const where = place.trim();
  if (where !== '' && where !== placeOf(mirror)) {
    changes.push({ key: mirror.type === 'github' ? 'repo' : 'url', value: where });
  }
  if (mirror.type === 'github' && kept.join() !== keptOf(mirror).join()) {
    changes.push({ key: 'sync', value: [...kept] });
  }
  for (const setting of settingsFor(mirror)) {
    const answer = answers[setting.key];
    if (!answer || answer.wish === 'as_it_is') continue;
    if (answer.wish === 'set' && answer.text.trim() === '') continue;
    changes.push({ key: setting.key, value: valueOf(setting, answer) });
  }
  return changes;
}
