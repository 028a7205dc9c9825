// The words of the wizard, beside each other so that they can be read, and translated, together.

import type { Aspect } from '../bindings/Aspect';
import type { MirrorLook } from '../bindings/MirrorLook';
import type { SourceLook } from '../bindings/SourceLook';
import type { SourcePart } from '../bindings/SourcePart';
import type { TokenOrigin } from '../bindings/TokenOrigin';
import type { TokenReport } from '../bindings/TokenReport';
import type { SetupKind, Step } from '../state/setup_request';
import { counted } from './time';

export const stepWord: Record<Step, string> = {
  what: 'What',
  source: 'Source',
  where: 'Where',
  keep: 'What to keep in step',
  sentinel: 'Sentinel',
  review: 'Review',
  sync: 'First sync',
};

/** What stands above each step. */
export const stepTitle: Record<Step, string> = {
  what: 'What do you want to set up?',
  source: 'What is to be kept safe?',
  where: 'Where is it to be?',
  keep: 'What is kept in step?',
  sentinel: 'Who watches when no computer of yours is on?',
  review: 'This is what will be written',
  sync: 'The first sync',
};

export interface KindWords {
  kind: SetupKind;
  title: string;
  can: string;
  cannot: string;
}

export const kinds: readonly KindWords[] = [
  {
    kind: 'github',
    title: 'Standby on GitHub',
    can: 'On the worst day it becomes the master: code, secrets, variables and workflows are there and run.',
    cannot: 'It needs a second account. It cannot help while all of GitHub is down.',
  },
  {
    kind: 'git',
    title: 'Archive over git',
    can: 'On the worst day the code is there, on another host or a disk, with every branch and tag.',
    cannot: 'It cannot take over by itself: no secrets, no variables, nothing runs there.',
  },
  {
    kind: 'pull',
    title: 'Pull mirror of an upstream',
    can: 'On the worst day a copy of somebody else’s repository is on this machine, and can be cloned.',
    cannot: 'Nothing is ever pushed, and nothing takes over.',
  },
];

export function kindTitle(kind: SetupKind): string {
  return kinds.find((one) => one.kind === kind)?.title ?? '';
}

const originWord: Record<TokenOrigin, string> = {
  environment: 'from the environment or .env',
  keychain: 'from the keychain',
  session: 'typed, in memory',
  gh: 'of gh',
};

/** Whose token it is and where it comes from: `ada, of gh, 61 days left`. */
export function tokenWords(report: TokenReport): string {
  const days = report.days_left === null ? [] : [`${counted(report.days_left, 'day')} left`];
  return [report.login, originWord[report.origin], ...days].filter(Boolean).join(', ');
}

const partWord: Record<Aspect, [string, string]> = {
  code: ['branch or tag', 'branches and tags'],
  secrets: ['secret', 'secrets'],
  variables: ['variable', 'variables'],
  workflows: ['workflow', 'workflows'],
};

/** `12 branches and tags`, `1 secret`. */
export function partWords({ aspect, count }: SourcePart): string {
  const [one, many] = partWord[aspect];
  return `${count} ${count === 1 ? one : many}`;
}

/** What there is at a source, in one line. */
export function foundWords(look: SourceLook): string {
  const seen = look.is_private === null ? [] : [look.is_private ? 'private' : 'public'];
  return [...seen, ...look.parts.filter(({ error }) => !error).map(partWords)].join(' · ');
}

/** `5 secrets: 3 have a value here, 2 need one`. */
export function secretsWords(count: number, wanting: number): string {
  const all = `${counted(count, 'secret')}`;
  if (count === 0) return all;
  if (wanting === 0) return `${all}: ${count === 1 ? 'it has' : 'all have'} a value here`;
  if (count === 1) return `${all}: it needs a value`;
  const have = count - wanting;
  return have === 0
    ? `${all}: none has a value here`
    : `${all}: ${have} ${have === 1 ? 'has' : 'have'} a value here, ${wanting} ${wanting === 1 ? 'needs' : 'need'} one`;
}

export const aspectAbout: Record<Aspect, string> = {
  code: 'Every branch and tag.',
  secrets: 'A host never tells a value. What is to travel has its value here.',
  variables: 'Names and values.',
  workflows: 'Which of them are on. Those that would do harm twice are held until it takes over.',
};

/** What was found at the place. */
export function placeWords(look: MirrorLook): string {
  const seen = look.is_private === null ? '' : look.is_private ? ', private' : ', public';
  switch (look.state) {
    case 'absent':
      return `${look.repo} is not there yet.`;
    case 'empty':
      return `${look.repo} is there, empty${seen}.`;
    case 'filled':
      return `${look.repo} is there${seen}, and has something in it.`;
    case 'unseen':
      return look.error || look.host_key ? `${look.repo} could not be looked at.` : `${look.repo} can be used.`;
  }
}

/** The page where a token with the right scopes is made. */
export function tokenPage(host: string): string {
  return `https://${host || 'github.com'}/settings/tokens/new?scopes=repo,workflow&description=Standin`;
}

/** Stands above what is written, but for a token or a value. */
export const NOT_ALL_KEPT = 'It is set up, but not all could be kept';

/** What a typed value or token comes to where it cannot be kept yet. */
export const MEMORY_ONLY =
  'What you typed is in memory only, until this is set up. Going back keeps it, leaving forgets it.';
