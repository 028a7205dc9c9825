// What a rescued tip is, and what it would mean to put it back. Pure.

import type { MirrorReport } from '../bindings/MirrorReport';
import type { Rescue } from '../bindings/Rescue';
import { refWords, shortOid } from './words';

/** What a restore would do, before anything is done. */
export interface RestorePlan {
  /** The words on the button; empty where nothing can be done here. */
  deed: string;
  /** What happens, a sentence each. */
  facts: string[];
}

/** Where a tip was: its place, and the mirror's name where that says something else. */
export function cameFrom({ mirror, target }: Rescue): string {
  return target === undefined ? mirror : `${target} (${mirror})`;
}

/** What dropping a tip means, before it is done. */
export function dropPlan(rescue: Rescue): RestorePlan {
  return {
    deed: `Drop ${refWords(rescue.ref_name)} for good`,
    facts: [
      `${shortOid(rescue.oid)} may be the only copy that is left of its commits.`,
      'Nothing brings it back afterwards. What the source and the mirrors have stays as it is.',
    ],
  };
}

export function droppedWords(rescue: Rescue): string {
  return `Dropped ${refWords(rescue.ref_name)} at ${shortOid(rescue.oid)}, which came from ${cameFrom(rescue)}.`;
}

const capital = (words: string) => words.charAt(0).toUpperCase() + words.slice(1);

/** `mirror` is the one that the rescue names, as it is now; `master` the place of the present master. */
export function restorePlan(rescue: Rescue, mirror: MirrorReport | undefined, master: string): RestorePlan {
  const name = refWords(rescue.ref_name);
  const tip = shortOid(rescue.oid);
  const workflows = 'Workflows that come with it are kept from running.';
  if (rescue.reason === 'turned') {
    const short = rescue.ref_name.replace(/^refs\/(heads|tags)\//, '');
    const kind = rescue.ref_name.startsWith('refs/tags/') ? 'tag' : 'branch';
    return {
      deed: `Restore ${kind} rescue/${rescue.mirror}/${short}`,
      facts: [
        `${tip} goes to ${master}, the present master, as ${kind} rescue/${rescue.mirror}/${short}.`,
        'Nothing that is there is moved or deleted.',
        'The next sync brings it to the mirrors as anything else.',
      ],
    };
  }
  if (!mirror) {
    return {
      deed: '',
      facts: [
        `The mirror ${rescue.mirror} is not configured any more, so there is no place to put it back to.`,
        'The tip is kept here.',
      ],
    };
  }
  if (rescue.target !== undefined && mirror.type !== 'pull' && rescue.target !== mirror.repo) {
    return {
      deed: '',
      facts: [
        `It was at ${rescue.target}, and ${rescue.mirror} is ${mirror.repo} by now, so it is not put there.`,
        'The tip is kept here.',
      ],
    };
  }
  if (mirror.type === 'pull') {
    return {
      deed: `Restore ${name}`,
      facts: [
        `${capital(name)} of the copy points to ${tip} again, as it was before.`,
        'That name must be free there: nothing is moved or deleted for it.',
        'No later pull takes it away; it stays until a person removes it.',
      ],
    };
  }
  return {
    deed: `Restore ${name}`,
    facts: [
      `${capital(name)} of ${mirror.repo} points to ${tip} again, as it was before.`,
      'That name must be free there: nothing is moved or deleted for it.',
      'No later sync moves or deletes it: it counts as yours.',
      ...(mirror.type === 'github' ? [workflows] : []),
    ],
  };
}
